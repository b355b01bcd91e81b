package io.vxseal.cluster.hub;

import io.vxseal.cluster.message.RingMark;
import io.vxseal.cluster.message.Timer;
import io.vxseal.cluster.refusal.Refusal;
import io.vxseal.cluster.refusal.RefusedException;
import io.vxseal.cluster.ring.Rings;

/** The ring at a hub: rings that nodes bring, and which nodes may have it. Pure, one thread. */
final class HubRings {
    private final String self;
    private final Timer timer;
    private final Rings rings;
    private final HubSessions sessions;

    HubRings(String self, Timer timer, Rings rings, HubSessions sessions) {
        this.self = self;
        this.timer = timer;
        this.rings = rings;
        this.sessions = sessions;
    }

    /** Takes a ring. This node's own session and a ring that the hub has cost nothing, and are not counted. */
    void take(HubSession session, byte[] octets) throws RefusedException {
        if (session.node().equals(self) || rings.has(octets)) {
            return;
        }
        if (!session.mayBringRing(timer.nanoTime())) {
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
     * certificate: else it had keys of rings that its removal causes.
     */
    boolean mayHave(HubSession session) {
        return !session.left && !sessions.isUnlistedManager(session);
    }
}
