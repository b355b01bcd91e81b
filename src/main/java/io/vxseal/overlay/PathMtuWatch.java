package io.vxseal.overlay;

import io.vxseal.check.PathMtuCheck;
import io.vxseal.check.Way;
import io.vxseal.overlay.watch.Observation;
import io.vxseal.overlay.watch.PathsInUse;
import java.io.IOException;
import java.time.Duration;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;

/**
 * Watch of the nodes with which containers here exchange sealed packets: whether those that are as large as a network promises pass. It
 * sends one to each such node at each look, and more only where that is not answered.
 */
final class PathMtuWatch {
    /** Most paths in a look, and as many of those on which packets were lost at the last one. */
    static final int MOST_PATHS = 128;

    /** Looks without any answer after which nothing is known any more of a path on which packets were lost. */
    static final int FORGOTTEN = 4;

    private static final Duration PATIENCE = Duration.ofMillis(500);
    private static final Duration AGAIN = Duration.ofSeconds(3);

    private final Host host;
    private final DriverLock lock;
    private final NetworkWays ways;
    private final PathsInUse inUse;
    private final ErrorLog errors;
    private final Map<Path, Lost> lost = new ConcurrentHashMap<>();
    private final Map<Path, Long> tried = new HashMap<>();

    private record Path(String node, String network) {
        static Path of(Way way) {
            return new Path(way.node(), way.network());
        }
    }

    /** @param unanswered looks since then without any answer */
    private record Lost(Observation.LostPackets packets, int unanswered) {}

    PathMtuWatch(Host host, DriverLock lock, NetworkWays ways, PathsInUse inUse, ErrorLog errors) {
        this.host = host;
        this.lock = lock;
        this.ways = ways;
        this.inUse = inUse;
        this.errors = errors;
    }

    /** Looks once, without the driver's lock while it waits for replies. To be called by one thread, every ten seconds. */
    void look() {
        Set<String> nodes = new HashSet<>(inUse.nodes());
        lost.keySet().forEach(path -> nodes.add(path.node));
        List<Way> now = nodes.isEmpty() ? List.of() : lock.locked(() -> ways.largest(nodes));
        try {
            new PathMtuCheck(host.pins(), PATIENCE, AGAIN, way -> inUse.sending(way.node())).run(choose(now)).forEach(this::take);
        } catch (IOException failure) {
            errors.add("watching the paths", failure.getMessage());
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
        }
        Set<Path> paths = new HashSet<>(now.stream().map(Path::of).toList());
        lost.keySet().retainAll(paths);
        tried.keySet().retainAll(paths);
    }

    /** Returns one way to each node: one on which packets were lost, as long as they are, else the one that was tried longest ago. */
    private List<Way> choose(List<Way> now) {
        Comparator<Way> longestAgo = Comparator.comparing(way -> tried.getOrDefault(Path.of(way), Long.MIN_VALUE));
        Map<String, Way> byNode = new TreeMap<>();
        now.stream().sorted(Comparator.<Way, Boolean>comparing(way -> !isLost(way)).thenComparing(longestAgo).thenComparing(Way::network))
                .forEach(way -> byNode.putIfAbsent(way.node(), way));
        List<Way> chosen = byNode.values().stream().sorted(longestAgo).toList();
        return Stream.concat(chosen.stream().filter(this::isLost).limit(MOST_PATHS),
                chosen.stream().filter(way -> !isLost(way)).limit(MOST_PATHS)).toList();
    }

    private boolean isLost(Way way) {
        return lost.containsKey(Path.of(way));
    }

    private void take(PathMtuCheck.Result result) {
        Path path = Path.of(result.way());
        tried.put(path, System.nanoTime());
        switch (result.outcome()) {
            case PASS -> lost.remove(path);
            case LOST -> lost.put(path, new Lost(new Observation.LostPackets(path.node, path.network, result.mtu()), 0));
            case UNANSWERED -> lost.computeIfPresent(path, (_, before) ->
                    before.unanswered + 1 == FORGOTTEN ? null : new Lost(before.packets, before.unanswered + 1));
        }
    }

    /** Returns the paths on which large packets are lost. */
    List<Observation.LostPackets> lost() {
        return lost.values().stream().map(Lost::packets).sorted(Comparator.comparing(Observation.LostPackets::network)).toList();
    }
}
