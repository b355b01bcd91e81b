package io.vxseal.overlay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.vxseal.StandardError;
import io.vxseal.address.Cidr;
import io.vxseal.cluster.PeerChange;
import io.vxseal.journal.Event;
import io.vxseal.kernel.TestHost;
import io.vxseal.kernel.firewall.Firewall;
import io.vxseal.kernel.netns.Namespace;
import io.vxseal.overlay.watch.Condition;
import java.net.InetAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Conditions of a node whose host has one link, and that is alone in its swarm. */
class WatchTest {
    private static final int PORT = 4800;
    private static final String NETWORK = "abcdefgh";
    private static final InetAddress HERE = InetAddress.ofLiteral("10.55.0.1");
    private static final InetAddress THERE = InetAddress.ofLiteral("10.55.0.2");

    @TempDir
    private Path folder;

    private TestHost host;
    private DriverParts parts;
    private Driver driver;

    @BeforeEach
    void open() throws Exception {
        host = new TestHost(folder.resolve("host"));
        host.run("ip link add wire mtu 1400 type veth peer name other");
        host.run("ip link set wire up");
        host.run("ip link set other up");
        host.run("ip address add 10.55.0.1/24 dev wire");
        parts = new DriverParts(host, folder).firewall(Firewall.Backend.AUTO, List.of());
        driver = parts.start(HERE);
    }

    @AfterEach
    void close() throws Exception {
        driver.close();
        Namespace.unpin(parts.pin(NETWORK));
        host.close();
    }

    /** Creates an encrypted network with an endpoint here, 10.44.0.2, and one on another node, 10.44.0.3. */
    private void serve(Map<String, String> options) throws Exception {
        DriverParts.serve(driver, Network.of(NETWORK, options, DriverParts.pools()));
        driver.peersChanged(List.of(new PeerChange.Added(DriverParts.peer(NETWORK, "there", "10.44.0.3", THERE))));
    }

    /** Returns whether a condition is there whose text has these words. */
    private boolean isWatched(Condition.Kind kind, String words) {
        driver.repair();
        driver.watch();
        return driver.status().conditions().stream()
                .anyMatch(condition -> condition.kind() == kind && condition.text().contains(words));
    }

    @Test
    void networkGetsMtuOfSmallLinkAndAnotherIsReported() throws Exception {
        Map<String, String> allocated = driver.allocateNetwork(NETWORK, Map.of(NetworkOptions.ENCRYPTED, ""), DriverParts.pools());
        assertThat(allocated).containsEntry(NetworkOptions.MTU, "1400");
        serve(allocated);
        assertThat(isWatched(Condition.Kind.PATH_MTU, "")).isFalse();

        Map<String, String> larger = Map.of(NetworkOptions.ENCRYPTED, "", NetworkOptions.VXLANID_LIST, "4242");
        driver.leave(NETWORK, "here");
        driver.deleteNetwork(NETWORK);
        serve(larger);
        await().atMost(Duration.ofSeconds(30)).until(() -> isWatched(Condition.Kind.PATH_MTU, ""));
        assertThat(driver.status().conditions()).anySatisfy(condition -> {
            assertThat(condition.subject()).isEqualTo("10.55.0.2");
            assertThat(condition.text()).contains("packets of 1400 octets").contains("need 1500");
        });
    }

    private String endpoint(Map<String, String> options) throws Exception {
        driver.createNetwork(Network.of(NETWORK, options, DriverParts.pools()));
        driver.createEndpoint(NETWORK, "here", Cidr.parse("10.44.0.2/24"), Optional.empty());
        return "here";
    }

    @Test
    void networkRefusedWithoutKeysIsReportedUntilItIsJoined() throws Exception {
        String endpoint = endpoint(Map.of(NetworkOptions.ENCRYPTED, "", NetworkOptions.VXLANID_LIST, "4242"));
        assertThat(isWatched(Condition.Kind.REFUSED, "")).isFalse();
        assertThatThrownBy(() -> driver.join(NETWORK, endpoint, "")).isInstanceOf(DriverException.class);
        assertThat(isWatched(Condition.Kind.REFUSED, "network abcdefgh was refused here")).isTrue();
        assertThat(isWatched(Condition.Kind.REFUSED, "encryption key is not present")).isTrue();
        driver.initialKeys(DriverParts.keys());
        driver.join(NETWORK, endpoint, "");
        assertThat(isWatched(Condition.Kind.REFUSED, "")).isFalse();
    }

