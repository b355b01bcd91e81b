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
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A rule of another program on the host that changes the firewall mark of all UDP datagrams, without any firewall rule of ours. */
class RewrittenMarkTest {
    private static final int MARK = 0x76d0c4e3;

    /** A datagram to another node's container, by perl: octets, IP_TOS, SO_PRIORITY and UDP_SEGMENT. */
    private static final String SEND = """
            socket(my $s, PF_INET, SOCK_DGRAM, 0) or die;
            my ($octets, $tos, $priority, $segment) = (%d, %d, %d, %d);
            setsockopt($s, IPPROTO_IP, 1, pack('I', $tos)) or die;
            setsockopt($s, SOL_SOCKET, 12, pack('I', $priority)) or die;
            setsockopt($s, 17, 103, pack('I', $segment)) or die;
            send($s, 'x' x $octets, 0, sockaddr_in(9, inet_aton('10.44.0.9'))) or die;
            """;

    @TempDir
    Path folder;

    private TestHost underlay;
    private TestHost overlay;
    private TestHost container;

    @BeforeEach
    void open() throws Exception {
        underlay = new TestHost(folder.resolve("underlay"));
        overlay = new TestHost(folder.resolve("overlay"));
        container = new TestHost(folder.resolve("container"));
    }

    @AfterEach
    void close() throws Exception {
        container.close();
        overlay.close();
        underlay.close();
    }

    @ParameterizedTest
    @EnumSource
    void tableDropsDatagramsOfEncryptedNetworks(Transport transport) throws Exception {
        network(transport);
        seal(transport);
        try (FrameMark frames = FrameMark.in(overlay.namespace, MARK);
                SealedPriority priority = SealedPriority.in(underlay.namespace, MARK)) {
            frames.restore();
            assertThat(left(container, 16, 0, 0, 0)).as("with the mark").isZero();
            rewriteMarks();
            assertThat(left(container, 16, 0, 0, 0)).as("without the table: what this test would see").isOne();
            priority.restore();
            assertThat(left(container, 16, 0, 0, 0)).as("bridged").isZero();
            assertThat(left(container, 16, 0xb8, 0, 0)).as("bridged, with a type of service").isZero();
            assertThat(left(container, 16, 0, 6, 0)).as("bridged, with a priority of its own").isZero();
            assertThat(left(container, 6000, 0, 0, 0)).as("bridged, in fragments").isZero();
            assertThat(left(container, 20_000, 0, 0, 1000)).as("bridged, as an aggregate").isZero();
            assertThat(left(overlay, 16, 0, 0, 0)).as("made in the network's namespace").isZero();
            assertThat(left(overlay, 16, 0xb8, 6, 0)).as("made in the network's namespace, with a priority").isZero();
            assertThat(priority.drops()).as("read at the table's first listing").isEqualTo(Drops.NONE);
            priority.remove();
            assertThat(priority.drops().outgoing()).as("read before it was removed").isGreaterThanOrEqualTo(7);
            assertThat(left(container, 6000, 0, 0, 0)).as("in fragments, without the table").isGreaterThan(1);
            assertThat(left(container, 20_000, 0, 0, 1000)).as("as an aggregate, without the table").isPositive();
            assertThat(left(overlay, 16, 0xb8, 6, 0)).as("with a priority, without the table").isOne();
        }
    }

    /**
     * What has the priority from there on only stands for a datagram that lost its state there, as by source NAT behind a chain that
     * changes the mark: this kernel has no state to lose.
     */
    @ParameterizedTest
    @EnumSource
    void tableJudgesDatagramsBehindSourceNat(Transport transport) throws Exception {
        network(transport);
        underlay.run("nft add table inet theirs");
        underlay.run(List.of("nft", "add chain inet theirs out { type filter hook postrouting priority srcnat; }"));
        underlay.run("nft add rule inet theirs out meta l4proto udp meta priority set 0x%x".formatted(SealedPriority.PRIORITY));
        try (SealedPriority priority = SealedPriority.in(underlay.namespace, MARK)) {
            assertThat(left(container, 16, 0, 0, 0)).as("without the table: what this test would see").isOne();
            priority.restore();
            assertThat(left(container, 16, 0, 0, 0)).isZero();
        }
    }

