package io.vxseal.kernel.firewall;

import java.io.IOException;

/** A firewall rule could not be put in place or taken away. The message says which, why, and what to do about it. */
public class FirewallException extends IOException {
    /** Characters of a message, so that no log or status carries more than a line. */
    private static final int LIMIT = 300;

    FirewallException(String message) {
        super(shortened(message, LIMIT));
    }

    FirewallException(String message, Throwable cause) {
        super(shortened(message, LIMIT), cause);
    }

    /** The text on one line and within so many characters. */
    static String shortened(String text, int limit) {
        String line = text.strip().replaceAll("\\s+", " ");
        return line.length() <= limit ? line : line.substring(0, limit - 1) + "…";
    }
}
