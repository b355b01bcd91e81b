package io.vxseal.cluster.hub;

import io.vxseal.cluster.message.Timer;
import java.time.Duration;
import java.util.Collection;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Rounds in which a hub takes what nodes announced and sends what changed: the changes of a moment are sent together.
 *
 * <p>Pure, one thread.
 */
final class SendRounds {
    private static final Logger LOG = LoggerFactory.getLogger(SendRounds.class);

    /** Changes of this time are sent together. */
    private static final Duration BATCH = Duration.ofMillis(10);

    private final Timer timer;
    private final HubSessions sessions;
    private final Subscriptions subscriptions;
    private final Announcements announcements;
    private final HubReadiness readiness;
    private final HubSession.Source source;
    private boolean scheduled;

    SendRounds(Timer timer, HubSessions sessions, Subscriptions subscriptions, Announcements announcements, HubReadiness readiness,
            HubSession.Source source) {
        this.timer = timer;
        this.sessions = sessions;
        this.subscriptions = subscriptions;
        this.announcements = announcements;
        this.readiness = readiness;
        this.source = source;
    }

    /** Has a session looked at in the next round. */
    void touch(HubSession session) {
        sessions.touch(session);
        schedule();
    }

    /** Has sessions looked at in the next round. */
    void touch(Collection<HubSession> some) {
        sessions.touch(some);
        schedule();
    }

    /** Has changed records sent to subscribers, and to the nodes themselves which claims have no effect. */
    void changed(Set<String> nodes) {
        for (String node : nodes) {
            sessions.touch(subscriptions.changed(node));
            announcements.report(node);
        }
        schedule();
    }

    private void schedule() {
        if (!scheduled) {
            scheduled = true;
            timer.after(BATCH, this::run);
        }
    }

    private void run() {
        scheduled = false;
        for (HubSession session : sessions.touched()) {
            announcements.takeDue(session, this::touch).ifPresent(this::changed);
        }
        synchronize();
        sessions.touch(subscriptions.directChanged());
        sessions.takeTouched().forEach(this::flush);
        subscriptions.endOfRound();
    }

    /** Begins to send records once the other hubs have sent theirs. */
    void synchronize() {
        if (readiness.becomesReady()) {
            touch(sessions.all());
        }
    }

    /** Sends to one session. An error ends that session and no other, which would not be sent anything either. */
    private void flush(HubSession session) {
        try {
            session.flush(source, readiness.isReady());
        } catch (RuntimeException failure) {
            LOG.error("cannot send changes to node {}, closing its session", session.node(), failure);
            session.channel.close("internal error of the hub");
        }
    }
}
