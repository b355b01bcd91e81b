package io.vxseal.overlay.watch;

import java.time.Instant;
import java.util.Locale;

/**
 * Trouble that lasts until somebody or something ends it.
 *
 * @param subject of several of one kind: the node's address, the network, or the obstacle's description; empty if there is one at most
 * @param text what is wrong and what to do, on one line
 * @param since when it was first observed
 */
public record Condition(Kind kind, String subject, String text, Instant since) {

    /** A kind of trouble. */
    public enum Kind {
        /** No session with any manager. */
        NO_HUB(8),
        /** An encrypted network here, and no keys. */
        KEYS_MISSING(20),
        /** Keys that should have been rotated. */
        KEYS_OVERDUE(0),
        /** Packets sealed for a node, and none back; or no answer from any of its containers. */
        PATH_SILENT(0),
        /** A path to a node that carries less than a network here promises, by its route or as packets show that are lost. */
        PATH_MTU(0),
        /** A wall clock that differs from a manager's. */
        CLOCK(8),
        /** A network that could not be created or joined here. */
        REFUSED(0),
        /** Something on this host that keeps packets from being sealed or opened, such as a foreign policy. */
        OBSTACLE(8);

        private final int patience;

        /** @param patience seconds that it has to last before it counts */
        Kind(int patience) {
            this.patience = patience;
        }

        int patience() {
            return patience;
        }

        /** Returns the name for programs. */
        public String id() {
            return name().toLowerCase(Locale.ROOT);
        }
    }
}
