package io.vxseal.kernel.route;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.address.Cidr;
import io.vxseal.address.MacAddress;
import io.vxseal.kernel.TestHost;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

/** Tests of frames between containers on one and on two hosts. */
class ForwardingTest extends UnderlayAndOverlay {
    /** Two hosts on a wire with a container each: frames follow the entries that were added, without flooding. */
    @Test
    void containersReachEachOtherAcrossHosts() throws Exception {
        try (TestHost otherUnderlay = new TestHost(folder.resolve("underlay2"));
                TestHost otherOverlay = new TestHost(folder.resolve("overlay2"));
                TestHost container = new TestHost(folder.resolve("container"));
                TestHost otherContainer = new TestHost(folder.resolve("container2"))) {
            underlay.run("ip link add wire type veth peer name wire netns " + otherUnderlay.pin);
            host(underlay, overlay, container, 1);
            host(otherUnderlay, otherOverlay, otherContainer, 2);
            remote(overlay, 2);
            remote(otherOverlay, 1);

            assertDatagramArrives(container, otherContainer, ip("10.44.0.12"));
            assertDatagramArrives(otherContainer, container, ip("10.44.0.11"));
            assertDatagramArrives(container, otherContainer, ip("fd00:44::12"));
        }
    }

    /** The container sends no frame, so only the entries that were added lead to it. */
    @Test
    void reachesSilentContainerThatMovedHere() throws Exception {
        try (TestHost otherUnderlay = new TestHost(folder.resolve("underlay2"));
                TestHost otherOverlay = new TestHost(folder.resolve("overlay2"));
                TestHost container = new TestHost(folder.resolve("container"));
                TestHost otherContainer = new TestHost(folder.resolve("container2"));
                TestHost moved = new TestHost(folder.resolve("moved"))) {
            underlay.run("ip link add wire type veth peer name wire netns " + otherUnderlay.pin);
            host(underlay, overlay, container, 1);
            host(otherUnderlay, otherOverlay, otherContainer, 2);
            remote(overlay, 2);
            remote(otherOverlay, 1);
            assertDatagramArrives(otherContainer, container, ip("10.44.0.11"));
            otherOverlay.route.links().delete("veth0");
            overlay.route.neighbours().remove("vx0", overlay.route.neighbours().list("vx0"));

            MacAddress mac = MacAddress.of(ip("10.44.0.12"));
            overlay.route.links().addVeth(new Veth("veth1", "br0", "eth0", mac, 1424), moved.namespace);
            otherOverlay.route.neighbours().add(
                    "vx0", List.of(new RemoteEndpoint(ip("10.44.0.12"), mac, ip("10.55.0.1"))));
            listenOnly(moved, mac);
            container.run("ip neigh replace 10.44.0.12 lladdr " + mac + " dev eth0 nud permanent");

            assertDatagramArrives(container, moved, ip("10.44.0.12"));
            try (TestHost neighbour = new TestHost(folder.resolve("neighbour"))) {
                attach(otherOverlay, neighbour, 3);
                neighbour.run("ip link set eth0 up");
                assertDatagramArrives(neighbour, moved, ip("10.44.0.12"));
            }
            assertThat(counted(moved)).isZero();
        }
    }

