package io.vxseal.kernel.firewall;

import java.io.IOException;

/** A firewall command that failed. The message names the step, the reason and the remedy. */
public class FirewallException extends IOException {
    /** Longest message in characters, to keep logs and status to a line. */
    private static final int LIMIT = 300;

    FirewallException(String message) {
        super(shortened(message, LIMIT));
    }

    FirewallException(String message, Throwable cause) {
        super(shortened(message, LIMIT), cause);
    }

    /** Returns the text on one line, cut to the limit in characters. */
    static String shortened(String text, int limit) {
        String line = text.strip().replaceAll("\\s+", " ");
        return line.length() <= limit ? line : line.substring(0, limit - 1) + "…";
    }
}
