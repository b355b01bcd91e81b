package io.vxseal.kernel.firewall;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.address.Cidr;
import io.vxseal.address.MacAddress;
import io.vxseal.kernel.TestHost;
import io.vxseal.kernel.route.Bridge;
import io.vxseal.kernel.route.RemoteEndpoint;
import io.vxseal.kernel.route.Vxlan;
import io.vxseal.kernel.xfrm.SecurityAssociation;
import io.vxseal.kernel.xfrm.SecurityAssociation.AeadKey;
import io.vxseal.kernel.xfrm.SecurityPolicy;
import io.vxseal.kernel.xfrm.SecurityPolicy.Action;
import io.vxseal.kernel.xfrm.Xfrm;
import io.vxseal.kernel.xfrm.XfrmChange.AddState;
import io.vxseal.kernel.xfrm.XfrmChange.PutPolicy;
import io.vxseal.kernel.xfrm.XfrmRefusal;
import java.net.InetAddress;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Datagrams that leave sealed, on hosts with rules of other programs. Needs a kernel with ESP and AES-GCM, as the guests have. */
@Tag("esp")
class SealedPriorityTest {
    private static final int MARK = 0x76d0c4e3;
    private static final int PORT = 4789;
    private static final InetAddress HERE = InetAddress.ofLiteral("10.55.0.1");
    private static final InetAddress THERE = InetAddress.ofLiteral("10.55.0.2");
    private static final SecurityAssociation STATE =
            new SecurityAssociation(new SecurityAssociation.Id(HERE, THERE, 0x100), new AeadKey(new byte[20]));

    @TempDir
    Path folder;

    private TestHost underlay;
    private TestHost overlay;
    private TestHost far;

    @BeforeEach
    void open() throws Exception {
        underlay = new TestHost(folder.resolve("underlay"));
        overlay = new TestHost(folder.resolve("overlay"));
        far = new TestHost(folder.resolve("far"));
        underlay.run("ip link add wire type veth peer name eriw netns " + far.pin);
        underlay.run("ip link set wire up");
        underlay.run("ip address add 10.55.0.1/24 dev wire");
        underlay.run("ip address add 10.55.0.9/24 dev wire");
        far.run("ip link set eriw up");
        far.run("ip address add 10.55.0.2/24 dev eriw");
        far.run("nft add table inet witness");
        far.run(List.of("nft", "add chain inet witness in { type filter hook prerouting priority -400; }"));
        far.run("nft add rule inet witness in udp dport 4789 counter");
        far.run("nft add rule inet witness in meta l4proto esp counter");
        overlay.route.links().addBridge(new Bridge("br0", 1424, List.of(Cidr.parse("10.44.0.1/24"))));
        underlay.route.links().addVxlan(
                new Vxlan("vx0", 4097, PORT, 1424, Optional.of(HERE), "br0"), overlay.namespace, overlay.route.links());
        overlay.route.neighbours().add("vx0", List.of(new RemoteEndpoint(
                InetAddress.ofLiteral("10.44.0.9"), MacAddress.parse("02:42:0a:2c:00:09"), THERE)));
        Cidr any = new Cidr(HERE, 0).network();
        List<XfrmRefusal> failures = Xfrm.in(underlay.namespace).apply(List.of(
                new PutPolicy(new SecurityPolicy(new SecurityPolicy.Id(any, any, PORT, MARK), new Action.Block())),
                new AddState(STATE),
                new PutPolicy(new SecurityPolicy(
                        new SecurityPolicy.Id(new Cidr(HERE, 32), new Cidr(THERE, 32), PORT, MARK),
                        new Action.Seal(STATE.id().spi())))));
        Assumptions.assumeTrue(failures.isEmpty(), () -> failures.getFirst().reason().getMessage());
    }

    @AfterEach
    void close() throws Exception {
        far.close();
        overlay.close();
        underlay.close();
    }

    /** The kernel looks for the way of what it has translated behind all rules for what leaves. */
    @ParameterizedTest
    @CsvSource({"masquerade random, true", "snat to 10.55.0.9, false"})
    void sendsNothingInClearWhereTheHostTranslates(String translation, boolean sealed) throws Exception {
        underlay.run("nft add table ip theirs");
        underlay.run(List.of("nft", "add chain ip theirs out { type nat hook postrouting priority srcnat; }"));
        underlay.run("nft add rule ip theirs out oifname wire " + translation);
        new FirewallDetector(Firewall.Backend.NFTABLES, underlay.namespace(), List.of()).detect(Firewall.Transport.IPV4)
                .protect(Set.of(new Segment(PORT, 4097)));
        try (FrameMark mark = FrameMark.in(overlay.namespace, MARK);
                SealedPriority priority = SealedPriority.in(underlay.namespace, MARK)) {
            mark.restore();
            priority.restore();
            overlay.run(List.of("bash", "-c", "echo x > /dev/udp/10.44.0.9/9"));
            assertThat(arrived("udp dport 4789")).as("in clear").isZero();
            assertThat(arrived("meta l4proto esp") > 0).as("sealed").isEqualTo(sealed);
            priority.remove();
            overlay.run(List.of("bash", "-c", "echo x > /dev/udp/10.44.0.9/9"));
            assertThat(arrived("udp dport 4789")).as("in clear, without the table: what this test would see").isPositive();
        }
    }

