package io.vxseal.kernel.firewall;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.address.Cidr;
import io.vxseal.address.MacAddress;
import io.vxseal.kernel.TestHost;
import io.vxseal.kernel.firewall.Firewall.Transport;
import io.vxseal.kernel.route.Bridge;
import io.vxseal.kernel.route.RemoteEndpoint;
import io.vxseal.kernel.route.Vxlan;
import io.vxseal.kernel.xfrm.SecurityPolicy;
import io.vxseal.kernel.xfrm.SecurityPolicy.Action;
import io.vxseal.kernel.xfrm.Xfrm;
import io.vxseal.kernel.xfrm.XfrmChange;
import java.net.InetAddress;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Tests of the rules for frames on a host without any firewall rule. */
class FrameMarkTest {
    private static final int MARK = 0x76D0C4E3;

    @TempDir
    Path folder;

    private TestHost underlay;
    private TestHost overlay;

    @BeforeEach
    void open() throws Exception {
        underlay = new TestHost(folder.resolve("underlay"));
        overlay = new TestHost(folder.resolve("overlay"));
        underlay.run("ip link add wire type veth peer name eriw");
        underlay.run("ip link set eriw up");
        underlay.run("ip link set wire up");
        underlay.run("ip address add 10.55.0.1/24 dev wire");
        underlay.run("ip neigh add 10.55.0.2 lladdr 02:42:00:00:00:01 dev wire");
        underlay.run("ip address add fd00:55::1/64 dev wire nodad");
        underlay.run("ip neigh add fd00:55::2 lladdr 02:42:00:00:00:01 dev wire");
    }

    @AfterEach
    void close() throws Exception {
        overlay.close();
        underlay.close();
    }

    @ParameterizedTest
    @EnumSource(Transport.class)
    void blocksMarkedFrameWithoutHostRules(Transport transport) throws Exception {
        boolean v4 = transport == Transport.IPV4;
        InetAddress here = InetAddress.ofLiteral(v4 ? "10.55.0.1" : "fd00:55::1");
        InetAddress there = InetAddress.ofLiteral(v4 ? "10.55.0.2" : "fd00:55::2");
        overlay.route.links().addBridge(new Bridge("br0", 1424, List.of(Cidr.parse("10.44.0.1/24"))));
        underlay.route.links().addVxlan(
                new Vxlan("vx0", 4097, 4789, 1424, Optional.of(here), "br0"), overlay.namespace, overlay.route.links());
        overlay.route.neighbours().add("vx0", List.of(new RemoteEndpoint(
                InetAddress.ofLiteral("10.44.0.9"), MacAddress.parse("02:42:0a:2c:00:09"), there)));
        Cidr any = new Cidr(here, 0).network();
        Xfrm xfrm = Xfrm.in(underlay.namespace);
        xfrm.apply(List.of(new XfrmChange.PutPolicy(
                new SecurityPolicy(new SecurityPolicy.Id(any, any, 4789, MARK), new Action.Block()))));

        underlay.run("nft add table inet witness");
        underlay.run(List.of("nft", "add chain inet witness out { type filter hook output priority 0; }"));
        underlay.run("nft add rule inet witness out udp dport 4789 counter");

        send();
        assertThat(datagramsThatLeft()).as("in clear, without the mark").isEqualTo(1);
        try (FrameMark mark = FrameMark.in(overlay.namespace, MARK)) {
            assertThat(mark.restore()).isTrue();
        }
        send();
        assertThat(datagramsThatLeft()).as("in clear, with the mark").isEqualTo(1);
        assertThat(underlay.run("grep XfrmOutPolBlock /proc/self/net/xfrm_stat")).matches("\\S+\\s+1\\s*");
    }

