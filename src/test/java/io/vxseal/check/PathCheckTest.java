package io.vxseal.check;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.address.MacAddress;
import io.vxseal.kernel.TestHost;
import io.vxseal.kernel.packet.OffloadingLink;
import java.io.IOException;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Two nodes with a plain network of a container each, and faults between them. */
@Timeout(120)
class PathCheckTest {
    private static final String NETWORK = "plainnet";
    private static final int VNI = 4097;
    private static final int PORT = 4789;
    private static final int MTU = 1450;

    @TempDir
    private Path folder;

    private final List<Way> sent = new ArrayList<>();
    private final List<IOException> failures = new ArrayList<>();
    private Path pins;
    private TestHost here;
    private TestHost there;
    private TestHost networkHere;
    private TestHost networkThere;
    private TestHost containerHere;
    private TestHost containerThere;

    @BeforeEach
    void open() throws Exception {
        pins = Files.createDirectory(folder.resolve("netns"));
        here = new TestHost(folder.resolve("here"));
        there = new TestHost(folder.resolve("there"));
        networkHere = new TestHost(pins.resolve(NETWORK));
        networkThere = new TestHost(folder.resolve("network-there"));
        containerHere = new TestHost(folder.resolve("container-here"));
        containerThere = new TestHost(folder.resolve("container-there"));
        here.run("ip link add wire type veth peer name wire netns " + there.pin);
        node(here, networkHere, containerHere, 1, 2);
        node(there, networkThere, containerThere, 2, 1);
    }

    @AfterEach
    void close() throws Exception {
        for (TestHost each : List.of(containerThere, containerHere, networkThere, networkHere, there, here)) {
            each.close();
        }
    }

    /** Makes a node at 10.55.0.number, with a network's bridge and VXLAN device, and a container at 10.44.0.number. */
    private static void node(TestHost node, TestHost network, TestHost container, int number, int other) {
        node.run("ip address add 10.55.0.%d/24 dev wire".formatted(number));
        node.run("ip link set wire up");
        node.run("ip link add vx type vxlan id %d dstport 4789 local 10.55.0.%d nolearning".formatted(VNI, number));
        node.run("ip link set vx netns " + network.pin);
        network.run("ip link add br0 type bridge");
        network.run("ip link set vx master br0 mtu %d up".formatted(MTU));
        network.run("ip link add port mtu %d type veth peer name eth0 mtu %d netns %s".formatted(MTU, MTU, container.pin));
        network.run("ip link set port master br0 up");
        network.run("ip link set br0 mtu %d up".formatted(MTU));
        network.run("bridge fdb replace %s dev vx dst 10.55.0.%d self".formatted(mac(other), other));
        container.run("ip link set eth0 address %s up".formatted(mac(number)));
        container.run("ip address add 10.44.0.%d/24 dev eth0".formatted(number));
        container.run("ip neigh replace 10.44.0.%d lladdr %s dev eth0 nud permanent".formatted(other, mac(other)));
    }

    private static String mac(int number) {
        return "02:42:0a:2c:00:0" + number;
    }

    private static Way.Endpoint endpoint(int number) {
        return new Way.Endpoint(
                MacAddress.parse(mac(number)), (Inet4Address) InetAddress.ofLiteral("10.44.0." + number));
    }

    private List<Finding> findings(Way way, Underlay underlay) {
        return new PathCheck(pins, PORT, underlay, Duration.ofMillis(500)).run(List.of(way));
    }

    private Finding check() {
        return findings(way(2), new HostUnderlay(here.namespace)).getFirst();
    }

    private static Way way(int number) {
        return new Way("10.55.0.2", NETWORK, false, VNI, endpoint(1), List.of(endpoint(number)));
    }

    private List<PathMtuCheck.Result> runMtus(Way... ways) throws Exception {
        return new PathMtuCheck(pins, Duration.ofMillis(300), Duration.ofMillis(300), sent::add, failures::add).run(List.of(ways));
    }

    private List<PathMtuCheck.Outcome> checkMtus(Way... ways) throws Exception {
        List<PathMtuCheck.Result> results = runMtus(ways);
        assertThat(results).extracting(PathMtuCheck.Result::mtu).containsOnly(MTU);
        assertThat(results).extracting(PathMtuCheck.Result::way).containsExactly(ways);
        return results.stream().map(PathMtuCheck.Result::outcome).toList();
    }

