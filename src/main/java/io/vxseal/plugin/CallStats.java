package io.vxseal.plugin;

import java.time.Duration;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;

/** How long the engine's calls took, from the request's first octet read to the reply; any number of threads. */
final class CallStats {
    /**
     * All calls of one method since the start, refused ones among them.
     *
     * @param meanMillis to a thousandth
     * @param slowestMillis to a thousandth
     */
    record Tally(long count, double meanMillis, double slowestMillis) {}

    private record Sum(long count, long nanos, long slowest) {
        Sum and(Sum other) {
            return new Sum(count + other.count, nanos + other.nanos, Math.max(slowest, other.slowest));
        }
    }

    private final Map<String, Sum> byMethod = new ConcurrentHashMap<>();

    void took(String method, Duration time) {
        byMethod.merge(method, new Sum(1, time.toNanos(), time.toNanos()), Sum::and);
    }

    /** By method, in the order of the alphabet. */
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
