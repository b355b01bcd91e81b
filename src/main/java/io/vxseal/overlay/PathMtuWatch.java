package io.vxseal.overlay;

import io.vxseal.check.PathMtuCheck;
import io.vxseal.check.Way;
import io.vxseal.overlay.watch.Conditions;
import io.vxseal.overlay.watch.Observation;
import io.vxseal.overlay.watch.PathsInUse;
import io.vxseal.overlay.watch.UnansweredPaths;
import java.io.IOException;
import java.time.Duration;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Watch of the nodes with which containers here exchange sealed packets, and of all that plain networks here reach: whether packets as large
 * as a network promises pass, and whether any do. It sends one to each such node at each look, and more only where that is not answered.
 */
final class PathMtuWatch {
    /** Most paths in a look, and as many of those on which packets were lost at the last one. */
    static final int MOST_PATHS = 128;

    /** Looks after which nothing is known any more of a path on which packets were lost, if none shows whether they still are. */
    static final int FORGOTTEN = 4;

    private static final Duration PATIENCE = Duration.ofMillis(500);
    private static final Duration AGAIN = Duration.ofSeconds(3);

    private final Host host;
    private final DriverLock lock;
    private final NetworkWays ways;
    private final PathsInUse inUse;
    private final Conditions conditions;
    private final ErrorLog errors;
    private final Map<Path, Lost> lost = new ConcurrentHashMap<>();
    private final Map<Path, Long> tried = new HashMap<>();
    private final UnansweredPaths paths = new UnansweredPaths();
    private volatile List<Observation.Unanswered> unanswered = List.of();

    private record Path(String node, String network) {
        static Path of(Way way) {
            return new Path(way.node(), way.network());
        }
    }

    /**
     * Packets that were lost.
     *
     * @param unclear looks since then which did not show whether they still are
     * @param answered whether anything was answered at the last look
     */
    private record Lost(Observation.LostPackets packets, int unclear, boolean answered) {}

    PathMtuWatch(Host host, DriverLock lock, NetworkWays ways, PathsInUse inUse, Conditions conditions, ErrorLog errors) {
        this.host = host;
        this.lock = lock;
        this.ways = ways;
        this.inUse = inUse;
        this.conditions = conditions;
        this.errors = errors;
    }

    /** Looks once, without the driver's lock while it waits for replies. To be called by one thread, every ten seconds. */
    void look() {
        Set<String> used = inUse.nodes();
        Set<String> sealed = new HashSet<>(used);
        // Without an answer it may be broken in one direction by now, and nothing may be sent to it: see PathsInUse.
        lost.forEach((path, each) -> {
            if (each.answered) {
                sealed.add(path.node);
            }
        });
        List<Way> now = lock.locked(() -> {
            // So that the condition ends with the fault, though containers may have given up.
            sealed.addAll(conditions.silentNodes());
            return ways.largest(sealed);
        });
        try {
            List<PathMtuCheck.Result> results = new PathMtuCheck(host.pins(), PATIENCE, AGAIN, this::sending).run(choose(now));
            results.forEach(this::take);
            paths.take(results.stream().map(PathMtuWatch::look).toList(), path -> !path.encrypted() || used.contains(path.node()),
                    System.nanoTime());
        } catch (IOException failure) {
            errors.add("watching the paths", failure.getMessage());
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
        }
        Set<Path> known = new HashSet<>(now.stream().map(Path::of).toList());
        lost.keySet().retainAll(known);
        tried.keySet().retainAll(known);
        Set<String> withStates = inUse.known();
        Set<UnansweredPaths.Path> reached = now.stream().map(PathMtuWatch::path).collect(Collectors.toSet());
        paths.retain(path -> path.encrypted() ? withStates.contains(path.node()) : reached.contains(path));
        unanswered = paths.silent(System.nanoTime());
    }

    /** Counts a request: the kernel counts it among the node's sealed packets. */
    private void sending(Way way) {
        if (way.encrypted()) {
            inUse.sending(way.node());
        }
    }

    private static UnansweredPaths.Look look(PathMtuCheck.Result result) {
        Way way = result.way();
        return new UnansweredPaths.Look(path(way), way.network(), names(way, result.answering()), names(way, result.unanswered()));
    }

    private static List<String> names(Way way, Collection<Way.Endpoint> containers) {
        return containers.stream().map(container -> way.network() + " " + container.mac()).toList();
    }

    private static UnansweredPaths.Path path(Way way) {
        return new UnansweredPaths.Path(way.node(), way.encrypted());
    }

    /**
     * Returns one way to each node by encrypted networks and one by plain ones: one on which packets were lost, as long as they are, else the
     * one that was tried longest ago.
     */
    private List<Way> choose(List<Way> now) {
        Comparator<Way> longestAgo = Comparator.comparing(way -> tried.getOrDefault(Path.of(way), Long.MIN_VALUE));
        Map<UnansweredPaths.Path, Way> byPath = new LinkedHashMap<>();
        now.stream().sorted(Comparator.<Way, Boolean>comparing(way -> !isLost(way)).thenComparing(longestAgo)
                        .thenComparing(Way::node).thenComparing(Way::network))
                .forEach(way -> byPath.putIfAbsent(path(way), way));
        Set<UnansweredPaths.Path> open = paths.open();
        List<Way> chosen = byPath.values().stream()
                .sorted(Comparator.<Way, Boolean>comparing(way -> !open.contains(path(way))).thenComparing(longestAgo)).toList();
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
            case LOST -> lost.put(path, new Lost(new Observation.LostPackets(path.node, path.network, result.mtu()), 0, true));
            case UNANSWERED -> lost.computeIfPresent(path, (_, before) -> before.unclear + 1 == FORGOTTEN ? null
                    : new Lost(before.packets, before.unclear + 1, !result.answering().isEmpty()));
        }
    }

    /** Returns the paths on which large packets are lost. */
    List<Observation.LostPackets> lost() {
        return lost.values().stream().map(Lost::packets).sorted(Comparator.comparing(Observation.LostPackets::network)).toList();
    }

    /** Returns the paths on which no container there answers. */
    List<Observation.Unanswered> unanswered() {
        return unanswered;
    }
}
