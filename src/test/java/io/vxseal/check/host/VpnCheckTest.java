package io.vxseal.check.host;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.vxseal.check.Finding;
import io.vxseal.kernel.TestHost;
import java.net.InetSocketAddress;
import java.nio.channels.DatagramChannel;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** VPNs of other programs, none of which is a failure by itself. */
class VpnCheckTest {
    @TempDir
    private Path folder;

    private TestHost host;

    @BeforeEach
    void open() throws Exception {
        host = new TestHost(folder.resolve("host"));
    }

    @AfterEach
    void close() throws Exception {
        host.close();
    }

    private Finding run() throws Exception {
        var findings = new VpnCheck(host.namespace, 4789).run();
        assertThat(findings).hasSize(1).allMatch(finding -> finding.fit() && !finding.warns());
        return findings.getFirst();
    }

    @Test
    void findsNoneOnOrdinaryHost() throws Exception {
        host.run("ip link add docker0 type bridge");
        host.run("ip link add veth0 type veth peer name veth1");
        assertThat(run().found()).isEqualTo("none found");
    }

    @ParameterizedTest
    @ValueSource(ints = {500, 4500})
    void namesDaemonOfIke(int port) throws Exception {
        try (DatagramChannel _ = host.within(() -> DatagramChannel.open().bind(new InetSocketAddress(port)))) {
            assertThat(run().found()).startsWith("IKE by process ").contains("(" + ProcessHandle.current().pid() + ")");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"wg0 type wireguard", "g0 type geneve id 7 remote 10.0.0.1"})
    void namesTunnel(String device) throws Exception {
        assumeTrue(host.failure("ip link add " + device).isEmpty(), "this kernel has no such devices");
        assertThat(run().found()).contains("device " + device.split(" ")[0], "no trouble");
    }
}
