package io.vxseal.cluster.hub;

import io.vxseal.cluster.link.TokenBucket;
import io.vxseal.cluster.record.NodeRecord;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;

/**
 * Rates at which nodes may change their records: each change is sent to every node of the record's networks. They outlive sessions, or a node
 * would open another one instead of waiting.
 *
 * <p>Bounded by the nodes that have a certificate; one that has been quiet for a while is forgotten. Pure, one thread.
 */
final class RecordRates {
    private static final int OCTETS_PER_SECOND = 64 << 10;
    /** Octets at once: 256 changes of a node with up to thirty endpoints, or eight with a thousand. */
    private static final int BURST = 1 << 20;
    /** What a change counts for at least. */
    private static final int LEAST_OCTETS = 4 << 10;
    /** Time for the largest record, and so the longest that a node waits that sends none as its session ends. */
    private static final Duration LONGEST_WAIT = Duration.ofSeconds(NodeRecord.MOST_OCTETS / OCTETS_PER_SECOND);

    private final int times;
    private final Map<String, TokenBucket> byNode = new HashMap<>();

    /** @param times by which the rates are higher than that of what one session announces */
    RecordRates(int times) {
        this.times = times;
    }

    /** Counts a change. */
    void count(String node, int octets, long now) {
        byNode.computeIfAbsent(node, _ -> new TokenBucket((double) times * OCTETS_PER_SECOND, (double) times * BURST, now)).take(Math.max(LEAST_OCTETS, octets), now);
    }

    /** Returns how long the next change has to wait. */
    Duration untilNext(String node, long now) {
        TokenBucket bucket = byNode.get(node);
        return bucket == null ? Duration.ZERO : Duration.ofNanos(bucket.nanosInDebt(now));
    }

    /** Returns whether a change that cannot wait, as the session ends, may come now. */
    boolean mayBeLast(String node, long now) {
        return untilNext(node, now).compareTo(LONGEST_WAIT) <= 0;
    }

    /** Forgets the nodes that may change their record as often as one that is not known. */
    void forgetIdle(long now) {
        byNode.values().removeIf(bucket -> bucket.isFull(now));
    }
}
