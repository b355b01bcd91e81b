package io.vxseal.command;

import io.vxseal.address.NodeAddresses;
import io.vxseal.cluster.Cluster;
import io.vxseal.cluster.ClusterSettings;
import io.vxseal.encryption.Encryption;
import io.vxseal.encryption.EspProbe;
import io.vxseal.kernel.firewall.Firewall;
import io.vxseal.kernel.firewall.FirewallDetector;
import io.vxseal.kernel.netns.Namespace;
import io.vxseal.kernel.route.Route;
import io.vxseal.kernel.xfrm.Xfrm;
import io.vxseal.overlay.Driver;
import io.vxseal.overlay.Host;
import io.vxseal.overlay.StateStore;
import io.vxseal.plugin.PluginServer;
import io.vxseal.plugin.PluginSocket;
import io.vxseal.swarm.Role;
import io.vxseal.swarm.TestSwarm;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/** A plugin that is a manager, alone in its swarm, and has no networks; and the commands that ask it. */
public final class LoneManager implements AutoCloseable {
    public final Driver driver;
    public final Path socket;
    final Path certificates;
    public final PluginServer server;

    private LoneManager(Driver driver, Path socket, Path certificates, PluginServer server) {
        this.driver = driver;
        this.certificates = certificates;
        this.socket = socket;
        this.server = server;
    }

    /**
     * Starts it.
     *
     * @param folder empty, where the plugin has its files
     */
    public static LoneManager start(Path folder) throws Exception {
        Path certificates = TestSwarm.make(Files.createDirectory(folder.resolve("swarm")), "swarmswarm")
                .node("nodenode", Role.MANAGER);
        Namespace own = Namespace.own();
        return start(folder, certificates, freePort(),
                new Host(own, Route.in(own), folder.resolve("netns"), 4789),
                new Encryption(Xfrm.in(own), 4789, EspProbe::check),
                new FirewallDetector(Firewall.Backend.AUTO, own, List.of("false")));
    }

    /** Returns a TCP port that nobody listens on. */
    public static int freePort() throws IOException {
        try (ServerSocket free = new ServerSocket(0)) {
            return free.getLocalPort();
        }
    }

    /**
     * Starts one whose networks are in another namespace than this process's, and that others may join.
     *
     * @param port of its hub
     */
    public static LoneManager start(
            Path folder, Path certificates, int port, Host host, Encryption encryption, FirewallDetector firewall) throws Exception {
        ClusterSettings settings = new ClusterSettings(
                certificates, folder.resolve("no-state.json"), port, Duration.ofHours(12), 0, Optional.empty(), Optional.empty());
        Driver driver = new Driver(
                host,
                encryption,
                firewall,
                new StateStore(folder, folder, Optional.empty()),
                Duration.ZERO,
                listener -> new Cluster(settings, listener));
        Path socket = folder.resolve("vxseal.sock");
        PluginServer server = PluginServer.start(PluginSocket.at(socket), CompletableFuture.completedFuture(driver));
        InetAddress loopback = InetAddress.ofLiteral("127.0.0.1");
        driver.self(new NodeAddresses(loopback, loopback));
        return new LoneManager(driver, socket, certificates, server);
    }

    /** The exit status of a command, and what it printed. */
    record Outcome(int status, String out, String err) {}

    /** Runs a command, with the plugin's socket as its last argument. */
    Outcome run(String line) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        int status = Command.run(
                new PrintWriter(out, true), new PrintWriter(err, true), (line + " --socket " + socket).split(" "));
        return new Outcome(status, out.toString(), err.toString());
    }

    /** Ends the server, and with it all connections. */
    void stopServing() {
        server.close();
    }

    @Override
    public void close() {
        server.close();
        driver.close();
    }
}
