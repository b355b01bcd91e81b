package io.vxseal.overlay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;

import com.fasterxml.jackson.databind.JsonNode;
import io.vxseal.address.Cidr;
import io.vxseal.cluster.PeerChange;
import io.vxseal.encryption.EspProbe;
import io.vxseal.kernel.TestHost;
import io.vxseal.kernel.firewall.Firewall;
import io.vxseal.kernel.firewall.FrameMark;
import io.vxseal.kernel.netns.Namespace;
import io.vxseal.kernel.xfrm.SecurityPolicy;
import io.vxseal.peers.Peer;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Repairs of what others remove or change in the kernel, and recovery from damaged state files. */
class RepairTest {
    private static final String NETWORK = "abcdefgh";
    private static final InetAddress HERE = InetAddress.ofLiteral("10.55.0.1");
    private static final InetAddress THERE = InetAddress.ofLiteral("10.55.0.2");
    private static final InetAddress ELSEWHERE = InetAddress.ofLiteral("10.55.0.3");

    @TempDir
    Path folder;

    private TestHost host;
    private DriverParts parts;
    private Driver driver;

    @BeforeEach
    void open() throws Exception {
        host = new TestHost(folder.resolve("host"));
        parts = new DriverParts(host, folder).probe(EspProbe::check).firewall(Firewall.Backend.AUTO, List.of());
        start();
    }

    /** Starts a process of the plugin. */
    private void start() throws Exception {
        driver = parts.start(HERE);
    }

    @AfterEach
    void close() throws Exception {
        driver.close();
        Namespace.unpin(pin());
        host.close();
    }

    private Path pin() {
        return parts.pin(NETWORK);
    }

    /** Creates a network with an endpoint here, 10.44.0.2, and one on another node, 10.44.0.3. */
    private void serve(boolean encrypted) throws Exception {
        driver.createNetwork(DriverParts.network(NETWORK, 4242, encrypted));
        if (encrypted) {
            driver.initialKeys(DriverParts.keys());
        }
        driver.createEndpoint(NETWORK, "here", Cidr.parse("10.44.0.2/24"), Optional.empty());
        driver.join(NETWORK, "here", "");
        added(peer("there", "10.44.0.3", THERE));
    }

    private static Peer peer(String id, String address, InetAddress node) {
        return DriverParts.peer(NETWORK, id, address, node);
    }

    private String inside(String command) {
        return host.run("nsenter --net=" + pin() + " " + command);
    }

    /** Returns everything that a repair covers, without what the kernel numbers anew. */
    private String installed() {
        Stream<String> links = StreamSupport.stream(host.json("nsenter --net=" + pin() + " ip -d -j link").spliterator(), false)
                .map(link -> String.join(" ",
                        link.path("ifname").asText(), link.path("mtu").asText(), link.path("master").asText(),
                        link.path("flags").toString().contains("\"UP\"") ? "up" : "down",
                        link.at("/linkinfo/info_data/id").asText(), link.at("/linkinfo/info_data/local").asText(),
                        link.at("/linkinfo/info_data/port").asText()));
        return Stream.of(
                        links,
                        inside("ip -o address show scope global").lines().map(line -> line.replaceAll("^\\d+: ", "")),
                        inside("ip neigh show nud permanent").lines(),
                        inside("bridge fdb show").lines().filter(line -> line.contains(" dst ")),
                        host.run("ip xfrm state").lines(),
                        host.run("ip xfrm policy").lines(),
                        host.run("iptables-save").lines().filter(line -> line.startsWith("-A")))
                .flatMap(lines -> lines.sorted())
                .collect(Collectors.joining("\n"));
    }

    private long repaired(RepairLog.Kind kind) {
        return repairs().get(kind);
    }

    /** Returns how many things were repaired so far, as status shows it. */
    private Map<RepairLog.Kind, Long> repairs() {
        Overview.Repaired repaired = driver.status().repaired();
        return Map.of(
                RepairLog.Kind.RULES, repaired.rules(),
                RepairLog.Kind.SEALING, repaired.statesAndPolicies(),
                RepairLog.Kind.LINKS, repaired.links(),
                RepairLog.Kind.ENTRIES, repaired.entries());
    }

