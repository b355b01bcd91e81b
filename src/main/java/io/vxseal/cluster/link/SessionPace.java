package io.vxseal.cluster.link;

import io.vxseal.swarm.Role;

/** Pace at which a hub reads a session's frames. Nothing is dropped: a peer that floods waits. Not thread-safe. */
final class SessionPace implements Session.Pace {
    private final TokenBucket frames;
    private final TokenBucket octets;

    private SessionPace(double framesPerSecond, double frameBurst, double octetsPerSecond, double octetBurst, long now) {
        frames = new TokenBucket(framesPerSecond, frameBurst, now);
        octets = new TokenBucket(octetsPerSecond, octetBurst, now);
    }

    /** Returns the pace for a node of this role: managers pass on the records of all nodes, workers send their own. */
    static SessionPace of(Role role, long now) {
        return role == Role.MANAGER
                ? new SessionPace(5_000, 20_000, 32 << 20, 64 << 20, now)
                : new SessionPace(100, 256, 1 << 20, 2 << 20, now);
    }

    @Override
    public long frame(int size, long now) {
        frames.take(1, now);
        octets.take(size, now);
        return Math.max(frames.nanosInDebt(now), octets.nanosInDebt(now));
    }
}
