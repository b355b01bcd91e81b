package io.vxseal.cluster.hub;

import io.vxseal.cluster.message.Timer;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;

/**
 * Readiness of a hub to send records. One that starts receives those of the other hubs first; else it would take the second claim of an
 * address for the first.
 */
final class HubReadiness {
    /** Longest time for the other hubs to send their records. */
    static final Duration SYNCHRONIZE = Duration.ofSeconds(3);

    private final String self;
    private final Timer timer;
    private final Records records;
    private final long began;
    private Set<String> managers = Set.of();
    private Optional<Long> since = Optional.empty();

    HubReadiness(String self, Timer timer, Records records) {
        this.self = self;
        this.timer = timer;
        this.records = records;
        this.began = timer.nanoTime();
    }

    /** Names the managers whose hubs there should be. */
    void managers(Set<String> nodes) {
        managers = nodes;
    }

    /** Returns whether the hub is ready now and was not at the last call. */
    boolean becomesReady() {
        if (isReady() || timer.nanoTime() - began < SYNCHRONIZE.toNanos()
                && !managers.stream().allMatch(hub -> hub.equals(self) || records.isComplete(hub))) {
            return false;
        }
        since = Optional.of(timer.nanoTime());
        return true;
    }

    boolean isReady() {
        return since.isPresent();
    }

    /** Returns the milliseconds since the hub became ready; 0 before. */
    long millis() {
        return since.map(moment -> Duration.ofNanos(timer.nanoTime() - moment).toMillis()).orElse(0L);
    }
}
