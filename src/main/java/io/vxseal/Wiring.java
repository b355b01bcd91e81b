package io.vxseal;

import io.vxseal.cluster.Cluster;
import io.vxseal.encryption.Encryption;
import io.vxseal.kernel.filesystem.Tmpfs;
import io.vxseal.kernel.firewall.FirewallDetector;
import io.vxseal.kernel.monitor.KernelMonitor;
import io.vxseal.kernel.netns.Namespace;
import io.vxseal.kernel.route.Route;
import io.vxseal.kernel.xfrm.Xfrm;
import io.vxseal.overlay.Driver;
import io.vxseal.overlay.DriverException;
import io.vxseal.overlay.Host;
import io.vxseal.overlay.StateStore;
import io.vxseal.plugin.PluginServer;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The one place where the rooms are put together. */
final class Wiring {
    /** Within what a Join may take: the engine gives a container 20 s to attach. */
    private static final Duration JOIN_PATIENCE = Duration.ofSeconds(8);

    /**
     * Nodes find each other within seconds after a restart; states and entries towards one that does not are kept at least
     * this long, and until this node has been in the group for a while; but not for ever.
     */
    private static final Housekeeper.Linger LINGER =
            new Housekeeper.Linger(Duration.ofSeconds(90), Duration.ofSeconds(60), Duration.ofMinutes(10));
    private static final Duration LOOK = Duration.ofSeconds(1);

    /** A plugin that was killed lets go of its locks within moments. */
    private static final Duration PREDECESSOR = Duration.ofSeconds(5);

    /**
     * The engine starts a plugin that ended again at once. One that must not run answers so long why it does not, instead of
     * being started over and over; and looks whether it may by now, which takes another start.
     */
    private static final int REFUSALS = 60;

    /** What others took away without a word of the kernel's is back within ten seconds; comparing takes a fraction of one. */
    private static final Duration REPAIR = Duration.ofSeconds(4);

    /** However often somebody changes the firewall, comparing is not to keep the host busy. */
    private static final Duration REST = Duration.ofMillis(500);

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
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
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

    private static void start(Settings settings) throws IOException, DriverException, InterruptedException {
        Logger log = LoggerFactory.getLogger(Wiring.class);
        // Most of a start is loading. What the server needs and what the driver needs is loaded side by side.
        CompletableFuture<Driver> ready = new CompletableFuture<>();
        CompletableFuture<PluginServer> serving = CompletableFuture.supplyAsync(
                () -> PluginServer.start(ready), Thread.ofPlatform().name("vxseal-server")::start);
        // Before anything of the kernel is looked at or touched.
        Optional<Path> held = SingleInstance.held(settings.run(), settings.swarm(), PREDECESSOR);
        if (held.isPresent()) {
            refuse(settings, held.get(), ready);
        }
        Namespace own = Namespace.own();
        Host host = new Host(own, Route.in(own), settings.run().resolve("netns"), settings.vxlanPort());
        Encryption encryption = new Encryption(Xfrm.in(own), settings.vxlanPort());
        StateStore memory = new StateStore(settings.state(), settings.run());
        Cluster.Settings cluster = new Cluster.Settings(
                settings.swarm().resolve("certificates"),
                settings.swarm().resolve("state.json"),
                settings.clusterPort(),
                settings.keyRotation(),
                settings.replayWindow(),
                ringFolder(settings, log));
        Driver driver = new Driver(
                host,
                encryption,
                new FirewallDetector(settings.firewall(), List.of())::detect,
                memory,
                JOIN_PATIENCE,
                listener -> new Cluster(cluster, listener));
        driver.recover();
        ready.complete(driver);
        PluginServer server = serving.join();
        // The other nodes are told first: a call that is being answered may take longer than the engine waits.
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                driver.close();
            } catch (Throwable failure) {
                log.error("the driver did not end in good order", failure);
            }
            server.close();
        }));
        Thread.ofVirtual().name("vxseal-linger").start(() -> untilStopped(() ->
                new Housekeeper(LOOK, driver.errors()).forgetLingering(driver::isAlone, LINGER, driver::forgetLingering)));
        KernelMonitor watch = KernelMonitor.in(own);
        HeapTrim heap = new HeapTrim();
        // It waits in the kernel, where a virtual thread would keep others from running.
        Thread.ofPlatform().daemon().name("vxseal-repair").start(() -> untilStopped(() ->
                new Housekeeper(REST, driver.errors())
                        .keepRight(() -> watch.await(REPAIR), driver::repair, heap::trim)));
        log.info("vxseal {} is up", PluginServer.version());
    }

    private static void untilStopped(Housekeeper.Waiting work) {
        try {
            work.await();
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
        }
    }

    /**
     * Tells whoever asks that this plugin does not run, and ends; the engine's log has the same words twice, from the plugin
     * and from the engine, which shows its users none.
     */
    private static void refuse(Settings settings, Path held, CompletableFuture<Driver> ready)
            throws IOException, InterruptedException {
        String why = "another vxseal runs on this host, and holds the folder %s: disable the one or the other (docker plugin ls)"
                .formatted(held);
        System.err.println("vxseal: " + why);
        ready.completeExceptionally(DriverException.conflict(why));
        for (int refusals = 0; refusals < REFUSALS; refusals++) {
            Thread.sleep(LOOK);
            if (SingleInstance.held(settings.run(), settings.swarm(), Duration.ZERO).isEmpty()) {
                break;
            }
        }
        System.exit(1);
    }

    /** Keys never reach a disk, so they outlive this process in memory or not at all. */
    private static Optional<Path> ringFolder(Settings settings, Logger log) {
        Path folder = settings.run().resolve("ring");
        try {
            Tmpfs.mount(folder);
            return Optional.of(folder);
        } catch (IOException failure) {
            log.warn("after a crash of this process the keys have to come from the other nodes: {}", failure.getMessage());
            return Optional.empty();
        }
    }
}
