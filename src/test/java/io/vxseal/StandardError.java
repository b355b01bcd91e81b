package io.vxseal;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;

/** Capture of standard error, and so of the log, while this is open. Nothing of it is shown. */
public final class StandardError implements AutoCloseable {
    private final ByteArrayOutputStream said = new ByteArrayOutputStream();
    private final PrintStream before = System.err;

    /** Listens from now on. */
    public StandardError() {
        System.setErr(new PrintStream(said, true, StandardCharsets.UTF_8));
    }

    /** Returns everything captured so far. */
    public String said() {
        return said.toString(StandardCharsets.UTF_8);
    }

    @Override
    public void close() {
        System.setErr(before);
    }
}
