package io.vxseal.cluster.link;

/** Reason to refuse a connection, a session or a message. */
public enum Rejection {
    /** One address holds too many connections. */
    CONNECTIONS_OF_SOURCE("too many connections from one address"),
    /** One address opens connections too fast. */
    CONNECTION_RATE("connections from one address come too fast"),
    /** The hub holds too many connections. */
    CONNECTIONS("too many connections"),
    /** A newer connection took the place of one that had not become a session. */
    DISPLACED("an unfinished connection gave way to a newer one"),
    /** A connection did not become a session in time. */
    DEADLINE("no session within the time allowed"),
    /** The TLS handshake failed: no certificate, or one of another swarm or time. */
    HANDSHAKE("TLS handshake failed"),
    /** The HTTP request is not one for a session. */
    REQUEST("not a request for a session"),
    /** The certificate does not hold: expired, of another root or swarm, or not of the role that is needed. */
    CERTIFICATE("certificate does not hold"),
    /** The node may not have a session: it was removed from the swarm. */
    NODE("node may not have a session"),
    /** One certificate opens sessions too fast. */
    SESSION_RATE("sessions of one node come too fast"),
    /** A frame is malformed or larger than allowed. */
    FRAME("malformed or oversized frame"),
    /** Incomplete messages of all sessions take too much memory. */
    MEMORY("incomplete messages take too much memory"),
    /** No whole frame arrived in time: a cut connection or a slow body. */
    SILENCE("no whole frame within the time allowed");

    private final String text;

    Rejection(String text) {
        this.text = text;
    }

    /** Returns the reason in words, for logs and status. */
    public String text() {
        return text;
    }
}