    /** The other end of the wire sends a frame of an encrypted network in clear, and the host has no rule against it. */
    @ParameterizedTest
    @EnumSource(Transport.class)
    void dropsIncomingFrameThatWasNotSealed(Transport transport) throws Exception {
        try (TestHost outsider = new TestHost(folder.resolve("outsider"))) {
            network(transport, outsider);
            assertThat(heard()).as("without the rules").isEqualTo(heardFrom(outsider) - 1);
            try (FrameMark mark = FrameMark.in(overlay.namespace, MARK)) {
                mark.restore();
                int before = heard();
                assertThat(heardFrom(outsider)).as("in clear").isEqualTo(before);
                assertThat(mark.restore()).as("rules that have counted are right").isFalse();
                assertThat(mark.drops().incoming()).isPositive();
                assertThat(mark.drops().outgoing()).isZero();

                // No state of this kernel opens anything, so a rule stands in for the one that knows what was sealed.
                underlay.run("nft add table inet opens");
                underlay.run(List.of("nft", "add chain inet opens in { type filter hook input priority 401; }"));
                underlay.run("nft add rule inet opens in udp dport 4789 meta priority set 0x76d0c4e3");
                assertThat(heardFrom(outsider)).as("with the priority of sealed ones").isEqualTo(before + 1);

                // The sender may not give itself the priority.
                underlay.run("nft delete table inet opens");
                underlay.run("nft add table inet opens");
                underlay.run(List.of("nft", "add chain inet opens in { type filter hook input priority 300; }"));
                underlay.run("nft add rule inet opens in udp dport 4789 meta priority set 0x76d0c4e3");
                assertThat(heardFrom(outsider)).as("with the priority from before").isEqualTo(before + 2);
                try (SealedPriority priority = SealedPriority.in(underlay.namespace, MARK)) {
                    assertThat(priority.restore()).isTrue();
                    assertThat(heardFrom(outsider)).as("with a priority that is taken away").isEqualTo(before + 2);
                    priority.remove();
                    assertThat(underlay.run("nft list ruleset")).doesNotContain("vxseal-priority");
                }
            }
        }
    }

    /** A VXLAN device answers ARP requests for addresses that it knows, with frames that came in no datagram. */
    @Test
    void acceptsArpRepliesOfVxlanDevice() throws Exception {
        try (TestHost outsider = new TestHost(folder.resolve("outsider"));
                FrameMark mark = FrameMark.in(overlay.namespace, MARK)) {
            network(Transport.IPV4, outsider);
            mark.restore();
            overlay.run("ip neigh replace 10.44.0.9 lladdr 02:42:0a:2c:00:09 dev vx-001001 nud permanent");
            overlay.run("bridge fdb replace 02:42:0a:2c:00:09 dev vx-001001 dst 10.55.0.2 self");
            try (TestHost container = new TestHost(folder.resolve("container"))) {
                overlay.run("ip link add port type veth peer name eth0 netns " + container.pin);
                overlay.run("ip link set port master br0 up");
                container.run("ip address add 10.44.0.5/24 dev eth0");
                container.run("ip link set eth0 up");
                container.run(List.of("bash", "-c", "echo x > /dev/udp/10.44.0.9/9"));
                container.run(List.of(
                        "timeout", "5", "bash", "-c", "until ip neigh | grep -q lladdr; do sleep 0.05; done"));
                assertThat(container.run("ip neigh")).contains("10.44.0.9 dev eth0 lladdr 02:42:0a:2c:00:09");
            }
        }
    }

