package io.vxseal.cluster.link;

import java.util.LinkedHashMap;
import java.util.Map;

/** Rate limit by key, with bounded memory: beyond the limit the key that was quiet for longest is forgotten. Not thread-safe. */
final class RateLimit<K> {
    private final double perSecond;
    private final double burst;
    private final Map<K, TokenBucket> buckets;

    RateLimit(double perSecond, double burst, int maxKeys) {
        this.perSecond = perSecond;
        this.burst = burst;
        this.buckets = new LinkedHashMap<>(16, 0.75f, true) {
            private static final long serialVersionUID = 1;

            @Override
            protected boolean removeEldestEntry(Map.Entry<K, TokenBucket> eldest) {
                return size() > maxKeys;
            }
        };
    }

    /** Returns whether one more is allowed now, and counts it if so. */
    boolean tryTake(K key, long now) {
        return buckets.computeIfAbsent(key, _ -> new TokenBucket(perSecond, burst, now)).tryTake(now);
    }

    /** Forgets the keys that a new bucket would treat the same. */
    void forgetIdle(long now) {
        buckets.values().removeIf(bucket -> bucket.isFull(now));
    }
}
