package io.vxseal.check;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.address.MacAddress;
import io.vxseal.kernel.TestHost;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
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
    private static final int MTU = 1450;

    @TempDir
    private Path folder;

    private final List<Way> sent = new ArrayList<>();
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

    private Finding check() {
        return new PathCheck(pins, Duration.ofMillis(500)).run(List.of(way(2))).getFirst();
    }

    private static Way way(int number) {
        return new Way("10.55.0.2", NETWORK, false, VNI, endpoint(1), List.of(endpoint(number)));
    }

    private List<PathMtuCheck.Result> runMtus(Way... ways) throws Exception {
        return new PathMtuCheck(pins, Duration.ofMillis(300), Duration.ofMillis(300), sent::add).run(List.of(ways));
    }

    private List<PathMtuCheck.Outcome> checkMtus(Way... ways) throws Exception {
        List<PathMtuCheck.Result> results = runMtus(ways);
        assertThat(results).extracting(PathMtuCheck.Result::mtu).containsOnly(MTU);
        assertThat(results).extracting(PathMtuCheck.Result::way).containsExactly(ways);
        return results.stream().map(PathMtuCheck.Result::outcome).toList();
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
                .contains("10.55.0.2", "up to 1450 octets", "UDP");
        assertThat(containerHere.run("cat /proc/net/snmp")).as("replies that nobody asked for are ignored, not answered")
                .contains("InType0").doesNotContain("OutType");
        drop("udp dport 4800");
        assertThat(check()).as("a rule that concerns another port").matches(Finding::fit);
    }

    @Test
    void namesNodeAndProtocolThatDoNotPass() {
        drop("udp dport 4789");
        assertThat(check()).matches(finding -> !finding.fit()).satisfies(finding -> {
            assertThat(finding.found()).contains("10.55.0.2", "UDP on the VXLAN port", NETWORK);
            assertThat(finding.remedy()).contains("UDP");
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
        assertThat(new PathCheck(pins, Duration.ofMillis(300)).run(List.of(way)).getFirst()).matches(Finding::fit);
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
    }
}
