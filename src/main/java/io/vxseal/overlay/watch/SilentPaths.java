package io.vxseal.overlay.watch;

import io.vxseal.encryption.PeerTraffic;
import java.net.InetAddress;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/**
 * Nodes for which packets are sealed and from which none is opened. What containers say to each other is nearly always answered, at least
 * by an acknowledgement, so a path without any answer is broken in one direction. One that carries datagrams in one direction only is
 * {@link #open} before it is silent, so that the plugin asks it: its reply is a packet that is opened.
 */
final class SilentPaths {
    /** Time that a path is open before it is silent: longer than from one look at the open paths to the next. */
    static final Duration SILENCE = Duration.ofSeconds(12);

    /** A retry or two is no traffic yet. */
    static final int LEAST_PACKETS = 4;

    /** Time without a sealed packet after which nothing is known about the path any more. */
    static final Duration QUIET = Duration.ofMinutes(5);

    private final Map<InetAddress, Path> paths = new HashMap<>();
    private Set<InetAddress> open = Set.of();

    /**
     * A path since its last opened packet.
     *
     * @param answered packets sealed when one was last opened
     * @param openNanos when the least number of packets had been sealed after that
     * @param lastNanos when the last one was sealed
     */
    private record Path(long opened, long answered, long sealed, long openNanos, long lastNanos) {
        private boolean isCounted() {
            return sealed - answered >= LEAST_PACKETS;
        }

        boolean isSilent(long nanos) {
            return isCounted() && nanos - openNanos >= SILENCE.toNanos() && nanos - lastNanos < QUIET.toNanos();
        }

        boolean isOpen(long nanos) {
            return isSilent(nanos) || isCounted() && nanos - lastNanos < SILENCE.toNanos();
        }
    }

    /** Returns the nodes that do not answer. */
    List<InetAddress> observe(List<PeerTraffic> traffic, long nanos) {
        paths.keySet().retainAll(traffic.stream().map(PeerTraffic::node).toList());
        traffic.forEach(peer -> paths.merge(peer.node(), fresh(peer, nanos), (before, _) -> next(before, peer, nanos)));
        open = nodes(path -> path.isOpen(nanos));
        return List.copyOf(nodes(path -> path.isSilent(nanos)));
    }

    private Set<InetAddress> nodes(Predicate<Path> which) {
        return paths.entrySet().stream().filter(each -> which.test(each.getValue())).map(Map.Entry::getKey).collect(Collectors.toSet());
    }

    /** Returns the nodes for which packets were sealed lately and of which none is known to answer, at the last observation. */
    Set<InetAddress> open() {
        return open;
    }

    private static Path fresh(PeerTraffic peer, long nanos) {
        return new Path(peer.openedPackets(), peer.sealedPackets(), peer.sealedPackets(), nanos, nanos);
    }

    private static Path next(Path before, PeerTraffic peer, long nanos) {
        if (peer.openedPackets() != before.opened) {
            return fresh(peer, nanos);
        }
        if (peer.sealedPackets() <= before.sealed) {
            // Less for a moment if a request was counted that the kernel has not.
            return before;
        }
        return new Path(before.opened, before.answered, peer.sealedPackets(), before.isCounted() ? before.openNanos : nanos, nanos);
    }
}
