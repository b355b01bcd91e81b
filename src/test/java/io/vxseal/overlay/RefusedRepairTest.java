package io.vxseal.overlay;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.address.NodeAddresses;
import io.vxseal.cluster.PeerChange;
import io.vxseal.kernel.TestHost;
import io.vxseal.kernel.netlink.NetlinkDescriptor;
import io.vxseal.kernel.netlink.ProgramSockets;
import io.vxseal.kernel.netns.Namespace;
import java.io.OutputStream;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Repairs of which the kernel refuses one part, or cannot be asked: a network that is not protected has no device that is up. */
class RefusedRepairTest {
    private static final String NETWORK = "abcdefgh";
    private static final String DEVICE = "vx-001092-abcde";
    private static final InetAddress HERE = InetAddress.ofLiteral("10.55.0.1");

    /** With so many nodes, IPsec is programmed in more octets than a small buffer has. */
    private static final int NODES = 20;

    @TempDir
    Path folder;

    private TestHost host;
    private DriverParts parts;
    private Driver driver;

    /** Brings an encrypted network up that reaches many nodes. */
    @BeforeEach
    void open() throws Exception {
        host = new TestHost(folder.resolve("host"));
        parts = new DriverParts(host, folder);
        driver = parts.start(HERE);
        DriverParts.serve(driver, DriverParts.network(NETWORK, 4242, true));
        driver.peersChanged(IntStream.range(0, NODES)
                .<PeerChange>mapToObj(node -> new PeerChange.Added(DriverParts.peer(
                        NETWORK, "there" + node, "10.44.0.1" + node, InetAddress.ofLiteral("10.55.1." + node))))
                .toList());
        driver.repair();
        assertThat(isUp()).isTrue();
    }

    @AfterEach
    void close() throws Exception {
        driver.close();
        Namespace.unpin(parts.pin(NETWORK));
        host.close();
    }

    private String inside(String command) {
        return host.run("nsenter --net=%s %s".formatted(parts.pin(NETWORK), command));
    }

    private boolean isUp() {
        return inside("ip -o link show " + DEVICE).contains(",UP");
    }

    private boolean isBlocked() {
        return host.run("ip xfrm policy").contains("action block");
    }

    private ProgramSockets sockets(int protocol) throws Exception {
        return ProgramSockets.in(host.run("cat /proc/net/netlink"), protocol);
    }

    private ProgramSockets socketsInside(int protocol) throws Exception {
        return ProgramSockets.in(inside("cat /proc/net/netlink"), protocol);
    }

    @Test
    void setsDeviceDownWhileTheBlockIsRefused() throws Exception {
        ProgramSockets xfrm = sockets(NetlinkDescriptor.NETLINK_XFRM);
        xfrm.refuseLargeRequests();
        host.run("ip xfrm policy flush");
        driver.repair();
        assertThat(isBlocked()).isFalse();
        assertThat(isUp()).isFalse();
        driver.repair();
        assertThat(isUp()).isFalse();
        xfrm.acceptLargeRequests();
        driver.repair();
        assertThat(isBlocked()).isTrue();
        assertThat(isUp()).isTrue();
    }

    /** The kernel puts it, but what it answers to that is lost. */
    @Test
    void setsDeviceDownUntilTheBlockIsKnownToBeThere() throws Exception {
        driver.close();
        host.run("ip xfrm policy flush");
        driver = parts.driver();
        driver.recover();
        ProgramSockets xfrm = sockets(NetlinkDescriptor.NETLINK_XFRM);
        xfrm.cutAnswers();
        driver.self(new NodeAddresses(HERE, HERE));
        assertThat(isUp()).isFalse();
        inside("ip link set %s up".formatted(DEVICE));
        driver.repair();
        assertThat(isUp()).isFalse();
        xfrm.passAnswers();
        driver.repair();
        assertThat(isBlocked()).isTrue();
        assertThat(isUp()).isTrue();
    }

    /** The kernel lets nobody else change a table that has an owner. */
    @ParameterizedTest
    @CsvSource({"host, inet vxseal", "host, inet vxseal-priority", "network, bridge vxseal"})
    void setsDeviceDownWhileRulesAreRefused(String where, String table) throws Exception {
        Path namespace = where.equals("host") ? host.pin : parts.pin(NETWORK);
        host.run("nsenter --net=%s nft delete table %s".formatted(namespace, table));
        Process owner = new ProcessBuilder("nsenter", "--net=" + namespace, "nft", "--interactive")
                .redirectErrorStream(true).redirectOutput(ProcessBuilder.Redirect.DISCARD).start();
        try (OutputStream commands = owner.getOutputStream()) {
            commands.write("add table %s { flags owner; }\n".formatted(table).getBytes(StandardCharsets.UTF_8));
            commands.flush();
            String name = "nsenter --net=%s nft list tables".formatted(namespace);
            while (!host.run(name).lines().toList().contains("table " + table)) {
                Thread.onSpinWait();
            }
            driver.repair();
            assertThat(isUp()).isFalse();
            driver.repair();
            assertThat(isUp()).isFalse();
        }
        owner.waitFor();
        driver.repair();
        assertThat(isUp()).isTrue();
    }

    enum Part {
        BLOCK,
        RULES,
        MARK
    }

    private ProgramSockets sockets(Part part) throws Exception {
        return switch (part) {
            case BLOCK -> sockets(NetlinkDescriptor.NETLINK_XFRM);
            case RULES -> sockets(NetlinkDescriptor.NETLINK_NETFILTER);
            case MARK -> socketsInside(NetlinkDescriptor.NETLINK_NETFILTER);
        };
    }

    /** What could not be read once is as it was, as far as anybody knows. */
    @ParameterizedTest
    @EnumSource(Part.class)
    void keepsDeviceUpIfTheKernelsListIsCutShort(Part part) throws Exception {
        ProgramSockets cut = sockets(part);
        cut.cutAnswers();
        driver.repair();
        assertThat(isUp()).isTrue();
        assertThat(driver.status().errors()).isNotEmpty();
        cut.passAnswers();
        driver.repair();
        assertThat(isUp()).isTrue();
    }

    /** A device that others set up meanwhile is not protected any better. */
    @ParameterizedTest
    @EnumSource(Part.class)
    void setsDeviceDownIfTheKernelsListStaysCutShort(Part part) throws Exception {
        ProgramSockets cut = sockets(part);
        cut.cutAnswers();
        for (int repair = 0; repair <= RepairLog.MAX_INTERRUPTED; repair++) {
            driver.repair();
        }
        assertThat(isUp()).isFalse();
        cut.passAnswers();
        driver.repair();
        assertThat(isUp()).isTrue();
    }

    /** A list that is cut short is no reason to set a device up again. */
    @Test
    void leavesDeviceDownIfTheKernelsListIsCutShort() throws Exception {
        inside("ip link set %s down".formatted(DEVICE));
        ProgramSockets cut = sockets(Part.BLOCK);
        cut.cutAnswers();
        driver.repair();
        assertThat(isUp()).isFalse();
        cut.passAnswers();
        driver.repair();
        assertThat(isUp()).isTrue();
    }
}
