package io.vxseal.overlay.watch;

import io.vxseal.encryption.PeerTraffic;
import java.net.InetAddress;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Nodes for which packets are sealed and from which none is opened. What containers say to each other is nearly always answered, at least
 * by an acknowledgement, so a path without any answer is broken in one direction. One that carries datagrams in one direction only looks
 * the same.
 */
final class SilentPaths {
    /** Time without an answer, which a container that takes a moment to answer does not reach. */
    static final Duration SILENCE = Duration.ofSeconds(10);

    /** A retry or two is no traffic yet. */
    static final int LEAST_PACKETS = 4;

    /** Time without a sealed packet after which nothing is known about the path any more. */
    static final Duration QUIET = Duration.ofMinutes(5);

    private final Map<InetAddress, Path> paths = new HashMap<>();

    /**
     * A path since its last opened packet.
     *
     * @param answered packets sealed when one was last opened
     * @param firstNanos when one was first sealed after that
     * @param lastNanos when the last one was sealed
     */
    private record Path(long opened, long answered, long sealed, long firstNanos, long lastNanos) {
        boolean isSilent(long nanos) {
            return sealed - answered >= LEAST_PACKETS
                    && nanos - firstNanos >= SILENCE.toNanos()
                    && nanos - lastNanos < QUIET.toNanos();
        }
    }

    /** Returns the nodes that do not answer. */
    List<InetAddress> observe(List<PeerTraffic> traffic, long nanos) {
        paths.keySet().retainAll(traffic.stream().map(PeerTraffic::node).toList());
        traffic.forEach(peer -> paths.merge(peer.node(), fresh(peer, nanos), (before, _) -> next(before, peer, nanos)));
        return traffic.stream().map(PeerTraffic::node).filter(node -> isSilent(node, nanos)).toList();
    }

    private boolean isSilent(InetAddress node, long nanos) {
        Path path = paths.get(node);
        return path != null && path.isSilent(nanos);
    }

    private static Path fresh(PeerTraffic peer, long nanos) {
        return new Path(peer.openedPackets(), peer.sealedPackets(), peer.sealedPackets(), nanos, nanos);
    }

    private static Path next(Path before, PeerTraffic peer, long nanos) {
        if (peer.openedPackets() != before.opened) {
            return fresh(peer, nanos);
        }
        if (peer.sealedPackets() == before.sealed) {
            return before;
        }
        boolean first = before.sealed == before.answered;
        return new Path(before.opened, before.answered, peer.sealedPackets(), first ? nanos : before.firstNanos, nanos);
    }
}
