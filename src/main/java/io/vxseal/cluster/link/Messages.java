package io.vxseal.cluster.link;

/** Bounds on the messages of a session. */
public final class Messages {
    /** Largest message, in either direction. */
    public static final int MAX_OCTETS = 1 << 20;

    private Messages() {}
}
