package io.vxseal.overlay;

import io.vxseal.check.PathMtuCheck;
import io.vxseal.check.Way;
import io.vxseal.overlay.watch.Conditions;
import io.vxseal.overlay.watch.LossyPaths;
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
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Watch of the nodes with which containers here exchange sealed packets, or for which they are sealed and none comes back, and of all that
 * plain networks here reach: whether packets as large as a network promises pass, and whether any do. It sends one to each such node at each
 * look, and more only where that is not answered.
 */
final class PathMtuWatch {
    /** Most paths in a look, and as many of those on which packets were lost at the last one. */
    static final int MOST_PATHS = 128;

    private static final Duration PATIENCE = Duration.ofMillis(500);
    private static final Duration AGAIN = Duration.ofSeconds(3);

    private final Host host;
    private final DriverLock lock;
    private final NetworkWays ways;
    private final PathsInUse inUse;
    private final Conditions conditions;
    private final ErrorLog errors;
    private final Map<LossyPaths.Path, Long> tried = new HashMap<>();
    private final LossyPaths lossy = new LossyPaths();
    private final UnansweredPaths paths = new UnansweredPaths();
    private volatile List<Observation.LostPackets> lost = List.of();
    private volatile List<Observation.Unanswered> unanswered = List.of();

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
        sealed.addAll(lossy.answeringNodes());
        // So that the condition ends with the fault, though containers may have given up.
        unanswered.stream().filter(Observation.Unanswered::encrypted).map(Observation.Unanswered::node).forEach(sealed::add);
        List<Way> now = lock.locked(() -> {
            sealed.addAll(conditions.openNodes());
            return ways.largest(sealed);
        });
        try {
            List<PathMtuCheck.Result> results = new PathMtuCheck(host.pins(), PATIENCE, AGAIN, this::sending, this::failed).run(choose(now));
            results.forEach(this::take);
            paths.take(results.stream().map(PathMtuWatch::look).toList(), path -> !path.encrypted() || used.contains(path.node()),
                    System.nanoTime());
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
        }
        Set<LossyPaths.Path> known = now.stream().map(PathMtuWatch::networkPath).collect(Collectors.toSet());
        tried.keySet().retainAll(known);
        Set<String> withStates = inUse.known();
        lossy.retain(known::contains, node -> withStates.contains(node) && !sealed.contains(node));
        lost = lossy.all();
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

    private void failed(IOException failure) {
        errors.add("watching the paths", failure.getMessage());
    }

    private static UnansweredPaths.Look look(PathMtuCheck.Result result) {
        Way way = result.way();
        return new UnansweredPaths.Look(path(way), way.network(), names(way, result.answering()), names(way, result.unanswered()));
    }

    private static List<String> names(Way way, Collection<Way.Endpoint> containers) {
        return containers.stream().map(container -> way.network() + " " + container.mac()).toList();
    }

    private static LossyPaths.Path networkPath(Way way) {
        return new LossyPaths.Path(way.node(), way.network());
    }

    private static UnansweredPaths.Path path(Way way) {
        return new UnansweredPaths.Path(way.node(), way.encrypted());
    }

    /**
     * Returns one way to each node by encrypted networks and one by plain ones: one on which packets were lost, as long as they are, else the
     * one that was tried longest ago.
     */
    private List<Way> choose(List<Way> now) {
        Comparator<Way> longestAgo = Comparator.comparing(way -> tried.getOrDefault(networkPath(way), Long.MIN_VALUE));
        Map<UnansweredPaths.Path, Way> byPath = new LinkedHashMap<>();
        now.stream().sorted(Comparator.<Way, Boolean>comparing(way -> !isLost(way)).thenComparing(longestAgo)
                        .thenComparing(Way::node).thenComparing(Way::network))
                .forEach(way -> byPath.putIfAbsent(path(way), way));
        Set<UnansweredPaths.Path> open = paths.open();
        List<Way> chosen = byPath.values().stream()
                .sorted(Comparator.<Way, Boolean>comparing(way -> !open.contains(path(way))).thenComparing(longestAgo)).toList();
        return Stream.concat(chosen.stream().filter(this::isLost).limit(MOST_PATHS),
                chosen.stream().filter(way -> !isLost(way)).limit(MOST_PATHS))
                // Networks with trouble take seconds each: they may not take all the time of each look.
                .sorted(longestAgo).toList();
    }

    private boolean isLost(Way way) {
        return lossy.contains(networkPath(way));
    }

    private void take(PathMtuCheck.Result result) {
        LossyPaths.Path path = networkPath(result.way());
        tried.put(path, System.nanoTime());
        switch (result.outcome()) {
            case PASS -> lossy.passed(path);
            case LOST -> lossy.lost(path, result.way().encrypted(), result.mtu());
            case UNANSWERED -> lossy.unclear(path, !result.answering().isEmpty());
        }
    }

    /** Returns the paths on which large packets are lost. */
    List<Observation.LostPackets> lost() {
        return lost;
    }

    /** Returns the paths on which no container there answers. */
    List<Observation.Unanswered> unanswered() {
        return unanswered;
    }
}
