package io.vxseal.lab;

/** What a command left: its exit status (124 when its time ran out) and what it wrote. */
public record Outcome(String command, int exit, String out, String err) {

    /** The exit status of {@code timeout} for a command that it had to end. */
    public static final int TIMED_OUT = 124;

    public boolean ok() {
        return exit == 0;
    }

    /** Standard output without the last newline, if the command succeeded. */
    public String require() {
        if (!ok()) {
            throw new LabException("%s: exit %d%s%n%s%s".formatted(command, exit,
                    exit == TIMED_OUT ? " (its time ran out)" : "", err, out));
        }
        return out.stripTrailing();
    }
}
