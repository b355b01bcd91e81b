package io.vxseal.command;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.vxseal.address.Cidr;
import io.vxseal.address.NodeAddresses;
import io.vxseal.cluster.Cluster;
import io.vxseal.cluster.ClusterSettings;
import io.vxseal.encryption.Encryption;
import io.vxseal.encryption.EspProbe;
import io.vxseal.kernel.TestHost;
import io.vxseal.kernel.firewall.Firewall;
import io.vxseal.kernel.firewall.FirewallDetector;
import io.vxseal.kernel.netns.Namespace;
import io.vxseal.kernel.xfrm.Xfrm;
import io.vxseal.overlay.Driver;
import io.vxseal.overlay.Host;
import io.vxseal.overlay.Network;
import io.vxseal.overlay.NetworkOptions;
import io.vxseal.overlay.StateStore;
import io.vxseal.plugin.PluginServer;
import io.vxseal.plugin.PluginSocket;
import io.vxseal.swarm.Role;
import io.vxseal.swarm.TestSwarm;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The paths of a swarm of a manager and a worker, with a plain network that has a container on each. */
@Timeout(150)
class SwarmCheckTest {
    private static final String NETWORK = "plainnet";

    @TempDir
    private Path folder;

    private final List<AutoCloseable> open = new ArrayList<>();
    private TestHost wire;
    private TestSwarm swarm;
    private int port;
    private Node manager;
    private Node worker;

    /** A plugin in a host of its own, whose sessions go over this process's loopback. */
    private final class Node implements AutoCloseable {
        final TestHost host;
        final Driver driver;
        private final Path socket;
        private final PluginServer server;
        private final Namespace own = Namespace.own();

        Node(int number, Role role) throws Exception {
            Path files = Files.createDirectory(folder.resolve("node" + number));
            host = opened(new TestHost(files.resolve("host")));
            String link = "wire" + number;
            host.run("ip link add wire type veth peer name %s netns %s".formatted(link, wire.pin));
            host.run("ip address add 10.55.0.%d/24 dev wire".formatted(number));
            host.run("ip link set wire up");
            wire.run("ip link set %s master br0 up".formatted(link));
            Path state = Files.writeString(files.resolve("managers.json"), role == Role.MANAGER ? "[]" : "[{\"node_id\":\"node1\",\"addr\":\"127.0.0.1:2377\"}]");
            ClusterSettings settings = new ClusterSettings(
                    swarm.node("node" + number, role), state, port, Duration.ofHours(12), 0, Optional.empty(), Optional.empty());
            driver = new Driver(
                    new Host(host.namespace(), host.route(), files.resolve("netns"), 4789),
                    new Encryption(Xfrm.in(host.namespace()), 4789, EspProbe::check),
                    new FirewallDetector(Firewall.Backend.NFTABLES, host.namespace(), List.of()),
                    new StateStore(files, files, Optional.empty()),
                    Duration.ofSeconds(5),
                    listener -> new Cluster(settings, listener));
            socket = files.resolve("vxseal.sock");
            server = PluginServer.start(PluginSocket.at(socket), CompletableFuture.completedFuture(driver));
            driver.self(new NodeAddresses(InetAddress.ofLiteral("10.55.0." + number), InetAddress.ofLiteral("127.0.0." + number)));
            driver.createNetwork(Network.of(NETWORK, Map.of(NetworkOptions.VXLANID_LIST, "4097"), List.of(
                    new Network.Pool(Cidr.parse("10.44.0.0/24"), Cidr.parse("10.44.0.1/24")))));
            // Near to a container of the engine's: its end of the link gets an address in a namespace of its own.
            String endpoint = "endpoint" + number;
            driver.createEndpoint(NETWORK, endpoint, Cidr.parse("10.44.0.%d/24".formatted(number + 10)), Optional.empty());
            String end = driver.join(NETWORK, endpoint, "").link();
            TestHost container = opened(new TestHost(files.resolve("container")));
            host.run("ip link set %s netns %s name eth0".formatted(end, container.pin));
            container.run("ip address add 10.44.0.%d/24 dev eth0".formatted(number + 10));
            container.run("ip link set eth0 up");
        }