    @Test
    void changesNothingThatIsCorrect() throws Exception {
        serve(false);
        driver.repair();
        String before = installed();
        driver.repair();
        assertThat(installed()).isEqualTo(before);
        assertThat(repairs().values()).containsOnly(0L);
    }

    @ParameterizedTest
    @ValueSource(strings = {
        "ip link delete vx-001092-abcde",
        "ip link set vx-001092-abcde down",
        "ip link set vx-001092-abcde nomaster",
        "ip link set ov-001092-abcde down",
        "ip link delete ov-001092-abcde",
        "ip link set vethhere nomaster"
    })
    void restoresLinks(String damage) throws Exception {
        assertRestored(damage, RepairLog.Kind.LINKS);
    }

    @ParameterizedTest
    @ValueSource(strings = {
        "bridge fdb delete 02:42:0a:2c:00:03 dev vx-001092-abcde dst 10.55.0.2 self",
        "bridge fdb replace 02:42:0a:2c:00:03 dev vx-001092-abcde dst 10.55.0.9 self permanent",
        "ip neigh flush nud permanent",
        "ip neigh replace 10.44.0.3 lladdr 02:00:00:00:00:01 nud permanent dev vx-001092-abcde"
    })
    void restoresEntries(String damage) throws Exception {
        assertRestored(damage, RepairLog.Kind.ENTRIES);
    }

    private void assertRestored(String damage, RepairLog.Kind kind) throws Exception {
        serve(false);
        String before = installed();
        inside(damage);
        assertThat(installed()).isNotEqualTo(before);
        driver.repair();
        assertThat(installed()).isEqualTo(before);
        assertThat(repaired(kind)).isPositive();
        driver.repair();
        assertThat(installed()).isEqualTo(before);
    }

    /** Both claims are known for a moment, in either order. */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void movesTheEntryOfAnAddressThatMoves(boolean newcomerFirst) throws Exception {
        serve(false);
        Peer old = peer("there", "10.44.0.3", THERE);
        Peer now = peer("elsewhere", "10.44.0.3", ELSEWHERE);
        if (newcomerFirst) {
            added(now);
            removed(old);
        } else {
            removed(old);
            added(now);
        }
        assertThat(inside("bridge fdb show dev vx-001092-abcde")).contains("02:42:0a:2c:00:03 dst 10.55.0.3 ")
                .doesNotContain("10.55.0.2");
        assertThat(inside("ip neigh show nud permanent")).contains("10.44.0.3 dev vx-001092-abcde lladdr 02:42:0a:2c:00:03");
        driver.repair();
        assertThat(repairs().values()).containsOnly(0L);
    }

    /** A container that moved here must not be reached through its previous node. */
    @Test
    void removesTheEntryOfAnAddressThatMovesHere() throws Exception {
        serve(false);
        driver.createEndpoint(NETWORK, "moved", Cidr.parse("10.44.0.3/24"), Optional.empty());
        driver.join(NETWORK, "moved", "");
        removed(peer("there", "10.44.0.3", THERE));
        assertThat(inside("bridge fdb show dev vx-001092-abcde")).doesNotContain("dst");
        assertThat(inside("ip neigh show nud permanent")).isBlank();
    }

    /** Devices of version 0.1.0 learn, and their ports. */
    @Test
    void vxlanDeviceAndItsPortStopLearning() throws Exception {
        serve(false);
        inside("ip link set vx-001092-abcde type vxlan learning");
        inside("bridge link set dev vx-001092-abcde learning on");
        assertThat(learning()).containsExactly(true, true);
        driver.repair();
        assertThat(learning()).containsExactly(false, false);
        assertThat(repaired(RepairLog.Kind.LINKS)).isEqualTo(2);
    }

