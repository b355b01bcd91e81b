package io.vxseal.cluster.refusal;

/** Reason to refuse a connection, a session, a message, a ring or a claim. */
public enum Refusal {
    // ---- before a session
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
    /**
     * The node may not have a session: it was removed from the swarm, or shows a manager's certificate and has not been on the list of managers for
     * long.
     */
    NODE("node may not have a session"),
    /** One certificate opens sessions too fast. */
    SESSION_RATE("sessions of one node come too fast"),

    // ---- messages
    /** A frame is malformed or larger than allowed. */
    FRAME("malformed or oversized frame"),
    /** Messages of all sessions that are incomplete or have yet to be handled take too much memory. */
    MEMORY("incomplete messages take too much memory"),
    /** No whole frame arrived in time: a cut connection or a slow body. */
    SILENCE("no whole frame within the time allowed"),
    /** The peer does not take what it is sent. */
    STALLED("nothing taken within the time allowed"),
    /** The octets of a message are none. */
    MALFORMED("malformed message"),
    /** A message has too much of something, or a value out of bounds. */
    BOUNDS("message out of bounds"),
    /** The sender's role does not send such messages. */
    SENDER("message that its sender may not send"),
    /** A record of another node than the session's. */
    FOREIGN_RECORD("record of another node"),
    /** An answer to a recall of a node that has answered, or that names more than a node can have. */
    RECALL("answer to a recall that was not asked for"),
    /** A node changes its record too fast: the newest waits. */
    RECORD_RATE("records of one node come too fast"),

    // ---- rings
    /** The octets are no ring, or not signed by a manager of this swarm. */
    RING("ring that is not a manager's"),
    /** The signature is not the author's: nobody sends that by mistake. */
    RING_SIGNATURE("ring with a forged signature"),
    /** A node brings rings too fast. */
    RING_RATE("rings of one node come too fast"),
    /** The ring's author is no manager any more. */
    RING_AUTHOR("ring of a former manager"),
    /** The ring is older than the one in force. */
    RING_OLD("ring older than the one in force"),
    /** The ring's version is too far ahead of the one in force. */
    RING_VERSION("ring too far ahead"),

    // ---- claims
    /** The VTEP is no unicast address, or of another IP version than the swarm's. */
    CLAIM_BAD_VTEP("claim of a VTEP that no node can have"),
    /** Another live node has the VTEP. */
    CLAIM_VTEP_TAKEN("claim of another node's VTEP"),
    /** The address is outside of the network's subnets. */
    CLAIM_OUTSIDE_SUBNETS("claim of an address outside of the subnets"),
    /** The address is the gateway of a subnet, or its first or last address. */
    CLAIM_RESERVED_ADDRESS("claim of a gateway's or reserved address"),
    /** The MAC address is a group's or all zeros. */
    CLAIM_BAD_MAC("claim of a MAC that no endpoint can have"),
    /** Another endpoint has the address. */
    CLAIM_ADDRESS_TAKEN("claim of another endpoint's address"),
    /** Another endpoint of the network has the MAC address. */
    CLAIM_MAC_TAKEN("claim of another endpoint's MAC"),
    /** Another node has an endpoint with this id. */
    CLAIM_ENDPOINT_TAKEN("claim of another node's endpoint");

    private final String text;

    Refusal(String text) {
        this.text = text;
    }

    /** Returns the reason in words, for logs, status and metrics. */
    public String text() {
        return text;
    }
}
