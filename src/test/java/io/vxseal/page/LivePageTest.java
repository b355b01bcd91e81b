package io.vxseal.page;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.vxseal.address.Cidr;
import io.vxseal.address.MacAddress;
import io.vxseal.cluster.Cluster;
import io.vxseal.cluster.ClusterListener;
import io.vxseal.cluster.ClusterSettings;
import io.vxseal.cluster.PeerChange;
import io.vxseal.command.LoneManager;
import io.vxseal.encryption.Encryption;
import io.vxseal.encryption.KeyRing;
import io.vxseal.kernel.TestHost;
import io.vxseal.kernel.firewall.Firewall;
import io.vxseal.kernel.firewall.FirewallDetector;
import io.vxseal.kernel.netns.Namespace;
import io.vxseal.kernel.xfrm.Xfrm;
import io.vxseal.metrics.MetricsServer;
import io.vxseal.metrics.Recent;
import io.vxseal.overlay.Host;
import io.vxseal.overlay.Network;
import io.vxseal.overlay.NetworkOptions;
import io.vxseal.peers.Peer;
import io.vxseal.swarm.Role;
import io.vxseal.swarm.TestSwarm;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * The page of a manager with an encrypted network on this machine's kernel, in a swarm with a worker. Faults are real ones: a policy of
 * another program, and a worker whose states the kernel does not take where it lacks ESP.
 */
@Timeout(240)
class LivePageTest {
    private static final int PORT = 4800;
    private static final String NETWORK = "abcdefgh";
    private static final InetAddress WORKER = InetAddress.ofLiteral("127.0.0.2");

    @TempDir
    private Path folder;

    private final List<AutoCloseable> open = new ArrayList<>();
    private TestSwarm swarm;
    private TestHost host;
    private LoneManager manager;
    private int port;

    private <T extends AutoCloseable> T closing(T opened) {
        open.add(opened);
        return opened;
    }

    @AfterEach
    void close() throws Exception {
        for (AutoCloseable each : open.reversed()) {
            each.close();
        }
    }

    private void startManager() throws Exception {
        swarm = TestSwarm.make(Files.createDirectory(folder.resolve("swarm")), "swarmswarm");
        host = closing(new TestHost(folder.resolve("host")));
        open.add(() -> Namespace.unpin(folder.resolve("netns").resolve(NETWORK)));
        port = LoneManager.freePort();
        manager = closing(LoneManager.start(folder, swarm.node("nodenode", Role.MANAGER), port,
                new Host(host.namespace(), host.route(), folder.resolve("netns"), PORT),
                new Encryption(Xfrm.in(host.namespace()), PORT, (_, _) -> {}),
                new FirewallDetector(Firewall.Backend.AUTO, host.namespace(), List.of())));
        await("keys").atMost(Duration.ofMinutes(1)).until(() -> manager.driver.clusterStatus().ring().isPresent());
        Thread repairs = Thread.ofPlatform().daemon().start(this::repair);
        open.add(() -> {
            repairs.interrupt();
            repairs.join();
        });
    }

    /** Does what the plugin's housekeeper does. */
    private void repair() {
        try {
            while (true) {
                manager.driver.repair();
                manager.driver.watch();
                Thread.sleep(1000);
            }
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
        }
    }

    private void joinNetwork() throws Exception {
        List<Network.Pool> pools = List.of(new Network.Pool(Cidr.parse("10.44.0.0/24"), Cidr.parse("10.44.0.1/24")));
        manager.driver.createNetwork(Network.of(NETWORK,
                Map.of(NetworkOptions.ENCRYPTED, "", NetworkOptions.VXLANID_LIST, "4242", NetworkOptions.MTU, "1400"), pools));
        manager.driver.createEndpoint(NETWORK, "here", Cidr.parse("10.44.0.2/24"), Optional.empty());
        manager.driver.join(NETWORK, "here", "");
    }

