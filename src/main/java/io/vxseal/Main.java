package io.vxseal;

import io.vxseal.plugin.Door;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;

/** Where the process starts. */
public final class Main {
    private Main() {}

    /** Runs the plugin until it is stopped. Everything is set by the environment: see {@link Settings}. */
    public static void main(String[] args) {
        if (args.length > 0) {
            System.err.println("vxseal takes no arguments, got: " + String.join(" ", args));
            System.exit(2);
        }
        Map<String, String> environment = System.getenv();
        Path socket = Settings.socket(environment);
        try {
            // Before anything else of this program is loaded: the engine waits for a listening socket, and not for long.
            Door.open(socket);
        } catch (IOException failure) {
            System.err.println("vxseal: cannot listen on " + socket + ": " + failure.getMessage());
            System.exit(1);
        }
        Wiring.run(environment);
    }
}
