package io.vxseal.overlay.watch;

import io.vxseal.encryption.PeerTraffic;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Nodes with which containers exchange sealed packets, in both directions, by the kernel's counters; the plugin's own requests do not count.
 *
 * <p>Pure. One thread observes; others may ask and count requests meanwhile.
 */
public final class PathsInUse {
    /**
     * Packets in each direction within {@link #WINDOW} from which on a path is in use. Fewer may be two nodes' own requests and replies.
     * To a path that is broken in one direction nothing may be sent, unless it looks silent here: it would not look silent at the other end.
     */
    static final int LEAST_PACKETS = 4;

    /** Time over which packets are counted, at least. */
    static final Duration WINDOW = Duration.ofSeconds(3);

    private final Map<String, Long> requests = new ConcurrentHashMap<>();
    private volatile Set<String> nodes = Set.of();
    private volatile Set<String> known = Set.of();
    private Map<String, PeerTraffic> counted = Map.of();
    private long countedAt;

    /** Counts a request that is about to be sent to a container of this node. */
    public void sending(String node) {
        requests.merge(node, 1L, Long::sum);
    }

    /**
     * Takes the traffic with each node, every few seconds.
     *
     * @param nanos of a clock that nobody sets
     * @return the traffic without the plugin's requests, which need not be answered
     */
    public List<PeerTraffic> observe(List<PeerTraffic> traffic, long nanos) {
        List<PeerTraffic> containers = traffic.stream().map(this::withoutRequests).toList();
        if (nanos - countedAt >= WINDOW.toNanos()) {
            Map<String, PeerTraffic> now = new HashMap<>();
            containers.forEach(peer -> now.put(peer.node().getHostAddress(), peer));
            Map<String, PeerTraffic> before = counted;
            nodes = now.keySet().stream().filter(node -> isInUse(before.get(node), now.get(node))).collect(Collectors.toSet());
            requests.keySet().retainAll(now.keySet());
            counted = now;
            known = Set.copyOf(now.keySet());
            countedAt = nanos;
        }
        return containers;
    }

    private static boolean isInUse(@Nullable PeerTraffic before, @Nullable PeerTraffic now) {
        return before != null && now != null
                && now.openedPackets() - before.openedPackets() >= LEAST_PACKETS
                && now.sealedPackets() - before.sealedPackets() >= LEAST_PACKETS;
    }

    private PeerTraffic withoutRequests(PeerTraffic traffic) {
        return new PeerTraffic(traffic.node(), traffic.since(), traffic.sealedBytes(),
                traffic.sealedPackets() - requests.getOrDefault(traffic.node().getHostAddress(), 0L),
                traffic.openedBytes(), traffic.openedPackets());
    }

    /** Returns the addresses of the nodes of paths that were in use lately. */
    public Set<String> nodes() {
        return nodes;
    }

    /** Returns the addresses of all nodes with states, at the last count. */
    public Set<String> known() {
        return known;
    }
}