    /** The engine removes a network that no container could join, and creates it again when it tries again. */
    @Test
    void networkWithVniOfAnotherDeviceIsReportedUntilItIsJoined() throws Exception {
        Map<String, String> options = Map.of(NetworkOptions.VXLANID_LIST, "4242");
        host.run("ip link add flannel type vxlan id 4242 dstport " + PORT + " dev wire");
        String refused = endpoint(options);
        assertThatThrownBy(() -> driver.join(NETWORK, refused, "")).isInstanceOf(DriverException.class);
        assertThat(isWatched(Condition.Kind.REFUSED, "VNI 4242")).isTrue();
        driver.deleteNetwork(NETWORK);
        assertThat(isWatched(Condition.Kind.REFUSED, "VNI 4242")).isTrue();
        host.run("ip link delete flannel");
        String endpoint = endpoint(options);
        assertThat(isWatched(Condition.Kind.REFUSED, "VNI 4242")).isTrue();
        driver.join(NETWORK, endpoint, "");
        assertThat(isWatched(Condition.Kind.REFUSED, "")).isFalse();
    }

    @Test
    void foreignPolicyThatDropsIncomingIsReportedWithNodes() throws Exception {
        serve(Map.of(NetworkOptions.ENCRYPTED, "", NetworkOptions.VXLANID_LIST, "4242", NetworkOptions.MTU, "1400"));
        host.run("ip xfrm policy add dir in src 10.56.0.0/24 dst 10.55.0.1/32 proto udp action block");
        host.run("ip xfrm policy add dir in src 10.55.0.0/24 dst 10.55.0.1/32 proto udp dport 4800 priority 7 action allow"
                + " tmpl proto esp reqid 1 mode tunnel");
        await().atMost(Duration.ofSeconds(30)).until(() -> isWatched(Condition.Kind.OBSTACLE,
                "policy in 10.55.0.0/24 -> 10.55.0.1/32 priority 7 drops what node 10.55.0.2 sends"));
        assertThat(isWatched(Condition.Kind.OBSTACLE, "10.56.0.0/24")).isFalse();
        host.run("ip xfrm policy flush");
        assertThat(isWatched(Condition.Kind.OBSTACLE, "policy in")).isFalse();
    }

    @Test
    void foreignPolicyIsReportedAndLoggedFromBeginningToEnd() throws Exception {
        serve(Map.of(NetworkOptions.ENCRYPTED, "", NetworkOptions.VXLANID_LIST, "4242", NetworkOptions.MTU, "1400"));
        try (StandardError log = new StandardError()) {
            host.run("ip xfrm policy add dir out src 0.0.0.0/0 dst 10.55.0.0/24 proto udp priority 0 action allow");
            await().atMost(Duration.ofSeconds(30)).until(() -> isWatched(Condition.Kind.OBSTACLE, "policy out"));
            host.run("ip xfrm policy flush");
            assertThat(isWatched(Condition.Kind.OBSTACLE, "policy out")).isFalse();
            assertThat(log.said().lines().filter(line -> line.contains("policy out 0.0.0.0/0 -> 10.55.0.0/24")))
                    .hasSize(2)
                    .anyMatch(line -> line.contains("over, after it began at"));
        }
        assertThat(driver.journal().last()).extracting(Event::kind).containsSubsequence(
                Event.Kind.NETWORK_UP, Event.Kind.PEERS, Event.Kind.CONDITION_BEGAN, Event.Kind.CONDITION_ENDED);
        assertThat(driver.journal().last()).filteredOn(event -> event.kind() == Event.Kind.PEERS)
                .extracting(Event::text).containsExactly("network abcdefgh: 1 endpoints came and 0 went, on 10.55.0.2");
    }
}