    /** A chain at the same priority as source NAT comes before it or behind it, as they were made. */
    @Test
    void sendsNothingInClearWhereAForeignChainChangesTheMarkRightBeforeTranslation() throws Exception {
        underlay.run("nft add table ip theirs");
        underlay.run(List.of("nft", "add chain ip theirs marks { type filter hook postrouting priority srcnat; }"));
        underlay.run("nft add rule ip theirs marks udp dport 4789 meta mark set 0");
        underlay.run(List.of("nft", "add chain ip theirs out { type nat hook postrouting priority srcnat; }"));
        underlay.run("nft add rule ip theirs out oifname wire snat to 10.55.0.9");
        try (FrameMark mark = FrameMark.in(overlay.namespace, MARK);
                SealedPriority priority = SealedPriority.in(underlay.namespace, MARK)) {
            mark.restore();
            priority.restore();
            overlay.run(List.of("bash", "-c", "echo x > /dev/udp/10.44.0.9/9"));
            assertThat(arrived("udp dport 4789")).as("in clear").isZero();
            assertThat(arrived("meta l4proto esp")).as("sealed").isZero();
            priority.remove();
            overlay.run(List.of("bash", "-c", "echo x > /dev/udp/10.44.0.9/9"));
            assertThat(arrived("udp dport 4789")).as("in clear, without the table: what this test would see").isPositive();
        }
    }

    /** Priorities are class handles to queueing disciplines; a class that a rule of the host chose stays. */
    @ParameterizedTest
    @CsvSource({"'', none", "meta priority set 1:10, 1:10"})
    void sealedPacketsKeepNoPriorityOfOurs(String classification, String expected) throws Exception {
        underlay.run("nft add table inet theirs");
        underlay.run(List.of("nft", "add chain inet theirs out { type filter hook postrouting priority mangle; }"));
        if (!classification.isEmpty()) {
            underlay.run("nft add rule inet theirs out meta l4proto udp " + classification);
        }
        underlay.run("nft add table inet witness");
        underlay.run(List.of("nft", "add chain inet witness out { type filter hook postrouting priority 300; }"));
        underlay.run("nft add rule inet witness out meta l4proto esp meta priority " + expected + " counter");
        try (FrameMark mark = FrameMark.in(overlay.namespace, MARK);
                SealedPriority priority = SealedPriority.in(underlay.namespace, MARK)) {
            mark.restore();
            overlay.run(List.of("bash", "-c", "echo x > /dev/udp/10.44.0.9/9"));
            assertThat(arrived("meta l4proto esp")).as("sealed").isOne();
            int before = counted();
            priority.restore();
            overlay.run(List.of("bash", "-c", "echo x > /dev/udp/10.44.0.9/9"));
            assertThat(arrived("meta l4proto esp")).as("sealed").isEqualTo(2);
            assertThat(counted() - before).as("with this priority").isOne();
            assertThat(before).as("with this priority, without the table").isEqualTo(classification.isEmpty() ? 0 : 1);
        }
    }

    private int counted() {
        var count = Pattern.compile("counter packets (\\d+)").matcher(underlay.run("nft list table inet witness"));
        assertThat(count.find()).isTrue();
        return Integer.parseInt(count.group(1));
    }

    /** A rule that changes the mark takes datagrams off the route through our state. */
    @Test
    void dropsDatagramsWhoseMarkAForeignRuleChanges() throws Exception {
        try (FrameMark mark = FrameMark.in(overlay.namespace, MARK);
                SealedPriority priority = SealedPriority.in(underlay.namespace, MARK)) {
            mark.restore();
            underlay.run("nft add table inet theirs");
            underlay.run(List.of("nft", "add chain inet theirs out { type route hook output priority -140; }"));
            underlay.run("nft add rule inet theirs out meta l4proto udp meta mark set 1");
            overlay.run(List.of("bash", "-c", "echo x > /dev/udp/10.44.0.9/9"));
            assertThat(arrived("udp dport 4789")).as("in clear, without the table: what this test would see").isOne();
            priority.restore();
            overlay.run(List.of("bash", "-c", "echo x > /dev/udp/10.44.0.9/9"));
            assertThat(arrived("udp dport 4789")).as("in clear").isOne();
            assertThat(arrived("meta l4proto esp")).as("sealed").isZero();
            underlay.run("nft delete table inet theirs");
            overlay.run(List.of("bash", "-c", "echo x > /dev/udp/10.44.0.9/9"));
            assertThat(arrived("meta l4proto esp")).as("sealed, once the rule is gone").isOne();
        }
    }

    private int arrived(String what) {
        var count = Pattern.compile(Pattern.quote(what) + " counter packets (\\d+)").matcher(far.run("nft list table inet witness"));
        assertThat(count.find()).isTrue();
        return Integer.parseInt(count.group(1));
    }
}