    /** Returns whether the VXLAN device learns, and whether its bridge learns by it. */
    private List<Boolean> learning() {
        JsonNode device = host.json("nsenter --net=" + pin() + " ip -d -j link show dev vx-001092-abcde").path(0).path("linkinfo");
        return List.of(device.at("/info_data/learning").asBoolean(), device.at("/info_slave_data/learning").asBoolean());
    }

    /** A process that dies in the middle of the first Join leaves such a network. */
    @Test
    void takesDownNetworkWithoutEndpoints() throws Exception {
        serve(false);
        driver.leave(NETWORK, "here");
        Namespace.create(pin()).close();
        driver.close();
        start();
        driver.repair();
        assertThat(Namespace.open(pin())).isEmpty();
    }

    /** While the plugin is disabled, the engine's Leave is lost and not repeated. */
    @Test
    void leavesEndpointWhoseContainerEndedUnnoticed() throws Exception {
        serve(false);
        driver.createEndpoint(NETWORK, "stays", Cidr.parse("10.44.0.4/24"), Optional.empty());
        driver.join(NETWORK, "stays", "");
        host.run("ip link delete vethhere");
        driver.repair();
        assertThat(driver.status().networks().getFirst().here())
                .extracting(Endpoint::id, Endpoint::joined)
                .containsExactlyInAnyOrder(tuple("here", false), tuple("stays", true));

        host.run("ip link delete vethstays");
        driver.repair();
        assertThat(Namespace.open(pin())).isEmpty();
        assertThat(repairs().values()).containsOnly(0L);
    }

    /** Until other nodes have announced their endpoints, the entries in the kernel are kept. */
    @Test
    void keepsEntriesOfPreviousProcessUntilLingeringEnds() throws Exception {
        serve(false);
        String entries = inside("bridge fdb show dev vx-001092-abcde");
        again();
        driver.repair();
        assertThat(inside("bridge fdb show dev vx-001092-abcde")).isEqualTo(entries).contains("10.55.0.2");
        added(peer("moved", "10.44.0.3", ELSEWHERE));
        driver.repair();
        assertThat(inside("bridge fdb show dev vx-001092-abcde")).contains("10.55.0.3").doesNotContain("10.55.0.2");
        removed(peer("moved", "10.44.0.3", ELSEWHERE));
        driver.forgetLingering();
        driver.repair();
        assertThat(inside("bridge fdb show dev vx-001092-abcde")).doesNotContain("dst");
    }

    @Test
    void readsEncryptionOfVersion010FromMarkOrPolicies() throws Exception {
        serve(false);
        Host here = parts.host();
        inside("ip link set vx-001092-abcde alias none");
        assertThat(encrypted(here, false)).isFalse();
        assertThat(encrypted(here, true)).isTrue();
        try (Namespace namespace = Namespace.open(pin()).orElseThrow();
                FrameMark mark = FrameMark.in(namespace, SecurityPolicy.MARK)) {
            mark.restore();
        }
        assertThat(encrypted(here, false)).isTrue();
    }

    private static boolean encrypted(Host host, boolean sealed) throws Exception {
        return NetworkScan.pinned(host, sealed).getFirst().network().orElseThrow().encrypted();
    }

    @Tag("esp")
    @Test
    void recoversEncryptedNetworkFromDamagedStateFile() throws Exception {
        assertRecoveredFromKernel(true);
    }

    @Test
    void recoversPlainNetworkFromDamagedStateFile() throws Exception {
        assertRecoveredFromKernel(false);
    }

    @Test
    void recoversEndpointThatOthersKnowIfItHasALink() throws Exception {
        serve(false);
        StateStore.Ephemeral before = parts.store().ephemeralFile.read().orElseThrow();
        driver.close();
        Files.writeString(folder.resolve("run/endpoints.json"), "");
        again();
        // A hostile node can name others' endpoints, but not change what the kernel has.
        driver.recalled(List.of(peer("here", "10.44.0.66", HERE), peer("here", "10.44.0.2", HERE), peer("here", "10.44.0.2", HERE),
                peer("gone", "10.44.0.4", HERE)));
        assertThat(parts.store().ephemeralFile.read()).contains(before);
        driver.leave(NETWORK, "here");
        driver.deleteEndpoint(NETWORK, "here");
        assertThat(Namespace.open(pin())).isEmpty();
    }

