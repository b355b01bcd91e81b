package io.vxseal.cluster.link;

import java.time.Duration;

/**
 * Times of sessions.
 *
 * @param handshake within which a connection becomes a session while places are scarce: TCP, TLS and the HTTP request
 * @param patience within which it does otherwise. Long, as a node on a busy machine takes many seconds for its first handshake, and one that is
 *     cut off begins anew
 * @param keepAlive interval of frames in each direction when nothing else is sent
 * @param silence without a whole frame after which a session is closed; so a cut connection is noticed
 * @param stalled time for which a peer may not take what it is sent
 */
public record LinkTimes(Duration handshake, Duration patience, Duration keepAlive, Duration silence, Duration stalled) {
    public static final LinkTimes DEFAULT = new LinkTimes(Duration.ofSeconds(15), Duration.ofSeconds(60),
            Duration.ofSeconds(4), Duration.ofSeconds(13), Duration.ofSeconds(30));

    /** Interval at which sessions are checked against these times. */
    static final long TICK_MILLIS = 500;
}
