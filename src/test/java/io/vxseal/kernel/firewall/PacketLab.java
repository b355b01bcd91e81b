package io.vxseal.kernel.firewall;

import io.vxseal.kernel.RawSocket;
import io.vxseal.kernel.TestHost;
import io.vxseal.kernel.firewall.Attempt.Attacker;
import io.vxseal.kernel.firewall.Firewall.Transport;
import io.vxseal.kernel.route.Vxlan;
import java.net.InetAddress;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A node with a container on an encrypted network and one on a plain one, and an outsider on its uplink, who has a VXLAN
 * device of the encrypted network and no firewall: what that receives has crossed the wire in clear.
 */
final class PacketLab implements AutoCloseable {
    static final int PORT = 4789;
    static final int SEALED = 0x801234;
    static final int PLAIN = 0x1001;

    private final Transport transport;
    private final List<AutoCloseable> opened = new ArrayList<>();

    final TestHost node;
    final TestHost outsider;

    /** Namespaces of the networks. */
    final TestHost sealed;

    private final TestHost plain;
    private final TestHost container;

    /** What sends frames to the node. */
    final RawSocket wire;

    /** What comes to the containers. */
    final RawSocket inSealed;

    final RawSocket inPlain;

    /** What comes to the encrypted network's gateway. */
    final RawSocket inGateway;

    /** What comes out of the encrypted network's VXLAN device on the other end of the wire. */
    final RawSocket outSealed;

    PacketLab(Path folder, Transport transport) throws Exception {
        this.transport = transport;
        try {
            node = host(folder, "node");
            outsider = host(folder, "outsider");
            sealed = host(folder, "sealed");
            plain = host(folder, "plain");
            container = host(folder, "container");
            wire();
            overlay(sealed, "vx-s", SEALED, "c-s");
            overlay(plain, "vx-p", PLAIN, "c-p");
            vxlan(outsider, "w-s", SEALED, peer());
            outsider.run("ip link set w-s up");
            wire = opened(RawSocket.sender(outsider, "wire"));
            inSealed = opened(RawSocket.listener(container, "c-s"));
            inPlain = opened(RawSocket.listener(container, "c-p"));
            inGateway = opened(RawSocket.listener(sealed, "br0"));
            outSealed = opened(RawSocket.listener(outsider, "w-s"));
        } catch (Exception | AssertionError e) {
            close();
            throw e;
        }
    }

    InetAddress address() {
        return InetAddress.ofLiteral(transport == Transport.IPV4 ? "10.55.0.1" : "fd00:55::1");
    }

    InetAddress peer() {
        return InetAddress.ofLiteral(transport == Transport.IPV4 ? "10.55.0.2" : "fd00:55::2");
    }

    /** Returns what makes an attacker's packets to the encrypted network. */
    PacketForge forge(long seed, Attacker attacker, InetAddress from, InetAddress to) {
        return new PacketForge(seed, attacker, transport, from, to, SEALED, PLAIN, PORT);
    }

    /** Returns what makes packets that nothing stops. */
    PacketForge forgeOfThePlainNetwork() {
        return new PacketForge(0, Attacker.STRANGER, transport, peer(), address(), PLAIN, PLAIN, PORT);
    }

    /** Has connections tracked on the node, as engines do: fragments are put together before any other chain then. */
    void trackConnections() {
        node.run("nft add table inet tracking");
        node.run("nft add chain inet tracking in { type filter hook prerouting priority 0 ; }");
        node.run("nft add rule inet tracking in ct state established counter");
        node.run("nft add chain inet tracking out { type filter hook output priority 0 ; }");
        node.run("nft add rule inet tracking out ct state established counter");
        node.run(List.of("bash", "-c", """
                cd /proc/sys/net/netfilter
                echo 1 > nf_conntrack_udp_timeout; echo 1 > nf_conntrack_udp_timeout_stream
                echo 1 > nf_conntrack_frag6_timeout; echo 67108864 > nf_conntrack_frag6_high_thresh
                """));
    }

    /** Where nothing of the encrypted network may come that was not sealed. */
    List<RawSocket> inside() {
        return List.of(inSealed, inGateway);
    }

    /** Forgets frames that came before. */
    void drain() {
        for (RawSocket listener : List.of(inSealed, inPlain, inGateway, outSealed)) {
            listener.drain();
        }
    }

    private TestHost host(Path folder, String name) throws Exception {
        var host = opened(new TestHost(folder.resolve(name)));
        host.run(List.of("bash", "-c", """
                cd /proc/sys/net
                echo 1 > ipv4/ipfrag_time; echo 67108864 > ipv4/ipfrag_high_thresh
                echo 1 > ipv6/ip6frag_time; echo 67108864 > ipv6/ip6frag_high_thresh
                for f in ipv4/conf/*/rp_filter; do echo 0 > $f; done
                """));
        if (!name.equals("node") && !name.equals("outsider")) {
            // Nothing of their own is to come to the containers.
            host.run(List.of("bash", "-c", "echo 1 | tee /proc/sys/net/ipv6/conf/{all,default}/disable_ipv6"));
        }
        return host;
    }

    private void wire() {
        node.run("ip link add up0 address 02:00:00:00:00:01 type veth peer name wire address 02:00:00:00:00:02 netns "
                + outsider.pin);
        node.run("ip address add 10.55.0.1/24 dev up0");
        node.run("ip address add fd00:55::1/64 dev up0 nodad");
        outsider.run("ip address add 10.55.0.2/24 dev wire");
        outsider.run("ip address add fd00:55::2/64 dev wire nodad");
        node.run("ip link set up0 up");
        outsider.run("ip link set wire up");
        for (String there : List.of("10.55.0.2", "fd00:55::2")) {
            node.run("ip neigh replace " + there + " lladdr 02:00:00:00:00:02 dev up0");
        }
        for (String there : List.of("10.55.0.1", "fd00:55::1")) {
            outsider.run("ip neigh replace " + there + " lladdr 02:00:00:00:00:01 dev wire");
        }
        node.run("ip route add default dev up0");
        node.run("ip -6 route add default dev up0");
    }

    private void overlay(TestHost overlay, String vxlan, int vni, String link) throws Exception {
        vxlan(node, vxlan, vni, address());
        node.run("ip link set " + vxlan + " address " + Vxlan.MAC + " netns " + overlay.pin);
        overlay.run("ip link add br0 type bridge mcast_snooping 0");
        overlay.run("ip link add eth0 type veth peer name " + link + " address 02:00:00:00:00:03 netns " + container.pin);
        for (String port : List.of(vxlan, "eth0")) {
            overlay.run("ip link set " + port + " master br0");
            overlay.run("ip link set " + port + " up");
        }
        overlay.run("ip link set br0 up");
        container.run("ip link set " + link + " up");
    }

    private void vxlan(TestHost host, String name, int vni, InetAddress local) {
        host.run("ip link add %s type vxlan id %d dstport %d local %s nolearning %s".formatted(name, vni, PORT,
                local.getHostAddress(), transport == Transport.IPV4 ? "" : "udp6zerocsumrx"));
    }

    private <T extends AutoCloseable> T opened(T opened) {
        this.opened.add(opened);
        return opened;
    }

    @Override
    public void close() throws Exception {
        for (AutoCloseable last : opened.reversed()) {
            last.close();
        }
    }
}
