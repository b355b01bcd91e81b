package io.vxseal.plugin;

import io.vxseal.cluster.ClusterStatus;
import io.vxseal.encryption.PeerTraffic;
import io.vxseal.metrics.Sample;
import io.vxseal.overlay.watch.Condition;
import java.net.InetAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** The nodes that this one knows and the paths to them, for the page: nodes of the cluster, and those that only have IPsec states. */
final class PeersReply {
    /** This node first, then those with trouble: a list that is cut loses those that are well. */
    private static final Comparator<Peer> ORDER = Comparator.comparing((Peer peer) -> !peer.here())
            .thenComparing(peer -> peer.trouble().isEmpty())
            .thenComparing(peer -> peer.path() == null)
            .thenComparing(peer -> String.valueOf(peer.role()))
            .thenComparing(peer -> String.valueOf(peer.id()))
            .thenComparing(peer -> String.valueOf(peer.address()));

    /** A line of what is in the way that is about one node ({@code overlay/OverviewReader}). */
    private static final Pattern FAILURE = Pattern.compile("node ([0-9a-f.:%]+): (.*)");

    /**
     * A node and the path to it.
     *
     * @param trouble on the path to it
     */
    record Peer(
            @Nullable String id,
            @Nullable String role,
            @Nullable String address,
            boolean here,
            int endpoints,
            @Nullable Long knownSeconds,
            @Nullable Path path,
            List<Trouble> trouble) {}

    /** A path with IPsec states. Bytes and packets are since it began. */
    record Path(long ageSeconds, long sealedBytes, long sealedPackets, long openedBytes, long openedPackets) {}

    /** Kind of a condition, or {@code obstacle}, with a line about it. */
    record Trouble(String kind, String text) {}

    private final Sample sample;
    private final Map<InetAddress, Path> paths = new HashMap<>();
    private final Map<String, List<Trouble>> trouble = new HashMap<>();

    PeersReply(Sample sample) {
        this.sample = sample;
        sample.overview().traffic().forEach(peer -> paths.put(peer.node(), path(peer)));
        for (Condition condition : sample.overview().conditions()) {
            if (condition.kind() != Condition.Kind.OBSTACLE) {
                add(condition.subject(), condition.kind().id(), condition.text());
            }
        }
        for (String line : sample.overview().inTheWay()) {
            Matcher failure = FAILURE.matcher(line);
            if (failure.matches()) {
                add(failure.group(1), Condition.Kind.OBSTACLE.id(), failure.group(2));
            }
        }
    }

    /** Returns the nodes of the cluster, and the addresses without one that have IPsec states, as of an earlier process. */
    List<Peer> peers() {
        List<Peer> peers = new ArrayList<>();
        Set<InetAddress> strangers = new HashSet<>(paths.keySet());
        for (ClusterStatus.Member member : sample.cluster().members()) {
            member.vtep().ifPresent(strangers::remove);
            String address = member.vtep().map(InetAddress::getHostAddress).orElse(null);
            peers.add(new Peer(
                    member.node(),
                    member.role().map(role -> role.name().toLowerCase(Locale.ROOT)).orElse(null),
                    address,
                    sample.cluster().node().filter(member.node()::equals).isPresent(),
                    member.endpoints(),
                    member.age().toSeconds(),
                    member.vtep().map(paths::get).orElse(null),
                    troubleAt(address)));
        }
        for (InetAddress stranger : strangers) {
            String address = stranger.getHostAddress();
            peers.add(new Peer(null, null, address, false, 0, null, paths.get(stranger), troubleAt(address)));
        }
        peers.sort(ORDER);
        return peers;
    }

    private List<Trouble> troubleAt(@Nullable String address) {
        return address == null ? List.of() : trouble.getOrDefault(address, List.of());
    }

    private void add(String address, String kind, String text) {
        trouble.computeIfAbsent(address, _ -> new ArrayList<>()).add(new Trouble(kind, text));
    }

    private Path path(PeerTraffic peer) {
        return new Path(
                Math.max(0, Duration.between(peer.since(), sample.now()).toSeconds()),
                peer.sealedBytes(),
                peer.sealedPackets(),
                peer.openedBytes(),
                peer.openedPackets());
    }
}
