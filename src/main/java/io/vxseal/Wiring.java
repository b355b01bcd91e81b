package io.vxseal;

import io.vxseal.cluster.Cluster;
import io.vxseal.cluster.ClusterSettings;
import io.vxseal.encryption.Encryption;
import io.vxseal.encryption.EspProbe;
import io.vxseal.engine.EngineApi;
import io.vxseal.engine.NetworkNames;
import io.vxseal.engine.SwarmNodes;
import io.vxseal.journal.Event;
import io.vxseal.kernel.filesystem.Tmpfs;
import io.vxseal.kernel.firewall.FirewallDetector;
import io.vxseal.kernel.monitor.KernelMonitor;
import io.vxseal.kernel.netns.Namespace;
import io.vxseal.kernel.route.Route;
import io.vxseal.kernel.xfrm.Xfrm;
import io.vxseal.metrics.MetricsServer;
import io.vxseal.metrics.Recent;
import io.vxseal.overlay.Driver;
import io.vxseal.overlay.DriverException;
import io.vxseal.overlay.Host;
import io.vxseal.overlay.ProgramVersion;
import io.vxseal.overlay.StateStore;
import io.vxseal.page.PageHandler;
import io.vxseal.plugin.PluginServer;
import io.vxseal.plugin.PluginSocket;
import io.vxseal.swarm.UnlockKey;
import io.vxseal.swarm.UnlockKeySource;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.eclipse.jetty.util.component.LifeCycle;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Construction of the plugin from its parts. */
final class Wiring {
    /** Less than a Join may take: the engine gives a container 20 s to attach. */
    private static final Duration JOIN_PATIENCE = Duration.ofSeconds(8);

    private Wiring() {}

    /** Runs the plugin; returns when it has started. */
    static void run(Map<String, String> environment, PluginSocket socket) {
        try {
            Settings settings = Settings.of(environment);
            configureLog(settings.logLevel());
            start(settings, socket);
        } catch (IllegalArgumentException | IOException | DriverException failure) {
            System.err.println("vxseal: " + failure.getMessage());
            System.exit(1);
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
        }
    }

    static void configureLog(String level) {
        String simpleLogger = "org.slf4j.simpleLogger.";
        System.setProperty(simpleLogger + "defaultLogLevel", level);
        System.setProperty(simpleLogger + "showThreadName", "false");
        System.setProperty(simpleLogger + "showShortLogName", "true");
        // Libraries log their internals, Jetty the octets that it reads among them: keys, and the swarm's unlock key. What an operator needs to know
        // of them, this program logs itself.
        for (String library : List.of("org.eclipse.jetty", "io.javalin")) {
            System.setProperty(simpleLogger + "log." + library, "warn");
        }
    }