    /** Returns a counter of TCP that a host's kernel has. */
    private static long tcp(TestHost host, String counter) {
        List<String[]> lines = host.run("cat /proc/net/snmp").lines().filter(line -> line.startsWith("Tcp:")).map(line -> line.split(" ")).toList();
        return Long.parseLong(lines.getLast()[List.of(lines.getFirst()).indexOf(counter)]);
    }

    /** Has the other node drop some of what comes in. */
    private void drop(String what) {
        there.run("nft add table inet faults");
        there.run(List.of("nft", "add chain inet faults in { type filter hook prerouting priority -300; }"));
        there.run("nft add rule inet faults in " + what + " drop");
    }

    @Test
    void findsNothingOnHealthyPathAndLeavesContainersAlone() {
        assertThat(check()).matches(Finding::fit).extracting(Finding::found).asString()
                .contains("10.55.0.2", "up to 1450 octets", "UDP", "right checksums");
        assertThat(containerHere.run("cat /proc/net/snmp")).as("replies that nobody asked for are ignored, not answered")
                .contains("InType0").doesNotContain("OutType");
        assertThat(tcp(containerHere, "OutSegs")).as("segments, resets included").isZero();
        assertThat(tcp(containerThere, "OutRsts")).as("resets").isEqualTo(1);
        assertThat(tcp(containerThere, "PassiveOpens")).as("connections").isZero();
        drop("udp dport 4800");
        assertThat(check()).as("a rule that concerns another port").matches(Finding::fit);
    }

    @Test
    void namesNodeAndProtocolThatDoNotPass() {
        drop("udp dport 4789");
        assertThat(check()).matches(finding -> !finding.fit()).satisfies(finding -> {
            assertThat(finding.found()).contains("10.55.0.2", "UDP on the VXLAN port", NETWORK);
            assertThat(finding.remedy()).contains("iptables -I INPUT -p udp --dport 4789 -j ACCEPT");
        });
    }

    @Test
    void findsLargestPacketThatPasses() {
        // A VXLAN datagram has 50 octets more than the packet in it: 8 of UDP, 8 of VXLAN, 14 of Ethernet and 20 of IPv4.
        drop("meta length > 1422");
        assertThat(check()).matches(finding -> !finding.fit()).satisfies(finding -> {
            assertThat(finding.found()).contains("packets of up to 1372 octets pass", "promises its containers 1450");
            assertThat(finding.remedy()).contains("by 78");
        });
    }

    @Test
    void asksAnotherContainerIfOneDoesNotAnswer() {
        Way way = new Way("10.55.0.2", NETWORK, false, VNI, endpoint(1), List.of(endpoint(9), endpoint(2)));
        assertThat(findings(way, new HostUnderlay(here.namespace))).singleElement().matches(Finding::fit);
    }

    private interface Step {
        void run(OffloadingLink link) throws Exception;
    }

    /** Runs a step with a link between the nodes that says it computes checksums. */
    private void withOffloadingLink(Step step) throws Exception {
        try (TestHost between = new TestHost(folder.resolve("between"))) {
            there.run("ip link delete wire");
            for (TestHost each : List.of(here, there)) {
                String name = each == here ? "to-here" : "to-there";
                each.run("ip link add wire type veth peer name %s netns %s".formatted(name, between.pin));
                each.run("ip address add 10.55.0.%d/24 dev wire".formatted(each == here ? 1 : 2));
                each.run("ip link set wire up");
                between.run("ip link set %s up".formatted(name));
            }
            try (OffloadingLink link = new OffloadingLink(between,
                    between.link("to-here").path("ifindex").asInt(), between.link("to-there").path("ifindex").asInt())) {
                step.run(link);
            }
        }
    }

    @Test
    void namesLinkThatDoesNotComputeChecksums() throws Exception {
        withOffloadingLink(link -> {
            assertThat(findings(way(2), new HostUnderlay(here.namespace))).singleElement()
                    .matches(Finding::fit).extracting(Finding::found).asString().contains("right checksums");
            link.compute(false);
            assertThat(findings(way(2), new HostUnderlay(here.namespace))).satisfiesExactly(
                    size -> assertThat(size).matches(Finding::fit).extracting(Finding::found).asString()
                            .contains("up to 1450 octets").doesNotContain("checksums"),
                    offload -> {
                        assertThat(offload).matches(Finding::unfit).extracting(Finding::check).isEqualTo("offload");
                        assertThat(offload.found()).contains("10.55.0.2", "link wire claims to");
                        assertThat(offload.remedy()).isEqualTo("ethtool -K wire tx off");
                    });
            here.run(findings(way(2), new HostUnderlay(here.namespace)).getLast().remedy());
            assertThat(findings(way(2), new HostUnderlay(here.namespace))).as("after the remedy").singleElement()
                    .matches(Finding::fit).extracting(Finding::found).asString().contains("right checksums");
        });
    }