    @Test
    void doesNotLearnMacForgedOnOtherHost() throws Exception {
        try (TestHost otherUnderlay = new TestHost(folder.resolve("underlay2"));
                TestHost otherOverlay = new TestHost(folder.resolve("overlay2"));
                TestHost container = new TestHost(folder.resolve("container"));
                TestHost victim = new TestHost(folder.resolve("victim"));
                TestHost forger = new TestHost(folder.resolve("container2"))) {
            underlay.run("ip link add wire type veth peer name wire netns " + otherUnderlay.pin);
            host(underlay, overlay, container, 1);
            host(otherUnderlay, otherOverlay, forger, 2);
            remote(overlay, 2);
            remote(otherOverlay, 1);
            MacAddress mac = MacAddress.of(ip("10.44.0.13"));
            attach(overlay, victim, 3);
            victim.run("ip link set eth0 up");

            forger.run("ip neigh replace 10.44.0.11 lladdr 02:42:0a:2c:00:0b dev eth0 nud permanent");
            for (String forged : List.of(mac.toString(), "02:66:66:66:66:66")) {
                forger.run("ip link set eth0 down");
                forger.run("ip link set eth0 address " + forged);
                forger.run("ip link set eth0 up");
                forger.run("ip neigh replace 10.44.0.11 lladdr 02:42:0a:2c:00:0b dev eth0 nud permanent");
                assertDatagramArrives(forger, container, ip("10.44.0.11"));
                assertThat(overlay.run("bridge fdb show br br0")).doesNotContainPattern(forged + " dev vx0");
            }
            assertDatagramArrives(container, victim, ip("10.44.0.13"));

            // A learning port would have been deceived.
            overlay.run("bridge link set dev vx0 learning on");
            assertDatagramArrives(forger, container, ip("10.44.0.11"));
            assertThat(overlay.run("bridge fdb show br br0")).containsPattern("02:66:66:66:66:66 dev vx0");
        }
    }

    @Test
    void doesNotLearnMacForgedOnThisHost() throws Exception {
        try (TestHost victim = new TestHost(folder.resolve("victim"));
                TestHost forger = new TestHost(folder.resolve("forger"))) {
            vxlan(Optional.empty());
            for (TestHost host : List.of(victim, forger)) {
                attach(overlay, host, host == victim ? 3 : 4);
            }
            forger.run("ip link set eth0 address 02:42:0a:2c:00:0c");
            victim.run("ip link set eth0 up");
            forger.run("ip link set eth0 up");
            forger.run("ip neigh replace 10.44.0.13 lladdr 02:42:0a:2c:00:0d dev eth0 nud permanent");
            assertDatagramArrives(forger, victim, ip("10.44.0.13"));
            assertThat(overlay.run("bridge fdb show br br0")).doesNotContainPattern("02:42:0a:2c:00:0c dev veth");
        }
    }

    @Test
    void doesNotFloodFramesForOtherNodesToContainers() throws Exception {
        try (TestHost sender = new TestHost(folder.resolve("sender"));
                TestHost bystander = new TestHost(folder.resolve("bystander"))) {
            vxlan(Optional.empty());
            for (TestHost host : List.of(sender, bystander)) {
                attach(overlay, host, host == sender ? 3 : 4);
                host.run("ip link set eth0 up");
            }
            counter(overlay, "vx0", "egress", "02:42:0a:2c:00:0c");
            counter(bystander, "eth0", "ingress", "02:42:0a:2c:00:0c");
            sender.run("ip neigh replace 10.44.0.12 lladdr 02:42:0a:2c:00:0c dev eth0 nud permanent");
            assertDatagramArrives(sender, bystander, ip("10.44.0.14"));
            try (DatagramSocket socket = socket(sender)) {
                for (int i = 0; i < 5; i++) {
                    socket.send(new DatagramPacket(new byte[1], 1, ip("10.44.0.12"), 9));
                }
            }
            assertDatagramArrives(sender, bystander, ip("10.44.0.14"));
            assertThat(counted(overlay)).isEqualTo(5);
            assertThat(counted(bystander)).isZero();
            // With flooding the bystander would have received the frame.
            overlay.run("bridge link set dev veth4 flood on");
            try (DatagramSocket socket = socket(sender)) {
                socket.send(new DatagramPacket(new byte[1], 1, ip("10.44.0.12"), 9));
            }
            assertDatagramArrives(sender, bystander, ip("10.44.0.14"));
            assertThat(counted(bystander)).isOne();
        }
    }

