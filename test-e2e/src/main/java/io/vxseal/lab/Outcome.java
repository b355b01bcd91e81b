package io.vxseal.lab;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;

/** The result of a command: its exit status (124 after a timeout) and its output. */
public record Outcome(String command, int exit, String out, String err) {

    /** The exit status of {@code timeout} for a command that it had to end. */
    public static final int TIMED_OUT = 124;

    private static final ObjectMapper JSON = new ObjectMapper();

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

    /** Returns the standard output as JSON, also of a command that failed. */
    public JsonNode json() {
        try {
            return JSON.readTree(out);
        } catch (JsonProcessingException e) {
            throw new LabException("no JSON: " + this, e);
        }
    }
}