    @Test
    void restoreSetsRulesOnceAndAfterEachChange() throws Exception {
        assertThat(FrameMark.isSet(overlay.namespace)).isFalse();
        try (FrameMark mark = FrameMark.in(overlay.namespace, MARK)) {
            assertThat(mark.restore()).isTrue();
            assertThat(mark.restore()).isFalse();
            assertThat(FrameMark.isSet(overlay.namespace)).isTrue();
            String right = overlay.run("nft list ruleset");
            for (String change : List.of(
                    "flush ruleset",
                    "flush chain bridge vxseal incoming",
                    "flush chain bridge vxseal outgoing",
                    "insert rule bridge vxseal incoming accept",
                    "add rule bridge vxseal outgoing meta mark set 0",
                    "add chain bridge vxseal another",
                    "add chain bridge vxseal incoming { policy drop; }",
                    "add table bridge vxseal { flags dormant; }")) {
                overlay.run(List.of("nft", change));
                assertThat(mark.restore()).as(change).isTrue();
                assertThat(overlay.run("nft list ruleset")).as(change).isEqualTo(right);
                assertThat(mark.restore()).as(change).isFalse();
            }
            // Others' tables are others'.
            overlay.run("nft add table bridge theirs");
            assertThat(mark.restore()).isFalse();
        }
        try (FrameMark afterARestart = FrameMark.in(overlay.namespace, MARK)) {
            assertThat(afterARestart.restore()).isFalse();
        }
    }

    @Test
    void restoreReplacesTableOfEarlierVersion() throws Exception {
        overlay.run(List.of("nft", """
                table bridge vxseal { chain frames { type filter hook postrouting priority 0; policy accept;
                meta mark set 0xd0c4e3; }; }"""));
        assertThat(FrameMark.isSet(overlay.namespace)).isTrue();
        try (FrameMark mark = FrameMark.in(overlay.namespace, MARK)) {
            assertThat(mark.restore()).isTrue();
        }
        assertThat(overlay.run("nft list ruleset")).contains("0x76d0c4e3").doesNotContain("frames");
    }

    /** Creates an encrypted network on this host, and an attacker at the other end of the wire that knows its VNI. */
    private void network(Transport transport, TestHost outsider) throws Exception {
        boolean v4 = transport == Transport.IPV4;
        InetAddress here = InetAddress.ofLiteral(v4 ? "10.55.0.1" : "fd00:55::1");
        underlay.run("ip link set eriw netns " + outsider.pin);
        outsider.run("ip link set eriw address 02:42:00:00:00:01 up");
        outsider.run("ip address add 10.55.0.2/24 dev eriw");
        outsider.run("ip address add fd00:55::2/64 dev eriw nodad");
        overlay.route.links().addBridge(new Bridge("br0", 1424, List.of(Cidr.parse("10.44.0.1/24"))));
        underlay.route.links().addVxlan(
                new Vxlan("vx-001001", 4097, 4789, 1424, Optional.of(here), "br0"), overlay.namespace, overlay.route.links());
        outsider.run("ip link add vx0 type vxlan id 4097 dstport 4789 local %s remote %s"
                .formatted(v4 ? "10.55.0.2" : "fd00:55::2", here.getHostAddress()));
        outsider.run("ip address add 10.44.0.7/24 dev vx0");
        outsider.run("ip link set vx0 up");
        String bridge = overlay.json("ip -j link show dev br0").get(0).path("address").asText();
        outsider.run("ip neigh replace 10.44.0.1 lladdr " + bridge + " dev vx0 nud permanent");
    }

    /** Returns the datagrams to a closed port that reached the overlay's end. */
    private int heard() {
        var count = Pattern.compile("Udp: \\d+ (\\d+)").matcher(overlay.run("cat /proc/net/snmp"));
        assertThat(count.find()).isTrue();
        return Integer.parseInt(count.group(1));
    }

    private int heardFrom(TestHost outsider) {
        outsider.run(List.of("bash", "-c", "echo x > /dev/udp/10.44.0.1/9"));
        return heard();
    }

    private void send() {
        overlay.run(List.of("bash", "-c", "echo x > /dev/udp/10.44.0.9/9"));
    }

    /** Counts packets by a rule without another effect. */
    private int datagramsThatLeft() {
        var counter = Pattern.compile("counter packets (\\d+)").matcher(underlay.run("nft list table inet witness"));
        assertThat(counter.find()).isTrue();
        return Integer.parseInt(counter.group(1));
    }
}
