package io.vxseal.plugin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.vxseal.address.NodeAddresses;
import io.vxseal.cluster.Cluster;
import io.vxseal.cluster.ClusterSettings;
import io.vxseal.encryption.Encryption;
import io.vxseal.kernel.firewall.Firewall;
import io.vxseal.kernel.firewall.FirewallDetector;
import io.vxseal.kernel.netns.Namespace;
import io.vxseal.kernel.route.Route;
import io.vxseal.kernel.xfrm.Xfrm;
import io.vxseal.metrics.Promtool;
import io.vxseal.overlay.Driver;
import io.vxseal.overlay.Host;
import io.vxseal.overlay.StateStore;
import io.vxseal.swarm.Role;
import io.vxseal.swarm.TestSwarm;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Metrics on the socket of a plugin that is a manager, alone in its swarm. */
@Timeout(150)
class MetricsTest {
    @TempDir
    private Path folder;

    private Driver driver() throws Exception {
        Path certificates = TestSwarm.make(Files.createDirectory(folder.resolve("swarm")), "swarmswarm")
                .node("nodenode", Role.MANAGER);
        int port;
        try (ServerSocket free = new ServerSocket(0)) {
            port = free.getLocalPort();
        }
        ClusterSettings settings = new ClusterSettings(
                certificates, folder.resolve("no-state.json"), port, Duration.ofHours(12), 0, Optional.empty());
        Namespace own = Namespace.own();
        return new Driver(
                new Host(own, Route.in(own), folder.resolve("netns"), 4789),
                new Encryption(Xfrm.in(own), 4789, (_, _) -> {}),
                new FirewallDetector(Firewall.Backend.AUTO, own, List.of("false")),
                new StateStore(folder, folder),
                Duration.ZERO,
                listener -> new Cluster(settings, listener));
    }

    @Test
    void showsKeysCallsAndKernelOfRunningPlugin() throws Exception {
        Path socket = folder.resolve("vxseal.sock");
        EngineClient engine = new EngineClient(socket);
        try (Driver driver = driver();
                PluginServer server = PluginServer.start(PluginSocket.at(socket), CompletableFuture.completedFuture(driver))) {
            InetAddress loopback = InetAddress.ofLiteral("127.0.0.1");
            driver.self(new NodeAddresses(loopback, loopback));
            engine.call("Leave", "{'NetworkID':'unknown','EndpointID':'one'}");
            await("keys").atMost(Duration.ofMinutes(2))
                    .until(() -> engine.get("/metrics", "*/*").text().contains("vxseal_ring_version 1"));

            EngineClient.Answer answer = engine.get("/metrics", "*/*");
            assertThat(answer.status()).isEqualTo(200);
            assertThat(answer.head()).contains("text/plain; version=0.0.4; charset=utf-8");
            assertThat(answer.text())
                    .contains("vxseal_node_info{node=\"nodenode\",swarm=\"swarmswarm\"} 1")
                    .contains("vxseal_call_duration_seconds_count{method=\"Leave\"} 1")
                    .contains("vxseal_xfrm_errors_total{reason=\"XfrmInNoStates\"} ")
                    .containsPattern("vxseal_ring_next_rotation_seconds 43[12]\\d\\d\\.");
            assertThat(Promtool.run(answer.text().getBytes(StandardCharsets.UTF_8), "check", "metrics"))
                    .isEqualTo(new Promtool.Outcome(0, ""));
        }
    }
}
