package io.vxseal.cluster.link;

/**
 * Receives the events of connections. Calls about one connection come one at a time, in order, on threads that all
 * sessions share: an implementation returns quickly and never waits.
 */
public interface ConnectionListener {
    /** Reports a new connection; the first call about it. */
    void opened(Connection connection);

    /** Delivers a message. */
    void received(Connection connection, byte[] message);

    /** Reports that there is room in the queue again, after {@link Connection#send} returned false. */
    void drained(Connection connection);

    /** Reports the end of a connection; the last call about it. */
    void closed(Connection connection, String reason);
}