        LoneManager.Outcome run(String line) {
            StringWriter out = new StringWriter();
            StringWriter err = new StringWriter();
            int status = Command.run(
                    new PrintWriter(out, true), new PrintWriter(err, true), (line + " --socket " + socket).split(" "));
            return new LoneManager.Outcome(status, out.toString(), err.toString());
        }

        @Override
        public void close() throws Exception {
            server.close();
            driver.close();
            Namespace.unpin(folder.resolve(host.pin.resolveSibling("netns")).resolve(NETWORK));
            own.close();
        }
    }

    private <T extends AutoCloseable> T opened(T one) {
        open.add(one);
        return one;
    }

    @BeforeEach
    void start() throws Exception {
        wire = opened(new TestHost(folder.resolve("wire")));
        wire.run("ip link add br0 type bridge");
        wire.run("ip link set br0 up");
        swarm = TestSwarm.make(Files.createDirectory(folder.resolve("swarm")), "swarmswarm");
        try (ServerSocket free = new ServerSocket(0)) {
            port = free.getLocalPort();
        }
        manager = opened(new Node(1, Role.MANAGER));
        await("its hub").atMost(Duration.ofMinutes(1)).until(() -> !manager.driver.clusterStatus().hubs().isEmpty());
        worker = opened(new Node(2, Role.WORKER));
        await("each other's containers").atMost(Duration.ofMinutes(1)).until(() -> knowsOther(manager) && knowsOther(worker));
    }

    private static boolean knowsOther(Node node) {
        return !node.driver.status().networks().getFirst().elsewhere().isEmpty();
    }

    @AfterEach
    void stop() throws Exception {
        for (AutoCloseable each : open.reversed()) {
            each.close();
        }
    }

    private static JsonNode parse(LoneManager.Outcome outcome) throws Exception {
        return new ObjectMapper().readTree(outcome.out()).path("nodes");
    }

    @Test
    void passesOnHealthySwarm() throws Exception {
        LoneManager.Outcome outcome = manager.run("check --swarm");
        assertThat(outcome.status()).as(outcome.out() + outcome.err()).isZero();
        assertThat(outcome.out()).contains("1     - +  node1  10.55.0.1", "2     + -  node2  10.55.0.2", "2 paths pass, none does not");
        JsonNode nodes = parse(manager.run("check --swarm --json"));
        assertThat(nodes).extracting(node -> node.path("id").asText() + node.path("paths").asText()).containsExactly("node1-+", "node2+-");
    }

    @Test
    void namesPathsThatDoNotPassAndWhatMendsThem() throws Exception {
        wire.run("nft add table bridge faults");
        wire.run(List.of("nft", "add chain bridge faults in { type filter hook forward priority 0; }"));
        wire.run("nft add rule bridge faults in udp dport 4789 drop");
        LoneManager.Outcome outcome = manager.run("check --swarm");
        assertThat(outcome.status()).isEqualTo(1);
        assertThat(outcome.out()).contains("1     - X  node1", "2     X -  node2",
                "1 to 2: node 10.55.0.2: none of 1 containers answers", "2 to 1: node 10.55.0.1: none of 1 containers answers",
                "open UDP port 4789 between the nodes");
        assertThat(parse(manager.run("check --swarm --json")).path(1).path("findings").path(0).path("to").asText()).isEqualTo("node1");
    }

    @Test
    void showsNodeWithoutAnswerAsSuch() throws Exception {
        worker.driver.close();
        await("its session to end").atMost(Duration.ofSeconds(30))
                .until(() -> manager.driver.clusterStatus().sessions().size() == 1);
        LoneManager.Outcome outcome = manager.run("check --swarm");
        assertThat(outcome.status()).isEqualTo(1);
        assertThat(outcome.out()).contains("node2  10.55.0.2  no answer", "2 node2 gave no answer");
        assertThat(parse(manager.run("check --swarm --json")).path(1).has("paths")).isFalse();
    }

    /** Who asked is answered; it is no failure of the plugin's. */
    @Test
    void isRefusedOnWorkerWithoutTrace() {
        LoneManager.Outcome outcome = worker.run("check --swarm");
        assertThat(outcome.status()).isEqualTo(1);
        assertThat(outcome.err()).contains("no manager");
        assertThat(worker.run("status").out()).contains("LAST ERROR").doesNotContain("/swarm/check");
        assertThat(worker.run("events --no-follow").out()).doesNotContain("  error  ");
    }
}
