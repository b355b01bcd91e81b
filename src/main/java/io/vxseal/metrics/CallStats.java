package io.vxseal.metrics;

import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;

/** Durations of the engine's calls, from the first octet of the request to the reply. Safe for use by several threads. */
public final class CallStats {
    /**
     * Upper bounds of the histogram's buckets in seconds, the last of which has none. A call of an up network takes a few milliseconds, a
     * Join waits 8 s for keys at most, and the engine gives a container 20 s.
     */
    static final List<Double> BOUNDS = List.of(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0);

    /**
     * Calls of one method since the start, including refused ones.
     *
     * @param meanMillis rounded to a thousandth
     * @param slowestMillis rounded to a thousandth
     */
    public record Tally(long count, double meanMillis, double slowestMillis) {}

    /**
     * Calls of one method since the start by duration.
     *
     * @param counts calls in each bucket, not cumulative; the last is for those beyond all {@link #BOUNDS}
     * @param seconds sum of all durations
     */
    record Histogram(List<Long> counts, double seconds) {}

    /** Durations of one method. Its own lock guards it. */
    private static final class Durations {
        private final long[] counts = new long[BOUNDS.size() + 1];
        private long nanos;
        private long slowest;

        synchronized void add(long duration) {
            counts[bucket(duration / 1e9)]++;
            nanos += duration;
            slowest = Math.max(slowest, duration);
        }

        synchronized Tally tally() {
            long count = Arrays.stream(counts).sum();
            return new Tally(count, millis(nanos / count), millis(slowest));
        }

        synchronized Histogram histogram() {
            return new Histogram(Arrays.stream(counts).boxed().toList(), nanos / 1e9);
        }
    }

    private final Map<String, Durations> byMethod = new ConcurrentHashMap<>();

    /** Adds a call. */
    public void add(String method, Duration time) {
        byMethod.compute(method, (_, known) -> {
            Durations durations = known == null ? new Durations() : known;
            durations.add(time.toNanos());
            return durations;
        });
    }

    /** Returns the durations by method, in alphabetical order. */
    public SortedMap<String, Tally> tallies() {
        SortedMap<String, Tally> tallies = new TreeMap<>();
        byMethod.forEach((method, durations) -> tallies.put(method, durations.tally()));
        return tallies;
    }

    /** Returns the histograms by method, in alphabetical order. */
    SortedMap<String, Histogram> histograms() {
        SortedMap<String, Histogram> histograms = new TreeMap<>();
        byMethod.forEach((method, durations) -> histograms.put(method, durations.histogram()));
        return histograms;
    }

    /** Returns the bucket of a duration: the first whose bound is not below it. */
    private static int bucket(double seconds) {
        int bucket = 0;
        while (bucket < BOUNDS.size() && seconds > BOUNDS.get(bucket)) {
            bucket++;
        }
        return bucket;
    }

    private static double millis(long nanos) {
        return Math.round(nanos / 1e3) / 1e3;
    }
}
