package io.vxseal.cluster.link;

import io.vxseal.swarm.NodeName;
import java.time.Duration;
import java.util.Optional;

/** A session with another process over mutual TLS, after the certificate was checked. All methods return at once. */
public interface Connection {
    /** Returns the name in the peer's certificate. */
    NodeName peer();

    /** Returns whether the session has ended; its listener is called after that. */
    boolean hasEnded();

    /** Returns when the last octet of any kind came from the peer, as of {@link System#nanoTime}. */
    long lastReceived();

    /** Returns by how much the peer's wall clock was ahead of ours when it last sent its time, negative if behind; empty before that. */
    Optional<Duration> clockAhead();

    /**
     * Queues a message.
     *
     * @return false if the queue is full and the message was dropped; {@link ConnectionListener#drained} follows when there
     *     is room. False as well once the connection is closed
     * @throws IllegalArgumentException if the message is larger than {@link Messages#MAX_OCTETS}
     */
    boolean send(byte[] message);

    /**
     * Counts a delivered message as not handled yet. With too many of them nothing more is read from the peer, until they are
     * {@linkplain #release released}.
     */
    void hold(int octets);

    /** Notes that a message is handled for which {@link #hold} was called. */
    void release(int octets);

    /** Closes the session and sends the peer the reason; drops what is still queued. */
    void close(String reason);
}
