package io.vxseal.cluster.link;

import io.vxseal.cluster.refusal.Refusal;
import io.vxseal.cluster.refusal.RefusedException;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The sessions of a hub or client: one per node id, of which the newer replaces the older. */
final class Sessions {
    /** A node redials within seconds at most; a flood of one certificate must not keep the hub busy. */
    private static final double SESSIONS_PER_SECOND = 1;

    private static final double BURST = 5;
    private static final int MAX_NODES = 8192;

    private final PeerVerifier verifier;

    /** Guarded by itself, as is {@link #rate}. */
    private final Map<String, Session> byNode = new HashMap<>();

    private final RateLimit<String> rate = new RateLimit<>(SESSIONS_PER_SECOND, BURST, MAX_NODES);

    Sessions(PeerVerifier verifier) {
        this.verifier = verifier;
    }

    /** Checks that this node does not open sessions too fast. */
    void admit(String node) throws RefusedException {
        synchronized (byNode) {
            if (!rate.tryTake(node, System.nanoTime())) {
                throw new RefusedException(Refusal.SESSION_RATE, "another session of " + node);
            }
        }
    }

    /** Starts a session after the one that it replaces has been closed. */
    void start(Session session) {
        Session before;
        synchronized (byNode) {
            before = byNode.put(session.peer().node(), session);
        }
        if (before != null) {
            before.close("replaced by a newer session of the same node");
            before.afterClose(session::start);
        } else {
            session.start();
        }
        // What it is judged by may have changed before it was among those that are judged again.
        judge(session);
    }

    /** Forgets a session that ended, unless another took its place. */
    void remove(Session session) {
        synchronized (byNode) {
            byNode.remove(session.peer().node(), session);
        }
    }

    List<Session> all() {
        synchronized (byNode) {
            return List.copyOf(byNode.values());
        }
    }

    /** Judges all sessions again, and closes those that no longer hold. */
    void recheck() {
        all().forEach(this::judge);
    }

    private void judge(Session session) {
        try {
            verifier.verify(session.verified().chain());
        } catch (RefusedException refused) {
            session.reject(refused);
        }
    }

    /** Sends keep-alives, closes silent sessions and those whose certificate has expired, forgets ended ones. */
    void tick() {
        Instant wallClock = Instant.now();
        for (Session session : all()) {
            if (session.hasEnded()) {
                remove(session);
            } else if (wallClock.isAfter(session.verified().until())) {
                session.reject(new RefusedException(
                        Refusal.CERTIFICATE, "it expired at " + session.verified().until()));
            } else {
                session.tick(System.nanoTime());
            }
        }
        synchronized (byNode) {
            rate.forgetIdle(System.nanoTime());
        }
    }

    void closeAll(String reason) {
        all().forEach(session -> session.close(reason));
    }
}
