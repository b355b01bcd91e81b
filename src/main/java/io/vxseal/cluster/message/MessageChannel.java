package io.vxseal.cluster.message;

import io.vxseal.swarm.NodeName;
import java.time.Duration;
import java.util.Optional;

/** The way to the other end of a session, after its certificate was checked. */
public interface MessageChannel {
    /** Returns who the other end is, by its certificate. */
    NodeName peer();

    /**
     * Sends a message, or drops it where the queue is full; the sender is called when there is room again.
     *
     * @return whether it will be sent
     */
    boolean send(Message message);

    /** Ends the session. */
    void close(String reason);

    /** Returns when the other end last gave a sign of life, by the clock of {@link Timer#nanoTime()}. */
    long lastReceived();

    /** Returns by how much the other end's wall clock is ahead of ours, negative if it is behind; empty if that is not known. */
    default Optional<Duration> clockAhead() {
        return Optional.empty();
    }
}
