package io.vxseal;

import io.vxseal.command.Command;
import io.vxseal.plugin.Json;
import io.vxseal.plugin.PluginSocket;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Map;

/** Where the process starts. */
public final class Main {
    private Main() {}

    /** Without arguments, runs the plugin until it is stopped, set by the environment ({@link Settings}). */
    public static void main(String[] args) {
        if (args.length > 0) {
            System.exit(Command.run(
                    new PrintWriter(System.out, true, System.out.charset()),
                    new PrintWriter(System.err, true, System.err.charset()),
                    args));
        }
        Uncaught.handle();
        Map<String, String> environment = System.getenv();
        Path socket = Settings.socket(environment);
        // Meanwhile, for it is the longest to load of what both the server and the driver need.
        Thread.ofPlatform().name("vxseal-json").start(Json::practise);
        try {
            // Before the rest of this program is loaded: the engine waits for a listening socket, and not for long.
            PluginSocket.open(socket);
        } catch (IOException failure) {
            System.err.println("vxseal: cannot listen on " + socket + ": " + failure.getMessage());
            System.exit(1);
        }
        Wiring.run(environment);
    }
}