    /** Starts a worker of the swarm, whose driver does nothing. */
    private Cluster startWorker() throws Exception {
        Path managers = Files.writeString(folder.resolve("state.json"), "[{\"node_id\":\"nodenode\",\"addr\":\"127.0.0.1:2377\"}]");
        Cluster worker = closing(new Cluster(
                new ClusterSettings(swarm.node("workerworker", Role.WORKER), managers, port, Duration.ofHours(12), 0, Optional.empty(), Optional.empty()),
                new ClusterListener() {
                    @Override
                    public void peersChanged(List<PeerChange> changes) {}

                    @Override
                    public void ring(KeyRing ring) {}
                }));
        worker.self(WORKER, WORKER);
        return worker;
    }

    private Chromium.Tab show() throws Exception {
        MetricsServer server = closing(MetricsServer.start(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
                manager.server::scrape, new PageHandler(new Recent(manager.server::page), manager.driver.journal())));
        Chromium chromium = closing(Chromium.start(Files.createDirectories(folder.resolve("chromium"))));
        return closing(chromium.open("http://127.0.0.1:%d/".formatted(server.port()), 1280, 900, false));
    }

    private static void awaitText(Chromium.Tab tab, String selector, String words) {
        await(selector + " has " + words).atMost(Duration.ofSeconds(40)).until(() -> tab.text(selector).contains(words));
    }

    @Test
    void showsWhatHappensToRealNodeWithoutReload() throws Exception {
        startManager();
        Chromium.Tab tab = show();
        tab.evaluate("window.sameDocument = true");
        awaitText(tab, "#ring", "Ring 1, made");
        assertThat(tab.text("#verdict")).isEqualTo("✓ No trouble on this node");
        assertThat(tab.text("h1")).isEqualTo("vxseal on node nodenode");
        assertThat(tab.text("#keys tbody")).contains("sending and receiving");

        joinNetwork();
        awaitText(tab, "#networks tbody", NETWORK);
        awaitText(tab, "#timeline", "Network up");
        assertThat(tab.text("#networks tbody")).contains("✓ encrypted", "up", "10.44.0.0/24");

        Cluster worker = startWorker();
        awaitText(tab, "#paths tbody", "workerworker");
        awaitText(tab, "#timeline", "node workerworker (127.0.0.2) joined");
        InetAddress peer = InetAddress.ofLiteral("10.44.0.3");
        worker.announce(new Peer(NETWORK, "there", new Cidr(peer, 24), MacAddress.of(peer), WORKER));
        awaitText(tab, "#timeline", "1 endpoints came and 0 went, on 127.0.0.2");

        // Where the kernel lacks ESP, the trouble with it comes first.
        host.run("ip xfrm policy add dir out src 0.0.0.0/0 dst 127.0.0.0/8 proto udp priority 0 action allow");
        awaitText(tab, "#conditions", "policy out 0.0.0.0/0 -> 127.0.0.0/8");
        awaitText(tab, "#timeline", "▲ Trouble began");
        assertThat(tab.text("#verdict")).startsWith("▲ ");
        manager.driver.errors().add("/NetworkDriver.Join", "no such network: <b>nowhere</b>");
        awaitText(tab, "#errors tbody", "no such network: <b>nowhere</b>");
        tab.screenshot(PageTest.PICTURES.resolve("fault.webp"));
        tab.resize(390, 844);
        assertThat(tab.evaluate("document.documentElement.scrollWidth").asInt()).isEqualTo(390);
        tab.screenshot(PageTest.PICTURES.resolve("fault-phone.webp"));
        assertThat(PageTest.violations(tab)).isEmpty();

        host.run("ip xfrm policy delete dir out src 0.0.0.0/0 dst 127.0.0.0/8 proto udp");
        await("the end of the trouble").atMost(Duration.ofSeconds(40))
                .until(() -> !tab.text("#conditions").contains("policy out 0.0.0.0/0"));
        awaitText(tab, "#timeline", "✓ Trouble over");
        worker.close();
        awaitText(tab, "#timeline", "Node left");
        assertThat(tab.evaluate("window.sameDocument").asBoolean()).isTrue();
        assertThat(tab.complaints()).isEmpty();
    }
}
