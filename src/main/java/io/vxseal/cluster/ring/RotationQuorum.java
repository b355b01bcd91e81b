package io.vxseal.cluster.ring;

import io.vxseal.cluster.message.Timer;
import io.vxseal.swarm.Managers;
import java.time.Duration;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;

/**
 * Which managers are reached, and so which of them makes the rings: the one with the least id. A session may be behind by as long as it
 * takes to notice that it broke; so before keys change, most managers must have given a sign of life just now.
 *
 * <p>Pure, one thread.
 */
public final class RotationQuorum {
    private static final Duration FRESH = Duration.ofSeconds(2);

    private final Timer timer;
    private final Managers managers;
    private Set<String> reached = Set.of();
    private Set<String> fresh = Set.of();
    private long changed;

    /** A quorum of these managers. */
    public RotationQuorum(Timer timer, Managers managers) {
        this.timer = timer;
        this.managers = managers;
        this.changed = timer.nanoTime();
    }

    /**
     * Takes which managers there are sessions with.
     *
     * @param self this manager
     * @param lastReceived the others, and when each last gave a sign of life
     */
    public void reached(String self, Map<String, Long> lastReceived) {
        Set<String> now = new HashSet<>();
        Set<String> justNow = new HashSet<>();
        lastReceived.forEach((manager, when) -> {
            if (managers.isManager(manager)) {
                now.add(manager);
                if (timer.nanoTime() - when < FRESH.toNanos()) {
                    justNow.add(manager);
                }
            }
        });
        now.add(self);
        justNow.add(self);
        if (!now.equals(reached)) {
            reached = now;
            changed = timer.nanoTime();
        }
        fresh = justNow;
    }

    /** Starts the time without a change anew. */
    public void restart() {
        changed = timer.nanoTime();
    }

    /** Returns whether this manager makes the rings. */
    public boolean isKeyMaker(String self) {
        return managers.isManager(self) && reached.stream().min(String::compareTo).filter(self::equals).isPresent();
    }

    /** Returns whether all managers of the engine's list are reached. */
    public boolean isComplete() {
        return reached.containsAll(managers.listed());
    }

    /** Returns whether most managers gave a sign of life just now. */
    public boolean isMajority() {
        return managers.isMajority(fresh);
    }

    /** Returns how many managers gave a sign of life just now. */
    public int fresh() {
        return fresh.size();
    }

    /** Returns how many managers there are. */
    public int all() {
        return managers.count(fresh);
    }

    /** Returns the time since the managers that are reached changed. */
    public Duration still() {
        return Duration.ofNanos(timer.nanoTime() - changed);
    }
}
