package io.vxseal.overlay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.vxseal.address.Cidr;
import io.vxseal.kernel.TestHost;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.monitor.KernelMonitor;
import io.vxseal.kernel.netns.Namespace;
import io.vxseal.kernel.route.Bridge;
import io.vxseal.kernel.route.Route;
import io.vxseal.kernel.route.Vxlan;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NetworkNamespaceTest {
    private static final int PORT = 4789;

    @TempDir
    Path folder;

    @Test
    void createSetsLoopbackUp() throws Exception {
        try (TestHost underlay = new TestHost(folder.resolve("underlay"))) {
            Cidr gateway = Cidr.parse("10.44.0.1/24");
            Network network = new Network("n1", false, 1450, List.of(new Subnet(gateway.network(), gateway, 4097)));
            Host host = new Host(underlay.namespace, underlay.route, folder.resolve("pins"), PORT);
            NetworkNamespace created = NetworkNamespace.create(network, host);
            created.build(InetAddress.ofLiteral("10.55.0.1"));
            try {
                assertThat(underlay.run("nsenter --net=" + host.pins().resolve("n1") + " ip link show dev lo"))
                        .contains(",UP");
            } finally {
                created.delete();
            }
        }
    }

    /** The namespace's own list of netlink sockets, so that other tests of this process do not count. */
    @Test
    void closesWatchWithEachNetwork() throws Exception {
        try (TestHost underlay = new TestHost(folder.resolve("underlay"));
                KernelMonitor monitor = KernelMonitor.in(underlay.namespace)) {
            Network network = encrypted();
            Host host = new Host(underlay.namespace, underlay.route, folder.resolve("pins"), PORT, Optional.of(monitor));
            NetworkNamespace created = NetworkNamespace.create(network, host);
            String sockets = "nsenter --net=" + host.pins().resolve("n1") + " cat /proc/net/netlink";
            try {
                long before = underlay.run(sockets).lines().count();
                for (int round = 0; round < 200; round++) {
                    try (NetworkNamespace opened = NetworkNamespace.open(network, host).orElseThrow()) {
                        opened.repairMark();
                    }
                }
                assertThat(underlay.run(sockets).lines().count()).isEqualTo(before);
            } finally {
                created.delete();
            }
        }
    }

    /** The kernel deletes a veth pair with the namespace of one of its ends. */
    @Test
    void deletedNetworkReleasesItsNamespace() throws Exception {
        try (TestHost underlay = new TestHost(folder.resolve("underlay"));
                KernelMonitor monitor = KernelMonitor.in(underlay.namespace)) {
            Host host = new Host(underlay.namespace, underlay.route, folder.resolve("pins"), PORT, Optional.of(monitor));
            NetworkNamespace created = NetworkNamespace.create(encrypted(), host);
            created.build(InetAddress.ofLiteral("10.55.0.1"));
            underlay.run("ip link add near type veth peer name far netns " + host.pins().resolve("n1"));
            created.delete();
            await("the end of the namespace").atMost(Duration.ofSeconds(20)).until(() -> !underlay.run("ip -o link").contains("near"));
        }
    }

    private static Network encrypted() throws Exception {
        Cidr gateway = Cidr.parse("10.44.0.1/24");
        return new Network("n1", true, 1450, List.of(new Subnet(gateway.network(), gateway, 4097)));
    }

    /** Somebody unmounted it, and a process still holds the namespace. */
    @Test
    void deletesDevicesOfNamespaceThatIsNoLongerPinned() throws Exception {
        try (TestHost underlay = new TestHost(folder.resolve("underlay"))) {
            Host host = new Host(underlay.namespace, underlay.route, folder.resolve("pins"), PORT);
            NetworkNamespace created = NetworkNamespace.create(encrypted(), host);
            created.build(InetAddress.ofLiteral("10.55.0.1"));
            Path pin = host.pins().resolve("n1");
            try (Namespace held = Namespace.open(pin).orElseThrow(); Route route = Route.in(held)) {
                Namespace.unpin(pin);
                created.delete();
                assertThat(route.links().list()).noneMatch(link -> link.tunnel().isPresent());
            }
        }
    }

    /** A process that is about to end still holds the namespace. */
    @Test
    void deleteFreesVnisOfNamespaceStillHeldOpen() throws Exception {
        Path pin = folder.resolve("net");
        try (TestHost underlay = new TestHost(folder.resolve("underlay"));
                Namespace held = Namespace.create(pin);
                Route route = Route.in(held)) {
            route.links().addBridge(new Bridge("br0", 1400, List.of()));
            Vxlan vxlan = new Vxlan("vx0", 4097, PORT, 1400, Optional.empty(), "br0");
            underlay.route.links().addVxlan(vxlan, held, route.links());
            NetworkNamespace.delete(pin);
            assertThat(route.links().find("vx0")).isEmpty();
            try (Namespace again = Namespace.create(pin); Route other = Route.in(again)) {
                other.links().addBridge(new Bridge("br0", 1400, List.of()));
                underlay.route.links().addVxlan(vxlan, again, other.links());
            }
            NetworkNamespace.delete(pin);
        }
        assertThat(pin).doesNotExist();
    }

    @Test
    void deleteAcceptsMissingNamespaceAndPlainFile() throws Exception {
        Path pin = folder.resolve("net");
        NetworkNamespace.delete(pin);
        NetworkNamespace.delete(Files.createFile(pin));
        assertThat(pin).doesNotExist();
    }

    /** The file cannot be deleted while its folder is read-only. */
    @Test
    void deleteCanBeRepeatedAfterFailure() throws Exception {
        Path below = Files.createDirectory(folder.resolve("below"));
        Path pin = below.resolve("net");
        run("mount", "-t", "tmpfs", "tmpfs", below.toString());
        try {
            Namespace.create(pin).close();
            run("mount", "-o", "remount,ro", below.toString());
            assertThatThrownBy(() -> NetworkNamespace.delete(pin))
                    .isInstanceOf(KernelException.class)
                    .hasMessageContaining("net");
            run("mount", "-o", "remount,rw", below.toString());
            Namespace.create(pin).close();
            NetworkNamespace.delete(pin);
            assertThat(pin).doesNotExist();
        } finally {
            run("umount", "-R", below.toString());
        }
    }

    private static void run(String... command) throws Exception {
        new ProcessBuilder(command).inheritIO().start().waitFor();
    }
}
