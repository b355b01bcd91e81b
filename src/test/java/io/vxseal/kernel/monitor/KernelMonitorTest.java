package io.vxseal.kernel.monitor;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.kernel.TestHost;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Tests of the reports of changes that the distribution's tools make. */
class KernelMonitorTest {
    private static final Duration LONG = Duration.ofSeconds(5);
    private static final Duration SHORT = Duration.ofMillis(50);

    @TempDir
    Path folder;

    private TestHost host;

    @BeforeEach
    void open() throws Exception {
        host = new TestHost(folder.resolve("host"));
        host.run("iptables-nft -A INPUT -p udp --dport 1 -j DROP");
        host.run("nft add table inet other");
        host.run("ip xfrm policy add src 0.0.0.0/0 dst 0.0.0.0/0 proto udp dport 1 dir out action block");
    }

    @AfterEach
    void close() throws Exception {
        host.close();
    }

    @ParameterizedTest
    @ValueSource(strings = {
        "iptables-nft -F INPUT",
        "iptables-nft -I INPUT -j ACCEPT",
        "nft delete table inet other",
        "nft flush ruleset",
        "ip xfrm policy flush",
        "ip xfrm policy delete src 0.0.0.0/0 dst 0.0.0.0/0 proto udp dport 1 dir out"
    })
    void awaitReportsChangeOnce(String change) throws Exception {
        try (KernelMonitor watch = KernelMonitor.in(host.namespace)) {
            assertThat(watch.await(SHORT)).isFalse();
            host.run(change);
            assertThat(watch.await(LONG)).isTrue();
            assertThat(watch.await(SHORT)).isFalse();
        }
    }

    @Test
    void awaitReportsChangeInAddedNamespaceUntilItsWatchIsClosed() throws Exception {
        try (KernelMonitor monitor = KernelMonitor.in(host.namespace);
                TestHost other = new TestHost(folder.resolve("other"))) {
            other.run("nft add table inet first");
            other.run("nft add table inet second");
            other.run("nft add table inet third");
            KernelMonitor.Watch watch = monitor.watch(other.namespace);
            assertThat(monitor.await(SHORT)).isFalse();
            other.run("nft delete table inet first");
            assertThat(monitor.await(LONG)).isTrue();
            other.run("nft delete table inet second");
            watch.close();
            watch.close();
            other.run("nft delete table inet third");
            assertThat(monitor.await(SHORT)).isFalse();
            host.run("nft flush ruleset");
            assertThat(monitor.await(LONG)).isTrue();
        }
    }

    @Test
    void reportsAddressThatVxlanDeviceHasNoNeighbourOf() throws Exception {
        try (KernelMonitor monitor = KernelMonitor.open();
                TestHost network = new TestHost(folder.resolve("network"))) {
            // Else a neighbour solicitation of the bridge's own may be missed first.
            network.run(List.of("bash", "-c", "echo 1 | tee /proc/sys/net/ipv6/conf/{all,default}/disable_ipv6"));
            network.run("ip link add br0 type bridge");
            network.run("ip addr add 10.44.0.1/24 dev br0");
            network.run("ip link set br0 up");
            network.run("ip link add vx0 type vxlan id 4097 dstport 4789 nolearning proxy l2miss l3miss");
            network.run("ip link set vx0 master br0 up");
            network.run("ip neigh add 10.44.0.2 lladdr 02:00:00:00:00:02 dev vx0 nud permanent");
            monitor.watchMisses(network.namespace);
            assertThat(monitor.await(SHORT)).isFalse();
            network.run(List.of("bash", "-c", "echo > /dev/udp/10.44.0.9/9"));
            assertThat(monitor.await(LONG)).isTrue();
        }
    }

    /** The thread sees a namespace that is added while it waits, and goes on after that is removed. */
    @Test
    void awaitReportsNamespaceAddedMeanwhile() throws Exception {
        try (KernelMonitor monitor = KernelMonitor.in(host.namespace);
                TestHost other = new TestHost(folder.resolve("other"));
                ExecutorService waiting = Executors.newSingleThreadExecutor()) {
            other.run("nft add table inet first");
            Future<Boolean> changed = waiting.submit(() -> monitor.await(LONG));
            KernelMonitor.Watch watch = monitor.watch(other.namespace);
            other.run("nft delete table inet first");
            assertThat(changed.get()).isTrue();
            Future<Boolean> changedAgain = waiting.submit(() -> monitor.await(LONG));
            watch.close();
            host.run("nft flush ruleset");
            assertThat(changedAgain.get()).isTrue();
        }
    }

    @Test
    void watchCanBeClosedAfterMonitor() throws Exception {
        KernelMonitor monitor = KernelMonitor.in(host.namespace);
        KernelMonitor.Watch watch = monitor.watch(host.namespace);
        monitor.close();
        watch.close();
        assertThat(host.run("cat /proc/net/netlink").lines().filter(line -> line.contains(" 00000040 "))).isEmpty();
    }

    @Test
    void awaitIgnoresAdditionsAndLinks() throws Exception {
        try (KernelMonitor watch = KernelMonitor.in(host.namespace)) {
            host.run("nft add table inet another");
            host.run("ip xfrm policy add src 0.0.0.0/0 dst 0.0.0.0/0 proto udp dport 2 dir out action block");
            host.run("ip link set lo down");
            assertThat(watch.await(SHORT)).isFalse();
        }
    }
}
