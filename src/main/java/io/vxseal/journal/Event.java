package io.vxseal.journal;

import java.time.Instant;
import java.util.Locale;
import java.util.regex.Pattern;

/**
 * Something that happened on this node.
 *
 * @param number one more than that of the event before
 * @param subject what it happened to: a node, a network, a place; empty for this node
 * @param text on one line
 */
public record Event(long number, Instant time, Kind kind, String subject, String text) {
    /** Characters kept of one line: a tool may print all rules of the host, and a caller may send anything. */
    private static final int MAX_LINE = 300;

    /** Blanks and characters that are not shown: they could forge lines, or what a terminal shows. */
    private static final Pattern BLANKS = Pattern.compile("[\\s\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}]+");

    /** Returns a message on one line, shortened if it is long. */
    public static String line(String message) {
        String whole = String.valueOf(message);
        // A ruleset may be megabytes: look at no more than may be kept.
        boolean cut = whole.length() > 2 * MAX_LINE;
        String line = BLANKS.matcher(cut ? whole.substring(0, 2 * MAX_LINE) : whole).replaceAll(" ").strip();
        return line.length() > MAX_LINE ? line.substring(0, MAX_LINE - 1) + "…" : cut ? line + "…" : line;
    }


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
