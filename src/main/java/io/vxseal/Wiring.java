package io.vxseal;

import io.vxseal.cluster.Cluster;
import io.vxseal.encryption.Encryption;
import io.vxseal.encryption.NodePlan;
import io.vxseal.kernel.Firewall;
import io.vxseal.kernel.Namespace;
import io.vxseal.kernel.Route;
import io.vxseal.kernel.Tmpfs;
import io.vxseal.kernel.Xfrm;
import io.vxseal.overlay.Driver;
import io.vxseal.overlay.DriverException;
import io.vxseal.overlay.Host;
import io.vxseal.overlay.Memory;
import io.vxseal.plugin.PluginServer;
import io.vxseal.state.StateFile;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The one place where the rooms are put together. */
final class Wiring {
    /** Within what a Join may take: the engine gives a container 20 s to attach. */
    private static final Duration JOIN_PATIENCE = Duration.ofSeconds(8);

    /** Nodes find each other within seconds after a restart; states towards one that does not are kept this long. */
    private static final Duration LINGER = Duration.ofSeconds(90);

    private Wiring() {}

    static void run(Map<String, String> environment) {
        try {
            Settings settings = Settings.of(environment);
            System.setProperty("org.slf4j.simpleLogger.defaultLogLevel", settings.logLevel());
            System.setProperty("org.slf4j.simpleLogger.showThreadName", "false");
            quiet(settings.logLevel());
            System.setProperty("org.slf4j.simpleLogger.showShortLogName", "true");
            start(settings);
        } catch (IllegalArgumentException | IOException | DriverException failure) {
            System.err.println("vxseal: " + failure.getMessage());
            System.exit(1);
        }
    }

    /** Libraries speak of their own insides; what an operator needs to know of them, this program says itself. */
    private static void quiet(String level) {
        if (!level.equals("debug") && !level.equals("trace")) {
            for (String library : List.of("org.jgroups", "org.eclipse.jetty", "io.javalin")) {
                System.setProperty("org.slf4j.simpleLogger.log." + library, "warn");
            }
            // Two nodes that connect to each other at once each close one of the two connections, and log it as an error.
            System.setProperty("org.slf4j.simpleLogger.log.org.jgroups.protocols.TCP", "off");
        }
    }

    private static void start(Settings settings) throws IOException, DriverException {
        Logger log = LoggerFactory.getLogger(Wiring.class);
        Namespace own = Namespace.own();
        Host host = new Host(own, Route.in(own), settings.state().resolve("netns"), settings.vxlanPort());
        Encryption encryption = new Encryption(Xfrm.in(own), settings.vxlanPort());
        StateFile<Memory> memory = new StateFile<>(settings.state().resolve("state.json"), Memory.class);
        Cluster.Settings cluster = new Cluster.Settings(
                settings.swarm().resolve("certificates"),
                settings.swarm().resolve("state.json"),
                settings.clusterPort(),
                settings.keyRotation(),
                ringFolder(settings, log));
        Driver driver = new Driver(
                host,
                encryption,
                transport -> Firewall.choose(transport, settings.vxlanPort(), NodePlan.MARK, List.of()),
                memory,
                JOIN_PATIENCE,
                listener -> new Cluster(cluster, listener));
        driver.recover();
        PluginServer server = PluginServer.start(driver);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            server.close();
            driver.close();
        }));
        Thread.startVirtualThread(() -> forgetLingering(driver, log));
        log.info("vxseal {} is up", version());
    }

    /** Keys never reach a disk, so they outlive this process in memory or not at all. */
    private static Optional<Path> ringFolder(Settings settings, Logger log) {
        Path folder = settings.state().resolve("ring");
        try {
            Tmpfs.mount(folder);
            return Optional.of(folder);
        } catch (IOException failure) {
            log.warn("after a crash of this process the keys have to come from the other nodes: {}", failure.getMessage());
            return Optional.empty();
        }
    }

    private static void forgetLingering(Driver driver, Logger log) {
        try {
            Thread.sleep(LINGER);
            driver.forgetLingering();
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
        } catch (DriverException failure) {
            log.error("could not remove states towards nodes that are gone: {}", failure.getMessage());
        }
    }

    private static String version() {
        String version = Wiring.class.getPackage().getImplementationVersion();
        return version == null ? "(not packaged)" : version;
    }
}