    @Test
    void saysNothingOfChecksumsIfContainersAnswerNoTcp() throws Exception {
        containerThere.run("nft add table inet faults");
        containerThere.run(List.of("nft", "add chain inet faults in { type filter hook prerouting priority -300; }"));
        containerThere.run("nft add rule inet faults in meta l4proto tcp drop");
        withOffloadingLink(link -> {
            link.compute(false);
            assertThat(findings(way(2), new HostUnderlay(here.namespace))).singleElement()
                    .matches(Finding::fit).extracting(Finding::found).asString().doesNotContain("checksums");
        });
    }

    /** The counter of a rule stands for the states', because this kernel may have no ESP. */
    private Underlay counting(TestHost host) {
        host.run("nft add table inet opened");
        host.run("nft add counter inet opened from-there");
        host.run(List.of("nft", "add chain inet opened in { type filter hook prerouting priority -300; }"));
        host.run("nft add rule inet opened in ip saddr 10.55.0.2 udp dport 4789 counter name from-there");
        HostUnderlay real = new HostUnderlay(host.namespace);
        return new Underlay() {
            @Override
            public Optional<String> link(InetAddress node) throws IOException {
                return real.link(node);
            }

            @Override
            public long opened(InetAddress node) {
                return host.json("nft -j list counter inet opened from-there").findValue("packets").asLong();
            }
        };
    }

    @Test
    void tellsHostThatDropsWhatItDecryptedFromPath() throws Exception {
        Way sealed = new Way("10.55.0.2", NETWORK, true, VNI, endpoint(1), List.of(endpoint(2)));
        Underlay underlay = counting(here);
        assertThat(findings(sealed, underlay)).singleElement().matches(Finding::fit);
        here.run(List.of("nft", "add chain inet opened drops { type filter hook input priority 0; }"));
        here.run("nft add rule inet opened drops udp dport 4789 drop");
        assertThat(findings(sealed, underlay)).singleElement().matches(Finding::unfit).satisfies(finding -> {
            assertThat(finding.found()).contains("this host decrypts what comes from that node, and its firewall drops UDP port 4789");
            assertThat(finding.remedy()).startsWith("on this host: iptables -I INPUT -p udp --dport 4789 -m policy");
        });
        drop("udp dport 4789");
        assertThat(findings(sealed, underlay)).singleElement().matches(Finding::unfit).satisfies(finding -> {
            assertThat(finding.found()).contains("ESP is blocked in one direction, or node 10.55.0.2 drops UDP port 4789 after decryption");
            assertThat(finding.remedy()).contains("iptables -I INPUT -p esp -j ACCEPT; and on 10.55.0.2: iptables -I INPUT -p udp");
            assertThat(finding.remedy()).hasSizeLessThan(300);
            assertThat(finding.found()).hasSizeLessThan(300);
        });
    }

    @Test
    void countsWaysThatThereWasNoTimeFor() {
        assertThat(new PathCheck(pins, PORT, new HostUnderlay(here.namespace), Duration.ofMillis(300), Duration.ZERO)
                .run(List.of(way(2), way(9)))).singleElement().satisfies(finding -> {
            assertThat(finding.state()).isEqualTo(Finding.State.UNTRIED);
            assertThat(finding.found()).contains("2 more ways");
        });
    }

    @Test
    void saysIfDeviceIsDown() {
        networkHere.run("ip link set vx down");
        assertThat(check()).matches(finding -> !finding.fit()).extracting(Finding::found).asString().contains("is down or missing");
    }

    /** There is no container 9. */
    @Test
    void largePacketsPassOnHealthyPath() throws Exception {
        assertThat(checkMtus(way(2), way(9))).containsExactly(PathMtuCheck.Outcome.PASS, PathMtuCheck.Outcome.UNANSWERED);
        assertThat(sent).as("requests").containsExactly(way(2), way(9), way(9), way(9));
    }

