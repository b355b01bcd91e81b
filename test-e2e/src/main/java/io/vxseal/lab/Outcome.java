package io.vxseal.lab;

/** The result of a command: its exit status (124 after a timeout) and its output. */
public record Outcome(String command, int exit, String out, String err) {

    /** The exit status of {@code timeout} for a command that it had to end. */
    public static final int TIMED_OUT = 124;

    public boolean ok() {
        return exit == 0;
    }

    /** Returns the standard output without the last newline, if the command succeeded. */
    public String require() {
        if (!ok()) {
            throw new LabException("%s: exit %d%s%n%s%s".formatted(command, exit,
                    exit == TIMED_OUT ? " (its time ran out)" : "", err, out));
        }
        return out.stripTrailing();
    }
}
