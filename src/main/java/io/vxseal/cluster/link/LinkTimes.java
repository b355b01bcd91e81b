package io.vxseal.cluster.link;

import java.time.Duration;

/**
 * Times of sessions.
 *
 * @param handshake within which a connection becomes a session: TCP, TLS and the HTTP request. Long, as a node under
 *     software emulation takes seconds for its first handshake
 * @param keepAlive interval of frames in each direction when nothing else is sent
 * @param silence without a whole frame after which a session is closed; so a cut connection is noticed
 */
public record LinkTimes(Duration handshake, Duration keepAlive, Duration silence) {
    public static final LinkTimes DEFAULT =
            new LinkTimes(Duration.ofSeconds(15), Duration.ofSeconds(4), Duration.ofSeconds(13));

    /** Interval at which sessions are checked against these times. */
    static final long TICK_MILLIS = 500;
}
