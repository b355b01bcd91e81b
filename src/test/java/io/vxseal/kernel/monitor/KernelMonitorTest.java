package io.vxseal.kernel.monitor;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.kernel.TestHost;
import java.nio.file.Path;
import java.time.Duration;
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
    void awaitIgnoresAdditionsAndLinks() throws Exception {
        try (KernelMonitor watch = KernelMonitor.in(host.namespace)) {
            host.run("nft add table inet another");
            host.run("ip xfrm policy add src 0.0.0.0/0 dst 0.0.0.0/0 proto udp dport 2 dir out action block");
            host.run("ip link set lo down");
            assertThat(watch.await(SHORT)).isFalse();
        }
    }
}