    private static void start(Settings settings, PluginSocket socket) throws IOException, DriverException, InterruptedException {
        Logger log = LoggerFactory.getLogger(Wiring.class);
        // Most of a start is loading of classes. Server and driver load theirs in parallel.
        CompletableFuture<Driver> ready = new CompletableFuture<>();
        Optional<EngineApi> engine = settings.engine().filter(EngineApi::isSocket).map(EngineApi::new);
        Optional<String> noEngine = settings.engine().flatMap(EngineApi::mistake);
        noEngine.ifPresent(log::warn);
        Supplier<Map<String, String>> networkNames = engine.<Supplier<Map<String, String>>>map(NetworkNames::new).orElse(Map::of);
        CompletableFuture<PluginServer> serving = CompletableFuture.supplyAsync(
                () -> PluginServer.start(socket, ready, networkNames), Thread.ofPlatform().name("vxseal-server")::start);
        // Before anything of the kernel is read or changed.
        Optional<Path> held = SingleInstance.acquire(settings.run(), settings.swarm());
        if (held.isPresent()) {
            refuse(settings, held.get(), ready);
        }
        Namespace own = Namespace.own();
        // Before the driver recovers networks, whose namespaces are added to it.
        KernelMonitor monitor = KernelMonitor.in(own);
        Driver driver = driver(settings, own, monitor, engine, log);
        driver.recover();
        ready.complete(driver);
        PluginServer server = serving.join();
        Optional<PageHandler> page = settings.metrics().flatMap(address -> serveMetrics(address, server, driver, log));
        // The page's streams read the driver. Then the driver, which announces to the other nodes that it ends: a call that is being
        // answered may take longer than the engine waits.
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            page.ifPresent(streams -> LifeCycle.stop(streams));
            try {
                driver.close();
            } catch (Throwable failure) {
                log.error("error while closing the driver", failure);
            }
            server.close();
        }));
        Housekeeper.start(driver, monitor);
        Consumer<String> engineFailures = failure -> driver.errors().add("engine", failure);
        noEngine.ifPresent(engineFailures);
        engine.ifPresent(asked ->
                new SwarmNodes(asked, () -> driver.clusterStatus().manager(), driver::swarmNodes, engineFailures).start());
        driver.journal().add(Event.Kind.STARTED, "", "vxseal %s is up".formatted(ProgramVersion.get()));
        log.info("vxseal {} is up", ProgramVersion.get());
    }

    /** Serves metrics and the page over TCP. Without them the plugin works as well, so a failure does not end it. */
    private static Optional<PageHandler> serveMetrics(InetSocketAddress address, PluginServer server, Driver driver, Logger log) {
        PageHandler page = new PageHandler(new Recent(server::page), driver.journal());
        try {
            MetricsServer.start(address, server::scrape, page);
            log.info("serving metrics and the page on {}", MetricsServer.name(address));
            return Optional.of(page);
        } catch (IOException failure) {
            log.error("{}", failure.getMessage());
            driver.errors().add("metrics", failure.getMessage());
            return Optional.empty();
        }
    }

    private static Driver driver(
            Settings settings, Namespace own, KernelMonitor monitor, Optional<EngineApi> engine, Logger log) throws IOException {
        Optional<UnlockKeySource> unlockKeys = engine.map(asked -> () -> UnlockKey.parse(asked.unlockKey()));
        Optional<Path> keys = keyFolder(settings, log);
        ClusterSettings cluster = new ClusterSettings(
                settings.swarm().resolve("certificates"),
                settings.swarm().resolve("state.json"),
                settings.clusterPort(),
                settings.keyRotation(),
                settings.replayWindow(),
                keys,
                Optional.of(settings.state()));
        return new Driver(
                new Host(
                        own,
                        Route.in(own),
                        settings.run().resolve("netns"),
                        settings.vxlanPort(),
                        settings.sandboxes(),
                        settings.services(),
                        Optional.of(monitor)),
                new Encryption(Xfrm.in(own), settings.vxlanPort(), EspProbe::check),
                new FirewallDetector(settings.firewall(), own, List.of()),
                new StateStore(settings.state(), settings.run(), keys),
                JOIN_PATIENCE,
                listener -> new Cluster(cluster, unlockKeys, listener));
    }

    /**
     * Answers each request with the reason why this plugin does not run, until the other one has ended, and exits. The engine does not
     * show the reason to its users when it starts the plugin, so it is printed for the engine's log as well.
     */
    private static void refuse(Settings settings, Path held, CompletableFuture<Driver> ready)
            throws IOException, InterruptedException {
        String why = "another vxseal runs on this host and holds folder %s: disable one of the two (docker plugin ls)".formatted(held);
        System.err.println("vxseal: " + why);
        ready.completeExceptionally(DriverException.conflict(why));
        SingleInstance.awaitRelease(settings.run(), settings.swarm());
        System.exit(1);
    }

    /** Mounts the folder in which the keys survive a crash: keys are never written to a disk. */
    private static Optional<Path> keyFolder(Settings settings, Logger log) {
        Path folder = settings.run().resolve("ring");
        try {
            Tmpfs.mount(folder);
            return Optional.of(folder);
        } catch (IOException failure) {
            log.warn("keys will not survive a crash of this process, and have to come from the other nodes then: {}",
                    failure.getMessage());
            return Optional.empty();
        }
    }
}
