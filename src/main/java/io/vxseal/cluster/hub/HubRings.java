package io.vxseal.cluster.hub;

import io.vxseal.cluster.message.RingMark;
import io.vxseal.cluster.message.Timer;
import io.vxseal.cluster.refusal.Refusal;
import io.vxseal.cluster.refusal.RefusedException;
import io.vxseal.cluster.ring.Rings;
import io.vxseal.swarm.Role;

/** The ring at a hub: rings that nodes bring, and which nodes may have it. Pure, one thread. */
final class HubRings {
    private final String self;
    private final Timer timer;
    private final Rings rings;
    private final HubSessions sessions;
    private final HubReadiness readiness;

    HubRings(String self, Timer timer, Rings rings, HubSessions sessions, HubReadiness readiness) {
        this.self = self;
        this.timer = timer;
        this.rings = rings;
        this.sessions = sessions;
        this.readiness = readiness;
    }

    /**
     * Takes a ring. This node's own session and a ring that the hub has or had lately cost nothing, and are not counted: a node that returns one
     * is a moment behind.
     */
    void take(HubSession session, byte[] octets) throws RefusedException {
        if (session.node().equals(self) || rings.has(octets)) {
            return;
        }
        if (!rings.hadLately(octets) && !session.mayBringRing(timer.nanoTime())) {
            throw new RefusedException(Refusal.RING_RATE, "another ring");
        }
        rings.take(octets);
    }

    /** Takes which ring a node has, and whether it wants another one. */
    void takeMark(HubSession session, RingMark ring, boolean rotate) {
        session.ring = ring;
        if (rotate) {
            rings.onRotationRequest(ring);
        }
    }

    /**
     * Returns whether a node may have the ring. One that may have been removed gets none until it is on the list of managers or shows a worker's
     * certificate: else it had keys of rings that its removal causes. A hub that starts gives workers none before it has heard from the others
     * which nodes were removed.
     */
    boolean mayHave(HubSession session) {
        return !session.left && !sessions.isUnlistedManager(session) && (readiness.isReady() || sessions.role(session) == Role.MANAGER);
    }
}
