package io.vxseal.cluster.link;

import io.vxseal.swarm.Role;

/** Bounds on the messages of a session. */
public final class Messages {
    /** Largest message that a hub sends, or a manager to a hub. */
    public static final int MAX_OCTETS = 1 << 20;

    /** Largest message that a hub accepts from a worker. */
    public static final int MAX_OCTETS_FROM_WORKER = 256 << 10;

    private Messages() {}

    /** Returns the size of the largest message that a hub accepts from a node of this role. */
    public static int maxOctetsFrom(Role role) {
        return role == Role.MANAGER ? MAX_OCTETS : MAX_OCTETS_FROM_WORKER;
    }
}