    @Test
    void largePacketsAreLostWhereSmallOnesPass() throws Exception {
        drop("meta length > 1422");
        assertThat(checkMtus(way(2), way(9))).containsExactly(PathMtuCheck.Outcome.LOST, PathMtuCheck.Outcome.UNANSWERED);
        assertThat(sent).as("requests").hasSize(2 * 9 + 3);
    }

    /** There is no container 9; which of the two is asked first is random. */
    @Test
    void asksAnotherContainerWhereOneDoesNotAnswer() throws Exception {
        Way both = new Way("10.55.0.2", NETWORK, false, VNI, endpoint(1), List.of(endpoint(9), endpoint(2)));
        for (int n = 0; n < 5; n++) {
            assertThat(runMtus(both)).singleElement().satisfies(result -> {
                assertThat(result.outcome()).isEqualTo(PathMtuCheck.Outcome.PASS);
                assertThat(result.answering()).containsExactly(endpoint(2));
                assertThat(result.unanswered()).isSubsetOf(endpoint(9));
            });
        }
        drop("udp dport 4789");
        assertThat(runMtus(both)).singleElement().satisfies(result -> {
            assertThat(result.answering()).isEmpty();
            assertThat(result.unanswered()).containsExactlyInAnyOrder(endpoint(2), endpoint(9));
        });
    }

    /** There is no container 9; which of the two is asked first is random. */
    @Test
    void largePacketsAreLostThoughAnotherContainerAnswersNothing() throws Exception {
        drop("meta length > 1422");
        Way both = new Way("10.55.0.2", NETWORK, false, VNI, endpoint(1), List.of(endpoint(9), endpoint(2)));
        for (int n = 0; n < 5; n++) {
            assertThat(checkMtus(both)).containsExactly(PathMtuCheck.Outcome.LOST);
        }
    }

    /** The first trial is lost, the second one goes through. */
    @Test
    void largePacketsThatAreLostForMomentAreTriedAgain() throws Exception {
        there.run("nft add table inet faults");
        there.run(List.of("nft", "add chain inet faults in { type filter hook prerouting priority -300; }"));
        there.run("nft add rule inet faults in meta length > 1422 quota until 7600 bytes drop");
        assertThat(checkMtus(way(2))).containsExactly(PathMtuCheck.Outcome.PASS);
        assertThat(sent).as("requests").hasSize(9 + 1);
    }

    @Test
    void containerThatDropsLargePacketsIsNoPath() throws Exception {
        containerThere.run("ip address add 10.44.0.3/24 dev eth0");
        containerThere.run("ip neigh replace 10.44.0.1 lladdr %s dev eth0 nud permanent".formatted(mac(1)));
        containerThere.run("nft add table inet faults");
        containerThere.run(List.of("nft", "add chain inet faults in { type filter hook prerouting priority -300; }"));
        containerThere.run("nft add rule inet faults in ip daddr 10.44.0.3 meta length > 1000 drop");
        Way.Endpoint second = new Way.Endpoint(MacAddress.parse(mac(2)), (Inet4Address) InetAddress.ofLiteral("10.44.0.3"));
        Way both = new Way("10.55.0.2", NETWORK, false, VNI, endpoint(1), List.of(second, endpoint(2)));
        for (int n = 0; n < 5; n++) {
            assertThat(checkMtus(both)).containsExactly(PathMtuCheck.Outcome.PASS);
        }
    }

    @Test
    void nothingIsKnownOfPathWithoutAnswersNorOfNetworkThatIsGone() throws Exception {
        drop("udp dport 4789");
        assertThat(checkMtus(way(2))).containsExactly(PathMtuCheck.Outcome.UNANSWERED);
        networkHere.run("ip link set vx down");
        assertThat(runMtus(way(2))).isEmpty();
        assertThat(runMtus(new Way("10.55.0.2", "gone", false, VNI, endpoint(1), List.of(endpoint(2))))).isEmpty();
        assertThat(failures).isEmpty();
    }

    /** A link to itself cannot be opened. */
    @Test
    void networkWhoseRequestsCannotBeSentSparesTheOthers() throws Exception {
        Files.createSymbolicLink(pins.resolve("broken"), pins.resolve("broken"));
        assertThat(runMtus(new Way("10.55.0.2", "broken", false, VNI, endpoint(1), List.of(endpoint(2))), way(2)))
                .singleElement().extracting(PathMtuCheck.Result::outcome).isEqualTo(PathMtuCheck.Outcome.PASS);
        assertThat(failures).hasSize(1);
    }
}
