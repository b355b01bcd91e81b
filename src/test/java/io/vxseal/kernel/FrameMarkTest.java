package io.vxseal.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.kernel.Firewall.Transport;
import io.vxseal.kernel.SecurityPolicy.Action;
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

/** A network's frames meet the policies of the host without any rule of the host's firewall. */
class FrameMarkTest {
    private static final int MARK = 0xD0C4E3;

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
    void aMarkedFrameIsBlockedWithoutAnyRuleOfTheHost(Transport transport) throws Exception {
        boolean v4 = transport == Transport.IPV4;
        InetAddress here = InetAddress.ofLiteral(v4 ? "10.55.0.1" : "fd00:55::1");
        InetAddress there = InetAddress.ofLiteral(v4 ? "10.55.0.2" : "fd00:55::2");
        overlay.route.addBridge(new Route.Bridge("br0", 1424, List.of(Cidr.parse("10.44.0.1/24"))));
        underlay.route.addVxlan(
                new Route.Vxlan("vx0", 4097, 4789, 1424, Optional.of(here), "br0"), overlay.namespace, overlay.route);
        overlay.route.addRemoteEndpoints("vx0", List.of(new Route.RemoteEndpoint(
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
        FrameMark.set(overlay.namespace, MARK);
        FrameMark.set(overlay.namespace, MARK);
        send();
        assertThat(datagramsThatLeft()).as("in clear, with the mark").isEqualTo(1);
        assertThat(underlay.run("grep XfrmOutPolBlock /proc/self/net/xfrm_stat")).matches("\\S+\\s+1\\s*");
    }

    private void send() {
        overlay.run(List.of("bash", "-c", "echo x > /dev/udp/10.44.0.9/9"));
    }

    /** By a rule that counts and does nothing else. */
    private int datagramsThatLeft() {
        var counter = Pattern.compile("counter packets (\\d+)").matcher(underlay.run("nft list table inet witness"));
        assertThat(counter.find()).isTrue();
        return Integer.parseInt(counter.group(1));
    }
}
