package io.vxseal.overlay;

import io.vxseal.check.PathCheck.Way;
import io.vxseal.check.PathMtuCheck;
import io.vxseal.encryption.Encryption;
import io.vxseal.encryption.PeerTraffic;
import io.vxseal.overlay.watch.Observation;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Watch of the nodes with which containers here exchange sealed packets: whether those that are as large as the network promises pass. It
 * sends one to each such node, and more only where that is not answered.
 */
final class PathMtuWatch {
    /** Packets opened from one look to the next from which on a path is in use. Fewer may be the two nodes' own requests and replies. */
    static final int LEAST_PACKETS = 15;

    /** Most paths in a look; of more, others come next time. */
    static final int MOST_PATHS = 256;

    private static final Duration PATIENCE = Duration.ofMillis(500);

    private final Host host;
    private final DriverLock lock;
    private final NetworkWays ways;
    private final Encryption encryption;
    private final Map<String, Observation.LostPackets> lost = new ConcurrentHashMap<>();
    private Map<String, Long> opened = Map.of();

    PathMtuWatch(Host host, DriverLock lock, NetworkWays ways, Encryption encryption) {
        this.host = host;
        this.lock = lock;
        this.ways = ways;
        this.encryption = encryption;
    }

    /** Looks once, without the driver's lock while it waits for replies. To be called by one thread, every 15 s. */
    void look() {
        Set<String> inUse = new HashSet<>();
        List<Way> now = new ArrayList<>();
        lock.runLocked(() -> {
            takeTraffic(inUse);
            ways.all().stream().filter(Way::encrypted).forEach(now::add);
        });
        lost.keySet().retainAll(now.stream().map(Way::node).toList());
        List<Way> tried = new ArrayList<>(now.stream().filter(way -> inUse.contains(way.node())).toList());
        Collections.shuffle(tried);
        // First what was lost last time, used since or not: that ends when a packet passes.
        tried.sort(Comparator.comparing(way -> !lost.containsKey(way.node())));
        for (PathMtuCheck.Result result : new PathMtuCheck(host.pins(), PATIENCE).run(tried.stream().limit(MOST_PATHS).toList())) {
            String node = result.way().node();
            switch (result.outcome()) {
                case PASS -> lost.remove(node);
                case LOST -> lost.put(node, new Observation.LostPackets(node, result.way().network(), result.mtu()));
                case UNANSWERED -> { }
            }
        }
    }

    private void takeTraffic(Set<String> inUse) {
        Map<String, Long> now = new HashMap<>();
        for (PeerTraffic traffic : encryption.traffic()) {
            String node = traffic.node().getHostAddress();
            now.put(node, traffic.openedPackets());
            if (lost.containsKey(node) || traffic.openedPackets() - opened.getOrDefault(node, Long.MAX_VALUE) >= LEAST_PACKETS) {
                inUse.add(node);
            }
        }
        opened = now;
    }

    /** Returns the paths on which large packets were lost at the last look. */
    List<Observation.LostPackets> lost() {
        return List.copyOf(lost.values());
    }
}