    @ParameterizedTest
    @EnumSource
    void tableLetsDatagramsOfPlainNetworksPass(Transport transport) throws Exception {
        network(transport);
        seal(transport);
        rewriteMarks();
        try (SealedPriority priority = SealedPriority.in(underlay.namespace, MARK)) {
            priority.restore();
            assertThat(left(container, 16, 0, 0, 0)).isOne();
            assertThat(left(overlay, 16, 0xb8, 6, 0)).isOne();
        }
    }

    private void network(Transport transport) throws Exception {
        InetAddress here = address(transport, 1);
        underlay.run("ip link add wire type veth peer name eriw");
        underlay.run("ip link set eriw up");
        underlay.run("ip link set wire up");
        boolean v4 = transport == Transport.IPV4;
        underlay.run("ip address add %s dev wire".formatted(here.getHostAddress() + (v4 ? "/24" : "/64 nodad")));
        underlay.run("ip neigh add %s lladdr 02:42:00:00:00:01 dev wire".formatted(address(transport, 2).getHostAddress()));
        overlay.route.links().addBridge(new Bridge("br0", 1424, List.of(Cidr.parse("10.44.0.1/24"))));
        underlay.route.links().addVxlan(
                new Vxlan("vx-001001", 4097, 4789, 1424, Optional.of(here), "br0"), overlay.namespace, overlay.route.links());
        overlay.run("ip link add port type veth peer name eth0 netns " + container.pin);
        overlay.run("ip link set port master br0 up");
        container.run("ip link set eth0 mtu 1424 up");
        container.run("ip address add 10.44.0.5/24 dev eth0");
        container.run("ip neigh add 10.44.0.9 lladdr 02:42:0a:2c:00:09 dev eth0 nud permanent");
        overlay.route.neighbours().add("vx-001001", List.of(new RemoteEndpoint(
                InetAddress.ofLiteral("10.44.0.9"), MacAddress.parse("02:42:0a:2c:00:09"), address(transport, 2))));
        overlay.run(List.of("timeout", "5", "bash", "-c",
                "until [ $(bridge link | grep -c 'state forwarding') = 2 ]; do sleep 0.05; done"));
        overlay.run("ip neigh replace 10.44.0.9 lladdr 02:42:0a:2c:00:09 dev br0 nud permanent");
        underlay.run("nft add table inet witness");
        underlay.run(List.of("nft", "add chain inet witness out { type filter hook postrouting priority 300; }"));
        underlay.run("nft add rule inet witness out udp dport 4789 counter");
    }

    /** Seals what bears the mark, by a state that this kernel lacks; where one is missing, a datagram gets as far as OUTPUT. */
    private void seal(Transport transport) throws Exception {
        Cidr here = new Cidr(address(transport, 1), transport == Transport.IPV4 ? 32 : 128);
        Cidr there = new Cidr(address(transport, 2), here.prefix());
        try (Xfrm xfrm = Xfrm.in(underlay.namespace)) {
            assertThat(xfrm.apply(List.of(new XfrmChange.PutPolicy(
                    new SecurityPolicy(new SecurityPolicy.Id(here, there, 4789, MARK), new Action.Seal(0x100)))))).isEmpty();
        }
    }

    private void rewriteMarks() {
        underlay.run("nft add table inet theirs");
        underlay.run(List.of("nft", "add chain inet theirs out { type route hook output priority -140; }"));
        underlay.run("nft add rule inet theirs out meta l4proto udp meta mark set 1");
    }

    private static InetAddress address(Transport transport, int number) {
        return InetAddress.ofLiteral((transport == Transport.IPV4 ? "10.55.0." : "fd00:55::") + number);
    }

    /** Returns how many VXLAN datagrams leave of a datagram with these octets, IP_TOS, SO_PRIORITY and UDP_SEGMENT. */
    private int left(TestHost sender, int octets, int tos, int priority, int segment) {
        int before = left();
        sender.attempt(List.of("perl", "-MSocket", "-e", SEND.formatted(octets, tos, priority, segment)));
        return left() - before;
    }

    private int left() {
        var counter = Pattern.compile("dport 4789 counter packets (\\d+)").matcher(underlay.run("nft list table inet witness"));
        assertThat(counter.find()).isTrue();
        return Integer.parseInt(counter.group(1));
    }
}
