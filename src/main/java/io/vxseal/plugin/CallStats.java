package io.vxseal.plugin;

import java.time.Duration;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;

/** Durations of the engine's calls, from the first octet of the request to the reply. Safe for use by several threads. */
final class CallStats {
    /**
     * Calls of one method since the start, including refused ones.
     *
     * @param meanMillis rounded to a thousandth
     * @param slowestMillis rounded to a thousandth
     */
    record Tally(long count, double meanMillis, double slowestMillis) {}

    private record Sum(long count, long nanos, long slowest) {
        Sum plus(Sum other) {
            return new Sum(count + other.count, nanos + other.nanos, Math.max(slowest, other.slowest));
        }
    }

    private final Map<String, Sum> byMethod = new ConcurrentHashMap<>();

    /** Adds a call. */
    void add(String method, Duration time) {
        byMethod.merge(method, new Sum(1, time.toNanos(), time.toNanos()), Sum::plus);
    }

    /** Returns the durations by method, in alphabetical order. */
    SortedMap<String, Tally> tallies() {
        SortedMap<String, Tally> tallies = new TreeMap<>();
        byMethod.forEach((method, sum) ->
                tallies.put(method, new Tally(sum.count, millis(sum.nanos / sum.count), millis(sum.slowest))));
        return tallies;
    }

    private static double millis(long nanos) {
        return Math.round(nanos / 1e3) / 1e3;
    }
}