    /** Returns the links with their indexes, which differ if a link was made anew, without their carrier state. */
    private String sameLinks() {
        return inside("ip -o link").replaceAll("<[^>]*>|state \\S+", "");
    }

    private void assertRecoveredFromKernel(boolean encrypted) throws Exception {
        serve(encrypted);
        StateStore.Persistent before = parts.store().persistentFile.read().orElseThrow();
        String links = sameLinks();
        driver.close();
        for (String file : List.of("state/state.json", "run/endpoints.json")) {
            byte[] torn = Files.readAllBytes(folder.resolve(file));
            Files.write(folder.resolve(file), Arrays.copyOf(torn, torn.length / 2));
        }
        again();
        driver.repair();
        assertThat(sameLinks()).isEqualTo(links);
        assertThat(folder.resolve("state/state.json.damaged")).exists();
        assertThat(folder.resolve("run/endpoints.json.damaged")).exists();
        assertThat(parts.store().persistentFile.read().orElseThrow().networks()).isEqualTo(before.networks());
        // An engine that restarts does the same.
        driver.createNetwork(before.networks().getFirst());
        again();
        driver.repair();
        assertThat(sameLinks()).isEqualTo(links);
        driver.leave(NETWORK, "here");
        assertThat(Namespace.open(pin())).isEmpty();
        driver.deleteEndpoint(NETWORK, "here");
        assertThatThrownBy(() -> driver.deleteEndpoint(NETWORK, "here")).hasMessageContaining("no such endpoint");
        driver.deleteNetwork(NETWORK);
    }

    private void again() throws Exception {
        driver.close();
        start();
    }

    @Tag("esp")
    @ParameterizedTest
    @ValueSource(strings = {
        "ip xfrm state flush",
        "ip xfrm policy flush",
        "iptables -F INPUT",
        "iptables -F OUTPUT",
        "iptables -t mangle -F",
        "iptables -I INPUT -p udp --dport 4800 -j ACCEPT"
    })
    void restoresStatesPoliciesAndRules(String damage) throws Exception {
        serve(true);
        driver.repair();
        String before = installed();
        host.run(damage);
        assertThat(installed()).isNotEqualTo(before);
        driver.repair();
        host.failure("iptables -D INPUT -p udp --dport 4800 -j ACCEPT");
        assertThat(installed()).isEqualTo(before);
        assertThat(repairs().values()).filteredOn(count -> count > 0).hasSize(1);
        Map<RepairLog.Kind, Long> counted = repairs();
        driver.repair();
        assertThat(repairs()).isEqualTo(counted);
    }

    /** Two networks share the states of a node. */
    @Tag("esp")
    @Test
    void removesStatesOfNodeWithItsLastNetwork() throws Exception {
        serve(true);
        String one = host.run("ip xfrm state");
        driver.createNetwork(Network.of("other", Map.of(NetworkOptions.VXLANID_LIST, "4243", NetworkOptions.ENCRYPTED, ""),
                List.of(new Network.Pool(Cidr.parse("10.45.0.0/24"), Cidr.parse("10.45.0.1/24")))));
        driver.createEndpoint("other", "second", Cidr.parse("10.45.0.2/24"), Optional.empty());
        driver.join("other", "second", "");
        added(DriverParts.peer("other", "far", "10.45.0.3", THERE));
        assertThat(host.run("ip xfrm state")).isEqualTo(one);
        driver.leave(NETWORK, "here");
        assertThat(host.run("ip xfrm state")).isEqualTo(one);
        driver.leave("other", "second");
        assertThat(host.run("ip xfrm state")).isEmpty();
        assertThat(host.run("ip xfrm policy")).isEmpty();
    }

    private void added(Peer peer) {
        driver.peersChanged(List.of(new PeerChange.Added(peer)));
    }

    private void removed(Peer peer) {
        driver.peersChanged(List.of(new PeerChange.Removed(peer)));
    }
}
