package io.vxseal.command;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import picocli.CommandLine;

/** Options that say where the plugin and the engine are on this host, for commands that check it. The engine is asked for those that are not given. */
final class HostOptions {
    @CommandLine.Option(
            names = "--vxlan-port",
            description = "The plugin's UDP port. Without it: that of the plugin installed (VXSEAL_VXLAN_PORT), or 4789.",
            paramLabel = "PORT")
    Optional<Integer> vxlanPort = Optional.empty();

    @CommandLine.Option(
            names = "--cluster-port",
            description = "The plugins' TCP port. Without it: that of the plugin installed (VXSEAL_CLUSTER_PORT), or 4788.",
            paramLabel = "PORT")
    Optional<Integer> clusterPort = Optional.empty();

    @CommandLine.Option(
            names = "--data-root",
            description = "The engine's data root. Without it: as the engine says, or /var/lib/docker.",
            paramLabel = "FOLDER")
    Optional<Path> dataRoot = Optional.empty();

    /** @throws CommandLine.ParameterException if a port or the data root is none */
    void requireValid(CommandLine command) {
        requirePort(command, "--vxlan-port", vxlanPort);
        requirePort(command, "--cluster-port", clusterPort);
        dataRoot.filter(folder -> !Files.isDirectory(folder)).ifPresent(folder -> {
            throw new CommandLine.ParameterException(command,
                    "invalid --data-root \"%s\": no folder is seen there: want what docker info calls Docker Root Dir".formatted(folder));
        });
    }

    private static void requirePort(CommandLine command, String name, Optional<Integer> port) {
        port.filter(number -> number < 1 || number > 65535).ifPresent(number -> {
            throw new CommandLine.ParameterException(command, "invalid %s \"%d\": want 1 to 65535".formatted(name, number));
        });
    }
}
