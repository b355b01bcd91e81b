package io.vxseal.command;

import java.nio.file.Path;
import picocli.CommandLine;

/** Options that say where the plugin and the engine are on this host, for commands that check it. */
final class HostOptions {
    @CommandLine.Option(
            names = "--vxlan-port",
            description = "The plugin's UDP port (VXSEAL_VXLAN_PORT); ${DEFAULT-VALUE} by default.",
            defaultValue = "4789",
            paramLabel = "PORT")
    int vxlanPort;

    @CommandLine.Option(
            names = "--cluster-port",
            description = "The plugins' TCP port (VXSEAL_CLUSTER_PORT); ${DEFAULT-VALUE} by default.",
            defaultValue = "4788",
            paramLabel = "PORT")
    int clusterPort;

    @CommandLine.Option(
            names = "--data-root",
            description = "The engine's data root; ${DEFAULT-VALUE} by default.",
            defaultValue = "/var/lib/docker",
            paramLabel = "FOLDER")
    Path dataRoot;

    /** @throws CommandLine.ParameterException if a port is none */
    void requireValid(CommandLine command) {
        requirePort(command, "--vxlan-port", vxlanPort);
        requirePort(command, "--cluster-port", clusterPort);
    }

    private static void requirePort(CommandLine command, String name, int port) {
        if (port < 1 || port > 65535) {
            throw new CommandLine.ParameterException(command, "invalid %s \"%d\": want 1 to 65535".formatted(name, port));
        }
    }
}
