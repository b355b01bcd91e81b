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
import java.util.TreeSet;
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

    /** A node as lines of what is in the way name it ({@code overlay/OverviewReader}). */
    private static final Pattern NODE = Pattern.compile("\\bnode ([0-9a-f.:]*[0-9a-f])(?![0-9a-f.])");

    /**
     * A node and the path to it.
     *
     * @param trouble kinds of conditions on the path to it; {@code obstacle} before it has lasted for long enough to be a condition
     */
    record Peer(
            @Nullable String id,
            @Nullable String role,
            @Nullable String address,
            boolean here,
            int endpoints,
            @Nullable Path path,
            Set<String> trouble) {}

    /** A path with IPsec states. Bytes are since it began. */
    record Path(long ageSeconds, long sealedBytes, long openedBytes) {}

    private final Sample sample;
    private final Map<InetAddress, Path> paths = new HashMap<>();
    private final Map<String, Set<String>> trouble = new HashMap<>();

    PeersReply(Sample sample) {
        this.sample = sample;
        sample.overview().traffic().forEach(peer -> paths.put(peer.node(), path(peer)));
        for (Condition condition : sample.overview().conditions()) {
            if (condition.kind() != Condition.Kind.OBSTACLE) {
                add(condition.subject(), condition.kind());
            }
        }
        for (String line : sample.overview().inTheWay()) {
            NODE.matcher(line).results().forEach(node -> add(node.group(1), Condition.Kind.OBSTACLE));
        }
    }

    /** Returns the nodes of the cluster, and the addresses without one that have IPsec states, as of an earlier process. */
    List<Peer> peers() {
        List<Peer> peers = new ArrayList<>();
        Set<InetAddress> others = new HashSet<>(paths.keySet());
        for (ClusterStatus.Member member : sample.cluster().members()) {
            member.vtep().ifPresent(others::remove);
            String address = member.vtep().map(InetAddress::getHostAddress).orElse(null);
            peers.add(new Peer(
                    member.node(),
                    member.role().map(role -> role.name().toLowerCase(Locale.ROOT)).orElse(null),
                    address,
                    sample.cluster().node().filter(member.node()::equals).isPresent(),
                    member.endpoints(),
                    member.vtep().map(paths::get).orElse(null),
                    troubleAt(address)));
        }
        for (InetAddress other : others) {
            String address = other.getHostAddress();
            peers.add(new Peer(null, null, address, false, 0, paths.get(other), troubleAt(address)));
        }
        peers.sort(ORDER);
        return peers;
    }

    private Set<String> troubleAt(@Nullable String address) {
        return address == null ? Set.of() : trouble.getOrDefault(address, Set.of());
    }

    private void add(String address, Condition.Kind kind) {
        trouble.computeIfAbsent(address, _ -> new TreeSet<>()).add(kind.id());
    }

    private Path path(PeerTraffic peer) {
        return new Path(
                Math.max(0, Duration.between(peer.since(), sample.now()).toSeconds()),
                peer.sealedBytes(),
                peer.openedBytes());
    }
}
