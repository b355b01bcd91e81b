package io.vxseal.journal;

import java.time.Instant;
import java.util.Locale;

/**
 * Something that happened on this node.
 *
 * @param number one more than that of the event before
 * @param subject what it happened to: a node, a network, a place; empty for this node
 * @param text on one line
 */
public record Event(long number, Instant time, Kind kind, String subject, String text) {
    /** A kind of event. */
    public enum Kind {
        /** The plugin's process started. */
        STARTED,
        /** A network got its links here. */
        NETWORK_UP,
        /** A network lost its links here. */
        NETWORK_DOWN,
        /** Endpoints on other nodes came or went. */
        PEERS,
        /** A node of the swarm came. */
        NODE_JOINED,
        /** A node of the swarm is gone. */
        NODE_LEFT,
        /** A session with a manager's hub began. */
        HUB_REACHED,
        /** A session with a manager's hub ended. */
        HUB_LOST,
        /** Other keys are in force. */
        KEYS,
        /** Something was put back that was missing or changed. */
        REPAIRED,
        /** A call or a repair failed in a way that none of the last errors did. */
        ERROR,
        /** Trouble that lasts began. */
        CONDITION_BEGAN,
        /** Trouble that lasted is over. */
        CONDITION_ENDED;

        /** Returns the name for programs. */
        public String id() {
            return name().toLowerCase(Locale.ROOT);
        }
    }
}
