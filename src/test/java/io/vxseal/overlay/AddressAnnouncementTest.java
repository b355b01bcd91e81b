package io.vxseal.overlay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.vxseal.address.NodeAddresses;
import io.vxseal.cluster.ClusterSettings;
import io.vxseal.cluster.ClusterStatus;
import io.vxseal.kernel.TestHost;
import io.vxseal.kernel.firewall.Firewall;
import io.vxseal.swarm.Role;
import io.vxseal.swarm.TestSwarm;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the cluster learns of this node's address, which the engine names once. */
class AddressAnnouncementTest {
    private static final InetAddress HERE = InetAddress.ofLiteral("127.0.77.1");

    @TempDir
    private Path folder;

    private Driver driver(TestHost host, Path certificates, Path firewall) throws Exception {
        int clusterPort;
        try (ServerSocket free = new ServerSocket(0, 1, HERE)) {
            clusterPort = free.getLocalPort();
        }
        return new DriverParts(host, folder)
                .firewall(Firewall.Backend.NFTABLES, List.of("sh", firewall.toString()))
                .cluster(new ClusterSettings(
                        certificates, folder.resolve("managers.json"), clusterPort, Duration.ofHours(12), 0, Optional.empty(), Optional.empty()))
                .driver();
    }

    /** A lock of xtables that is held for long, or a module that is missing. */
    @Test
    void clusterLearnsAddressEvenIfFirewallFails() throws Exception {
        Path certificates = TestSwarm.make(Files.createDirectories(folder.resolve("swarm")), "swarmswarmswarmswarmswarm")
                .node("node-1", Role.MANAGER);
        Path firewall = Files.writeString(folder.resolve("firewall"), "echo 'no firewall works' >&2; exit 1");
        try (TestHost host = new TestHost(folder.resolve("host"));
                Driver driver = driver(host, certificates, firewall)) {
            driver.recover();
            driver.self(new NodeAddresses(HERE, HERE));
            await("this node's hub").until(() -> driver.clusterStatus().members().stream()
                    .anyMatch(member -> member.vtep().equals(Optional.of(HERE))));
            assertThat(driver.clusterStatus().hubs()).extracting(ClusterStatus.Hub::node).containsExactly("node-1");
        }
    }
}
