package io.vxseal.cluster.message;

import io.vxseal.swarm.NodeName;

/** The way to the other end of a session, after its certificate was checked. */
public interface MessageChannel {
    /** Returns who the other end is, by its certificate. */
    NodeName peer();

    /**
     * Sends a message, or drops it where the queue is full; the sender hears when there is room again.
     *
     * @return whether it will be sent
     */
    boolean send(Message message);

    /** Ends the session. */
    void close(String reason);

    /** Returns when the other end last gave a sign of life, by the clock of {@link Timer#nanoTime()}. */
    long lastReceived();
}
