package io.vxseal.cluster.ring;

import io.vxseal.cluster.message.Timer;
import io.vxseal.encryption.Key;
import io.vxseal.encryption.KeyRing;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The time for which this node has known the keys in force. Pure, one thread. */
final class KnownKeys {
    private final Timer timer;
    private long changed;
    /** The tags of the keys in force, and when each first was. */
    private final Map<Integer, Long> since = new HashMap<>();

    KnownKeys(Timer timer) {
        this.timer = timer;
        this.changed = timer.nanoTime();
    }

    /** Takes other keys that are in force from now on. */
    void inForce(KeyRing keys) {
        changed = timer.nanoTime();
        List<Integer> tags = keys.keys().stream().map(Key::tag).toList();
        since.keySet().retainAll(tags);
        tags.forEach(tag -> since.putIfAbsent(tag, changed));
    }

    /** Returns for how long the keys have been the same. */
    Duration age() {
        return Duration.ofNanos(timer.nanoTime() - changed);
    }

    /** Returns each of these keys, for people. */
    List<RingStatus.KnownKey> describe(KeyRing keys) {
        long now = timer.nanoTime();
        return keys.keys().stream()
                .map(key -> new RingStatus.KnownKey(key.tag(), Duration.ofNanos(now - since.getOrDefault(key.tag(), now))))
                .toList();
    }
}
