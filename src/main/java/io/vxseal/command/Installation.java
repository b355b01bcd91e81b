package io.vxseal.command;

import io.vxseal.check.HostCheck;
import io.vxseal.check.host.PortHolders;
import io.vxseal.engine.EngineApi;
import io.vxseal.engine.InstalledPlugin;
import java.io.IOException;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Where the engine and the plugin have on this host what they have: as the operator's options say, else as the engine says, else where
 * both have it by default.
 *
 * @param ports the plugin's
 * @param plugin the id that the engine gave the plugin; empty if the engine does not say which one it is
 * @param silence why the engine, which has a socket, did not say how the plugin is set; empty if it did, or has none
 */
record Installation(HostCheck.Folders folders, PortHolders.Ports ports, Optional<String> plugin, Optional<String> silence) {
    /** Name of the plugin's socket, as config.json has it. */
    static final String SOCKET = "vxseal.sock";

    /** Folder of plugins' sockets. A managed plugin's socket is in a folder of its own in it. */
    static final Path PLUGINS = Path.of("/run/docker/plugins");

    private static final Path EXEC_ROOT = Path.of("/run/docker");
    private static final Path DATA_ROOT = Path.of("/var/lib/docker");
    private static final String UNIX = "unix://";

    /**
     * Returns where they are.
     *
     * @param socket the plugin's, if there is one: of a plugin that the engine runs, its folder has the id; one that runs by itself is not
     *     the engine's, whatever else that has installed
     */
    static Installation of(Map<String, String> environment, HostOptions options, Optional<Path> socket) {
        Optional<String> id = socket.flatMap(Installation::id);
        List<InstalledPlugin> installed = List.of();
        Optional<String> silence = Optional.empty();
        try {
            installed = plugins(environment);
        } catch (IOException silent) {
            silence = Optional.of("%s: %s".formatted(engineSocket(environment), silent.getMessage()));
        }
        Optional<InstalledPlugin> plugin = socket.isPresent()
                ? installed.stream().filter(each -> id.filter(each.id()::equals).isPresent()).findFirst()
                : InstalledPlugin.only(installed);
        Map<String, String> settings = plugin.map(InstalledPlugin::settings).orElse(Map.of());
        Path plugins = path(settings, "run.source").orElse(PLUGINS);
        Path swarm = options.dataRoot.map(Installation::swarm)
                .or(() -> path(settings, "swarm.source"))
                .or(() -> dataRoot(environment).map(Installation::swarm))
                .orElse(swarm(DATA_ROOT));
        return new Installation(
                new HostCheck.Folders(plugins, swarm, path(settings, "execroot.source").orElse(EXEC_ROOT).resolve("netns"),
                        plugins.resolve("vxseal.run/netns")),
                new PortHolders.Ports(port(options.vxlanPort, settings.getOrDefault("VXSEAL_VXLAN_PORT", ""), 4789),
                        port(options.clusterPort, settings.getOrDefault("VXSEAL_CLUSTER_PORT", ""), 4788)),
                plugin.map(InstalledPlugin::id).or(() -> id),
                silence);
    }

    /** Returns the socket of the plugin that is installed, where its settings have it; empty if the engine does not say which one it is. */
    static Optional<Path> socket(Map<String, String> environment) {
        try {
            return InstalledPlugin.only(plugins(environment))
                    .map(plugin -> path(plugin.settings(), "run.source").orElse(PLUGINS).resolve(plugin.id()).resolve(SOCKET));
        } catch (IOException silent) {
            return Optional.empty();
        }
    }

    /** Returns the id in the name of a socket's folder, which an operator may have named by a link or relative to another. */
    private static Optional<String> id(Path socket) {
        Path file;
        try {
            file = socket.toRealPath();
        } catch (IOException absent) {
            file = socket.toAbsolutePath().normalize();
        }
        return Optional.ofNullable(file.getParent())
                .map(Path::getFileName).map(Path::toString).filter(name -> name.matches("\\p{XDigit}{64}"));
    }

    private static List<InstalledPlugin> plugins(Map<String, String> environment) throws IOException {
        return ask(environment, EngineApi::plugins).orElse(List.of()).stream().filter(plugin -> plugin.socket().equals(SOCKET)).toList();
    }

    private static Optional<Path> dataRoot(Map<String, String> environment) {
        try {
            return ask(environment, EngineApi::dataRoot);
        } catch (IOException silent) {
            return Optional.empty();
        }
    }

    /** A question to the engine. */
    private interface Question<T> {
        T ask(EngineApi engine) throws IOException;
    }

    /** Returns the engine's answer; empty if it has no socket. */
    private static <T> Optional<T> ask(Map<String, String> environment, Question<T> question) throws IOException {
        Path socket = engineSocket(environment);
        if (!EngineApi.isSocket(socket)) {
            return Optional.empty();
        }
        try (EngineApi engine = new EngineApi(socket)) {
            return Optional.of(question.ask(engine));
        } catch (RuntimeException failure) {
            throw new IOException("it cannot be asked: " + failure.getMessage(), failure);
        }
    }

    /** Returns the socket of this host's engine: the one in DOCKER_HOST, if it is one, else the one by default. */
    static Path engineSocket(Map<String, String> environment) {
        String host = environment.getOrDefault("DOCKER_HOST", "");
        return (host.startsWith(UNIX) ? path(host.substring(UNIX.length())) : Optional.<Path>empty()).orElse(Path.of("/run/docker.sock"));
    }

    private static Path swarm(Path dataRoot) {
        return dataRoot.resolve("swarm");
    }

    private static Optional<Path> path(Map<String, String> settings, String name) {
        return path(settings.getOrDefault(name, ""));
    }

    /** Returns a path; empty if it is none, as one with letters that the locale has not. */
    private static Optional<Path> path(String value) {
        try {
            return Optional.of(value).filter(text -> !text.isEmpty()).map(Path::of);
        } catch (InvalidPathException foreign) {
            return Optional.empty();
        }
    }

    /** Returns a port as given, else as set, unless that is no port and the plugin does not start, else by default. */
    private static int port(Optional<Integer> given, String set, int usual) {
        return given.orElseGet(() -> Stream.of(set).filter(value -> value.matches("[0-9]{1,5}")).mapToInt(Integer::parseInt)
                .filter(value -> value > 0 && value <= 65535).findFirst().orElse(usual));
    }
}