    /** Sets a container's link up, drops everything it sends, and counts its IPv4 packets. */
    private static void listenOnly(TestHost container, MacAddress mac) {
        container.run("ip link set eth0 address " + mac + " arp off");
        container.run("ip address add 10.44.0.12/24 dev eth0");
        container.run("nft add table netdev t");
        container.run("nft add counter netdev t sent");
        container.run("nft add chain netdev t out { type filter hook egress device eth0 priority 0; }");
        container.run("nft add rule netdev t out ip saddr 10.44.0.12 counter name sent drop");
        container.run("nft add rule netdev t out drop");
        container.run("ip link set eth0 up");
    }

    private static void counter(TestHost host, String link, String hook, String mac) {
        host.run("nft add table netdev t");
        host.run("nft add counter netdev t sent");
        host.run("nft add chain netdev t c { type filter hook " + hook + " device " + link + " priority 0; }");
        host.run("nft add rule netdev t c ether daddr " + mac + " counter name sent");
    }

    private static int counted(TestHost host) {
        return host.json("nft -j list counter netdev t sent").at("/nftables/1/counter/packets").asInt();
    }

    /** Sends datagrams until one arrives: a link that was just set up gets its carrier a moment later. */
    private static void assertDatagramArrives(TestHost from, TestHost to, InetAddress address) throws Exception {
        try (DatagramSocket receiver = socket(to); DatagramSocket sender = socket(from)) {
            byte[] sent = "across".getBytes(StandardCharsets.US_ASCII);
            var received = new DatagramPacket(new byte[100], 100);
            receiver.setSoTimeout(1000);
            for (int attempt = 1; ; attempt++) {
                sender.send(new DatagramPacket(sent, sent.length, address, receiver.getLocalPort()));
                try {
                    receiver.receive(received);
                    break;
                } catch (SocketTimeoutException none) {
                    if (attempt == 15) {
                        throw none;
                    }
                }
            }
            assertThat(received.getLength()).isEqualTo(sent.length);
        }
    }

    private static DatagramSocket socket(TestHost host) throws Exception {
        var opened = new AtomicReference<DatagramSocket>();
        host.namespace.within(() -> {
            try {
                opened.set(new DatagramSocket());
                return 0;
            } catch (SocketException e) {
                throw new AssertionError(e);
            }
        });
        return opened.get();
    }

    private static void host(TestHost underlay, TestHost overlay, TestHost container, int number) throws Exception {
        underlay.run("ip address add 10.55.0." + number + "/24 dev wire");
        underlay.run("ip link set wire up");
        overlay.route.links().addBridge(new Bridge("br0", 1424, List.of(Cidr.parse("10.44.0.1/24"))));
        underlay.route.links().addVxlan(
                new Vxlan("vx0", 4097, 4789, 1424, Optional.empty(), "br0"), overlay.namespace, overlay.route.links());
        MacAddress mac = MacAddress.of(ip("10.44.0.1" + number));
        overlay.route.links().addVeth(new Veth("veth0", "br0", "eth0", mac, 1424), container.namespace);
        container.run("ip address add 10.44.0.1" + number + "/24 dev eth0");
        container.run("ip address add fd00:44::1" + number + "/64 dev eth0 nodad");
        container.run("ip link set eth0 up");
    }

    /** Connects a container to the bridge as 10.44.0.1N, with its link down. */
    private static void attach(TestHost overlay, TestHost container, int number) throws Exception {
        InetAddress address = ip("10.44.0.1" + number);
        overlay.route.links().addVeth(
                new Veth("veth" + number, "br0", "eth0", MacAddress.of(address), 1424), container.namespace);
        container.run("ip address add " + address.getHostAddress() + "/24 dev eth0");
    }

    private static void remote(TestHost overlay, int number) throws Exception {
        MacAddress mac = MacAddress.of(ip("10.44.0.1" + number));
        InetAddress vtep = ip("10.55.0." + number);
        overlay.route.neighbours().add("vx0", List.of(
                new RemoteEndpoint(ip("10.44.0.1" + number), mac, vtep),
                new RemoteEndpoint(ip("fd00:44::1" + number), mac, vtep)));
    }
}
