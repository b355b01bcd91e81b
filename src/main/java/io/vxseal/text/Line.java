package io.vxseal.text;

import java.util.regex.Pattern;

/** Text of callers, tools and other nodes, made fit for one line of a log, a table or a terminal. */
public final class Line {
    /** Characters kept of a line: a tool may print all rules of the host, and a caller may send anything. */
    public static final int LONGEST = 300;

    /** Characters that are not shown: they could forge lines, or what a terminal shows. */
    private static final Pattern HIDDEN = Pattern.compile("[\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}]+");

    private static final Pattern BLANKS = Pattern.compile("\\s+");

    private Line() {}

    /** Returns the text with a blank in place of each run of characters that are not shown. */
    public static String visible(String text) {
        return HIDDEN.matcher(text).replaceAll(" ");
    }

    /** Returns a message on one line, without blanks at its ends or in a row, shortened if it is long. */
    public static String of(String message) {
        String whole = String.valueOf(message);
        // A ruleset may be megabytes: look at no more than may be kept.
        boolean cut = whole.length() > 2 * LONGEST;
        String line = BLANKS.matcher(visible(cut ? whole.substring(0, 2 * LONGEST) : whole)).replaceAll(" ").strip();
        return line.length() > LONGEST ? line.substring(0, LONGEST - 1) + "…" : cut ? line + "…" : line;
    }
}
