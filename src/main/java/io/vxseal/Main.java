package io.vxseal;

import io.vxseal.command.Command;
import io.vxseal.plugin.Json;
import io.vxseal.plugin.PluginSocket;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Map;

/** Entry point of the process. */
public final class Main {
    private Main() {}

    /** Runs a command, or without arguments the plugin until it is stopped, with {@link Settings} from the environment. */
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
        // Both the server and the driver need it, and it takes longest to load.
        Thread.ofPlatform().name("vxseal-json").start(Json::preload);
        try {
            Wiring.run(environment, PluginSocket.at(socket));
        } catch (IOException failure) {
            System.err.println("vxseal: cannot listen on " + socket + ": " + failure.getMessage());
            System.exit(1);
        }
    }
}
