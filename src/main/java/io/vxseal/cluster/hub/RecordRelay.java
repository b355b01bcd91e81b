package io.vxseal.cluster.hub;

import io.vxseal.cluster.message.Timer;
import io.vxseal.cluster.refusal.Refusal;
import io.vxseal.cluster.refusal.RefusalListener;
import java.time.Duration;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Passing of changed records to the sessions that subscribed to their networks, at a rate that each node's record may change: whichever session
 * or other hub the changes come from. Beyond it a record waits, and a later one replaces it; its end does not wait.
 *
 * <p>A change of an honest node comes from its own session, and again from other hubs where these admitted a claim earlier, so
 * the rate is higher than that of one session.
 *
 * <p>Pure, one thread.
 */
final class RecordRelay {
    /** Times the rate at which one session may announce. */
    private static final int TIMES = 2;

    private final Timer timer;
    private final RefusalListener refusals;
    private final HubSessions sessions;
    private final Subscriptions subscriptions;
    private final RecordRates rates = new RecordRates(TIMES);
    /** Nodes whose record changed, and was not passed since. */
    private final Set<String> changed = new LinkedHashSet<>();
    private final Set<String> heldBack = new HashSet<>();

    RecordRelay(Timer timer, RefusalListener refusals, HubSessions sessions, Subscriptions subscriptions) {
        this.timer = timer;
        this.refusals = refusals;
        this.sessions = sessions;
        this.subscriptions = subscriptions;
    }

    /** Has the records of nodes passed in the next round. */
    void add(Set<String> nodes) {
        changed.addAll(nodes);
    }

    /**
     * Marks the sessions to which records have to be sent that may be.
     *
     * @param whenDue called when it is the turn of a record that was held back
     */
    void pass(Runnable whenDue) {
        for (String node : List.copyOf(changed)) {
            Optional<Integer> octets = subscriptions.octets(node);
            Duration wait = octets.isEmpty() ? Duration.ZERO : rates.untilNext(node, timer.nanoTime());
            if (wait.isZero()) {
                changed.remove(node);
                pass(node, octets.orElse(0));
            } else if (heldBack.add(node)) {
                refusals.refused(Refusal.RECORD_RATE, node, "not passed on for %d ms".formatted(wait.toMillis()));
                timer.after(wait, () -> {
                    heldBack.remove(node);
                    whenDue.run();
                });
            }
        }
    }

    private void pass(String node, int octets) {
        Set<HubSession> affected = subscriptions.changed(node);
        if (!affected.isEmpty()) {
            rates.count(node, octets, timer.nanoTime());
            sessions.touch(affected);
        }
    }

    /** Forgets the rates of nodes that are quiet; to be called each second. */
    void forgetIdle() {
        rates.forgetIdle(timer.nanoTime());
    }
}
