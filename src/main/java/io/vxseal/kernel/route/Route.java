package io.vxseal.kernel.route;

import static io.vxseal.kernel.netlink.NetlinkMessage.NLM_F_CREATE;
import static io.vxseal.kernel.netlink.NetlinkMessage.NLM_F_DUMP;
import static io.vxseal.kernel.netlink.NetlinkMessage.NLM_F_EXCL;
import static io.vxseal.kernel.netlink.NetlinkMessage.NLM_F_REPLACE;

import io.vxseal.address.Cidr;
import io.vxseal.address.MacAddress;
import io.vxseal.kernel.libc.Errno;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.netlink.Attributes;
import io.vxseal.kernel.netlink.Batch;
import io.vxseal.kernel.netlink.NetlinkMessage;
import io.vxseal.kernel.netlink.NetlinkSocket;
import io.vxseal.kernel.netns.Namespace;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.IntFunction;

/**
 * Links, addresses, neighbours and forwarding entries of one network namespace, by rtnetlink (rtnetlink(7)). The socket
 * is opened inside the namespace and stays there whichever thread uses it; any number of threads may.
 *
 * <p>Each add is either done whole or leaves nothing behind.
 */
public final class Route implements AutoCloseable {
    // linux/rtnetlink.h
    private static final int RTM_NEWLINK = 16;
    private static final int RTM_DELLINK = 17;
    private static final int RTM_GETLINK = 18;
    private static final int RTM_NEWADDR = 20;
    private static final int RTM_GETADDR = 22;
    private static final int RTM_NEWNEIGH = 28;
    private static final int RTM_DELNEIGH = 29;
    private static final int RTM_GETNEIGH = 30;

    // linux/if_link.h
    private static final int IFLA_ADDRESS = 1;
    private static final int IFLA_IFNAME = 3;
    private static final int IFLA_MTU = 4;
    private static final int IFLA_MASTER = 10;
    private static final int IFLA_LINKINFO = 18;
    private static final int IFLA_IFALIAS = 20;
    private static final int IFLA_AF_SPEC = 26;
    private static final int IFLA_NET_NS_FD = 28;
    private static final int IFLA_INFO_KIND = 1;
    private static final int IFLA_INFO_DATA = 2;
    private static final int IFLA_INFO_SLAVE_KIND = 4;
    private static final int IFLA_INFO_SLAVE_DATA = 5;
    private static final int IFLA_BRPORT_LEARNING = 8;
    private static final int IFLA_BRPORT_UNICAST_FLOOD = 9;
    private static final int IFLA_BRPORT_FLUSH = 24;
    private static final int IFLA_INET_CONF = 1;
    private static final int IFLA_VXLAN_ID = 1;
    private static final int IFLA_VXLAN_LOCAL = 4;
    private static final int IFLA_VXLAN_LEARNING = 7;
    private static final int IFLA_VXLAN_PROXY = 11;
    private static final int IFLA_VXLAN_L2MISS = 13;
    private static final int IFLA_VXLAN_L3MISS = 14;
    private static final int IFLA_VXLAN_PORT = 15;
    private static final int IFLA_VXLAN_LOCAL6 = 17;

    // linux/veth.h
    private static final int VETH_INFO_PEER = 1;

    // linux/if.h
    private static final int IFF_UP = 0x1;

    // linux/if_addr.h
    private static final int IFA_ADDRESS = 1;
    private static final int IFA_LOCAL = 2;
    private static final int IFA_BROADCAST = 4;
    private static final int IFA_F_NODAD = 0x02;
    private static final int IFADDRMSG_LENGTH = 8;

    // linux/neighbour.h
    private static final int NDA_DST = 1;
    private static final int NDA_LLADDR = 2;
    private static final int NUD_NOARP = 0x40;
    private static final int NUD_PERMANENT = 0x80;
    private static final int NTF_SELF = 0x02;
    private static final int NTF_MASTER = 0x04;
    private static final int NTF_STICKY = 0x40;
    private static final int NDMSG_LENGTH = 12;

    // linux/rtnetlink.h, ifinfomsg
    private static final int IFINFOMSG_LENGTH = 16;

    // linux/ip.h: the number of net.ipv4.conf.*.forwarding
    private static final int IPV4_DEVCONF_FORWARDING = 1;

    // linux/socket.h
    private static final int AF_UNSPEC = 0;
    private static final int AF_INET = 2;
    private static final int AF_BRIDGE = 7;
    private static final int AF_INET6 = 10;

    /**
     * MAC address of every VXLAN device. No frame bears it, so it need not differ. It is high, for a bridge takes the lowest
     * of its ports' addresses.
     */
    public static final MacAddress VXLAN_MAC = MacAddress.parse("fe:76:d0:c4:e3:00");

    private final NetlinkSocket socket;

    private Route(NetlinkSocket socket) {
        this.socket = socket;
    }

    /** Opens a socket in the namespace, which may be closed afterwards. */
    public static Route in(Namespace namespace) throws KernelException {
        return new Route(NetlinkSocket.open(namespace, NetlinkSocket.NETLINK_ROUTE));
    }

    /**
     * A bridge to be.
     *
     * @param name at most 15 octets, as every link's
     * @param mtu octets
     * @param addresses its own, gateways of the subnets
     */
    public record Bridge(String name, int mtu, List<Cidr> addresses) {}

    /**
     * A VXLAN device to be (RFC 7348).
     *
     * @param vni network identifier, 24 bits
     * @param port UDP destination port, and the one it listens on
     * @param mtu octets, of the inner frame's payload
     * @param local source address of the datagrams; an IPv6 one, which may be {@code ::}, makes the transport IPv6.
     *     Without it the transport is IPv4 and routing chooses the source
     * @param bridge to enslave it to
     */
    public record Vxlan(String name, int vni, int port, int mtu, Optional<InetAddress> local, String bridge) {}

    /**
     * A pair of links to be, each the other's wire.
     *
     * @param bridge to enslave {@code name} to
     * @param peer name of the other end
     * @param peerMac hardware address of the other end
     * @param mtu octets, of both
     */
    public record Veth(String name, String bridge, String peer, MacAddress peerMac, int mtu) {}

    /**
     * What a bridge does with the frames of one of its ports.
     *
     * @param learning whether the source of a frame that comes in by it is looked for behind it from then on
     * @param flooding whether unicast frames to a MAC that no entry names go out by it
     */
    public record Port(boolean learning, boolean flooding) {
        /** The port to other nodes: whoever is not here is there, whatever a frame says of its source. */
        public static final Port OF_VXLAN = new Port(false, true);

        /** The port to a container: frames to its own MAC alone, which a static entry names. */
        public static final Port OF_CONTAINER = new Port(false, false);
    }

    /**
     * A bridge's forwarding entry that no frame changes.
     *
     * @param link index of the port
     * @param mac that is behind it
     */
    public record StaticEntry(int link, MacAddress mac) {}

    /**
     * A container's place on a bridge.
     *
     * @param link index of the bridge's end of its pair
     * @param bridge index
     * @param mac of the container's end
     */
    public record ContainerPort(int link, int bridge, MacAddress mac) {}

    /**
     * A link that is there.
     *
     * @param kind {@code bridge}, {@code vxlan}, {@code veth} and so on; empty for one that has none, as loopback
     * @param master index of what it is enslaved to
     * @param mtu octets
     * @param mac all zeros where it has none of six octets
     * @param up whether it was set up, carrier or not
     * @param tunnel of a VXLAN device
     * @param port of one that is on a bridge
     */
    public record Link(
            int index, String name, String kind, OptionalInt master, int mtu, MacAddress mac, boolean up,
            Optional<Tunnel> tunnel, Optional<Port> port) {}

    /**
     * What a VXLAN device sends with.
     *
     * @param vni network identifier, 24 bits
     * @param port UDP destination port
     * @param local source address; empty if routing chooses it
     * @param learning whether it takes the way to a MAC from frames that came from there
     */
    public record Tunnel(int vni, int port, Optional<InetAddress> local, boolean learning) {
        /** One that learns nothing, as those made here. */
        public Tunnel(int vni, int port, Optional<InetAddress> local) {
            this(vni, port, local, false);
        }
    }

    /**
     * What a VXLAN device must know to reach one remote endpoint: a neighbour (address → MAC), with which it answers
     * ARP and neighbour solicitations in the endpoint's stead, and a forwarding entry (MAC → VTEP).
     */
    public record RemoteEndpoint(InetAddress address, MacAddress mac, InetAddress vtep) {}

    /**
     * Adds a bridge, sets it up with its addresses and has it forward IPv4 between them.
     *
     * <p>Forwarding is set by netlink (IFLA_INET_CONF), because /proc/sys is read-only in a plugin's container. There
     * is no such attribute for IPv6: inet6_set_link_af() in {@code net/ipv6/addrconf.c} takes a token and an address
     * mode and nothing else. Bridging, which is all that endpoints of one subnet need, is not concerned.
     *
     * @throws KernelException EEXIST if a link has the name already
     */
    public void addBridge(Bridge bridge) throws KernelException {
        String what = "add bridge " + bridge.name;
        socket.request(what, b -> link(b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, IFF_UP)
                .attribute(IFLA_IFNAME, bridge.name)
                .attributeU32(IFLA_MTU, bridge.mtu)
                .attribute(IFLA_LINKINFO, info -> info.attribute(IFLA_INFO_KIND, "bridge")));
        try {
            int index = index(bridge.name);
            // Creation ignores IFLA_AF_SPEC; a change of the link does not.
            socket.request("forward IPv4 on bridge " + bridge.name, b -> link(b, RTM_NEWLINK, 0, index, 0)
                    .attribute(IFLA_AF_SPEC, families -> families.attribute(AF_INET, inet -> inet.attribute(
                            IFLA_INET_CONF, conf -> conf.attributeU32(IPV4_DEVCONF_FORWARDING, 1)))));
            for (Cidr address : bridge.addresses) {
                addAddress(bridge.name, index, address);
            }
        } catch (KernelException e) {
            undo(bridge.name, e);
            throw e;
        }
    }

    private void addAddress(String name, int index, Cidr cidr) throws KernelException {
        InetAddress address = cidr.address();
        boolean v4 = address instanceof Inet4Address;
        socket.request("add address " + cidr + " to " + name, b -> {
            // Docker's address management has made sure that nobody else has it; the probing of RFC 4862 would
            // only keep the gateway silent for a second.
            NetlinkMessage message = b.add(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL)
                    .u8(family(address)).u8(cidr.prefix()).u8(v4 ? 0 : IFA_F_NODAD).u8(0).u32(index)
                    .attribute(IFA_LOCAL, address)
                    .attribute(IFA_ADDRESS, address);
            if (v4 && cidr.prefix() < 31) {
                message.attribute(IFA_BROADCAST, m -> m.be32(broadcast(cidr)));
            }
        });
    }

    private static int broadcast(Cidr cidr) {
        return ByteBuffer.wrap(cidr.address().getAddress()).getInt() | (cidr.prefix() == 0 ? -1 : -1 >>> cidr.prefix());
    }

    /**
     * Adds a VXLAN device whose datagrams travel in this namespace and whose frames appear in another: it is created
     * there directly, on its bridge, and up. ARP proxy and both miss notifications are on, as the built-in driver has
     * them (moby, {@code overlay/ov_utils.go}). Learning is off, on the device and on its port: where a container is,
     * other nodes tell, and what a frame says of its source another container may have forged.
     *
     * @param into the namespace of the bridge
     * @param intoRoute the Route of {@code into}
     * @throws KernelException EEXIST if the name, or a device with this VNI and port in this namespace, is there
     *     already; ENODEV if the bridge is not there
     */
    public void addVxlan(Vxlan vxlan, Namespace into, Route intoRoute) throws KernelException {
        int master = intoRoute.index(vxlan.bridge);
        socket.request(
                "add VXLAN device " + vxlan.name + " with VNI " + vxlan.vni,
                b -> link(b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, 0)
                        .attribute(IFLA_IFNAME, vxlan.name)
                        .attribute(IFLA_ADDRESS, VXLAN_MAC.octets())
                        .attributeU32(IFLA_MTU, vxlan.mtu)
                        .attributeU32(IFLA_MASTER, master)
                        .attributeU32(IFLA_NET_NS_FD, into.fd())
                        .attribute(IFLA_LINKINFO, info -> info.attribute(IFLA_INFO_KIND, "vxlan")
                                .attribute(IFLA_INFO_DATA, data -> vxlan(data, vxlan))));
        try {
            int index = intoRoute.index(vxlan.name);
            intoRoute.all(List.of(portChange(vxlan.name, index, Port.OF_VXLAN), up(vxlan.name, index)));
        } catch (KernelException e) {
            intoRoute.undo(vxlan.name, e);
            throw e;
        }
    }

    private static void vxlan(NetlinkMessage data, Vxlan vxlan) {
        data.attributeU32(IFLA_VXLAN_ID, vxlan.vni)
                .attribute(IFLA_VXLAN_PORT, m -> m.be16(vxlan.port))
                .attributeU8(IFLA_VXLAN_LEARNING, 0)
                .attributeU8(IFLA_VXLAN_PROXY, 1)
                .attributeU8(IFLA_VXLAN_L2MISS, 1)
                .attributeU8(IFLA_VXLAN_L3MISS, 1);
        vxlan.local.ifPresent(local ->
                data.attribute(local instanceof Inet4Address ? IFLA_VXLAN_LOCAL : IFLA_VXLAN_LOCAL6, local));
    }

    /**
     * Adds a veth pair: one end here, a {@link #setContainerPorts container's port} of its bridge and up; the other in
     * {@code peerNamespace}, down, with its hardware address.
     *
     * @throws KernelException EEXIST if either name is taken; ENODEV if the bridge is not there
     */
    public void addVeth(Veth veth, Namespace peerNamespace) throws KernelException {
        int master = index(veth.bridge);
        socket.request(
                "add veth pair " + veth.name + " and " + veth.peer,
                b -> link(b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, 0)
                        .attribute(IFLA_IFNAME, veth.name)
                        .attributeU32(IFLA_MTU, veth.mtu)
                        .attributeU32(IFLA_MASTER, master)
                        .attribute(IFLA_LINKINFO, info -> info.attribute(IFLA_INFO_KIND, "veth")
                                .attribute(IFLA_INFO_DATA, data -> data.attribute(VETH_INFO_PEER, peer -> peer
                                        .zeros(IFINFOMSG_LENGTH)
                                        .attribute(IFLA_IFNAME, veth.peer)
                                        .attribute(IFLA_ADDRESS, veth.peerMac.octets())
                                        .attributeU32(IFLA_MTU, veth.mtu)
                                        .attributeU32(IFLA_NET_NS_FD, peerNamespace.fd())))));
        try {
            int index = index(veth.name);
            List<Change> changes = new ArrayList<>();
            addContainerPort(changes, new ContainerPort(index, master, veth.peerMac));
            // The kernel ignores what a creation says of the port; so it is told before the first frame can pass.
            changes.add(up(veth.name, index));
            all(changes);
        } catch (KernelException e) {
            undo(veth.name, e);
            throw e;
        }
    }

    /**
     * Has links be the ports of containers, on their bridges: no frame to others is flooded to them, what they say of
     * their source is not learnt, and a static, sticky entry says where the container's MAC is, before it has said a word
     * and whatever others say. What is right already stays; what was learnt by them is forgotten. All are tried.
     *
     * @throws KernelException for the first one refused; the others are suppressed in it
     */
    public void setContainerPorts(Collection<ContainerPort> ports) throws KernelException {
        List<Change> changes = new ArrayList<>();
        ports.forEach(port -> addContainerPort(changes, port));
        all(changes);
    }

    private static void addContainerPort(List<Change> changes, ContainerPort port) {
        String name = "with index " + port.link;
        changes.add(new Change(
                "put link %s on the bridge with index %d".formatted(name, port.bridge),
                b -> link(b, RTM_NEWLINK, 0, port.link, 0).attributeU32(IFLA_MASTER, port.bridge)));
        changes.add(portChange(name, port.link, Port.OF_CONTAINER));
        changes.add(new Change("add a static entry for %s to link %s".formatted(port.mac, name), b -> b
                .add(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE)
                .u8(AF_BRIDGE).zeros(3).u32(port.link)
                .u16(NUD_NOARP).u8(NTF_MASTER | NTF_STICKY).u8(0)
                .attribute(NDA_LLADDR, port.mac.octets())));
    }

    /**
     * Sets what bridges do with the frames of their ports. What was learnt by one that is not to learn is forgotten. All
     * are tried.
     *
     * @param ports by index of the link
     * @throws KernelException for the first one refused; the others are suppressed in it
     */
    public void setPorts(Map<Integer, Port> ports) throws KernelException {
        List<Change> changes = new ArrayList<>();
        ports.forEach((index, port) -> changes.add(portChange("with index " + index, index, port)));
        all(changes);
    }

    private static Change portChange(String name, int index, Port port) {
        return new Change("set learning and flooding of link " + name, b -> link(b, RTM_NEWLINK, 0, index, 0)
                .attribute(IFLA_LINKINFO, info -> info.attribute(IFLA_INFO_SLAVE_KIND, "bridge")
                        .attribute(IFLA_INFO_SLAVE_DATA, data -> {
                            data.attributeU8(IFLA_BRPORT_LEARNING, port.learning ? 1 : 0)
                                    .attributeU8(IFLA_BRPORT_UNICAST_FLOOD, port.flooding ? 1 : 0);
                            if (!port.learning) {
                                data.attribute(IFLA_BRPORT_FLUSH, new byte[0]);
                            }
                        })));
    }

    /**
     * Sets whether a VXLAN device takes the ways to MACs from the frames that come in. What it has learnt it forgets if
     * it is not to learn; what it was told stays.
     */
    public void setLearning(String vxlan, boolean learning) throws KernelException {
        int index = index(vxlan);
        socket.request("set learning of VXLAN device " + vxlan, b -> link(b, RTM_NEWLINK, 0, index, 0)
                .attribute(IFLA_LINKINFO, info -> info.attribute(IFLA_INFO_KIND, "vxlan")
                        .attribute(IFLA_INFO_DATA, data -> data.attributeU8(IFLA_VXLAN_LEARNING, learning ? 1 : 0))));
        if (!learning) {
            List<Change> changes = new ArrayList<>();
            for (byte[] learnt : socket.dump(
                    "list forwarding entries of " + vxlan,
                    b -> forwardingEntries(b, index),
                    (type, payload) -> readLearnt(type, payload, index))) {
                changes.add(new Change("forget what VXLAN device " + vxlan + " has learnt", b -> b
                        .add(RTM_DELNEIGH, 0)
                        .u8(AF_BRIDGE).zeros(3).u32(index).u16(0).u8(NTF_SELF).u8(0)
                        .attribute(NDA_LLADDR, learnt)));
            }
            all(changes, Errno.ENOENT);
        }
    }

    private static Optional<byte[]> readLearnt(int type, ByteBuffer payload, int index) {
        boolean self = (payload.get(10) & NTF_SELF) != 0;
        boolean told = (payload.getShort(8) & (NUD_PERMANENT | NUD_NOARP)) != 0;
        return type != RTM_NEWNEIGH || payload.getInt(4) != index || !self || told
                ? Optional.empty()
                : Attributes.of(payload, NDMSG_LENGTH).mac(NDA_LLADDR).map(MacAddress::octets);
    }

    /** The static and sticky entries of all bridges in the namespace. */
    public Set<StaticEntry> staticEntries() throws KernelException {
        return Set.copyOf(socket.dump(
                "list forwarding entries", b -> forwardingEntries(b, 0), (type, payload) -> readStaticEntry(type, payload)));
    }

    private static Optional<StaticEntry> readStaticEntry(int type, ByteBuffer payload) {
        int flags = payload.get(10);
        return type != RTM_NEWNEIGH
                        || (flags & NTF_SELF) != 0
                        || (flags & NTF_STICKY) == 0
                        || (payload.getShort(8) & NUD_NOARP) == 0
                ? Optional.empty()
                : Attributes.of(payload, NDMSG_LENGTH)
                        .mac(NDA_LLADDR)
                        .map(mac -> new StaticEntry(payload.getInt(4), mac));
    }

    /** One of several requests that are made at once. */
    private record Change(String what, Consumer<Batch> writer) {}

    /** Makes all the changes, in order, whatever becomes of the others. */
    private void all(List<Change> changes, Integer... fine) throws KernelException {
        List<NetlinkSocket.Answer> answers = socket.exchange(changes, (batch, change) -> change.writer.accept(batch));
        check(answers, i -> changes.get(i).what, fine);
    }

    private static void check(List<NetlinkSocket.Answer> answers, IntFunction<String> what, Integer... fine)
            throws KernelException {
        Set<Integer> done = Set.of(fine);
        KernelException refused = null;
        for (int i = 0; i < answers.size(); i++) {
            NetlinkSocket.Answer answer = answers.get(i);
            if (answer.done() || done.contains(answer.errno())) {
                continue;
            }
            KernelException e = answer.failure(what.apply(i));
            if (refused == null) {
                refused = e;
            } else {
                refused.addSuppressed(e);
            }
        }
        if (refused != null) {
            throw refused;
        }
    }

    private static Change up(String name, int index) {
        return new Change("set link " + name + " up", b -> link(b, RTM_NEWLINK, 0, index, IFF_UP));
    }

    /** Sets a link up. */
    public void setUp(String name) throws KernelException {
        int index = index(name);
        socket.request("set link " + name + " up", b -> link(b, RTM_NEWLINK, 0, index, IFF_UP));
    }

    /** Sets a link down, so that nothing passes it. One that is gone is no error. */
    public void setDown(String name) throws KernelException {
        Optional<Link> link = link(name);
        if (link.isPresent()) {
            socket.request("set link " + name + " down", b -> b.add(RTM_NEWLINK, 0)
                    .u8(AF_UNSPEC).zeros(3).u32(link.get().index()).u32(0).u32(IFF_UP));
        }
    }

    /** Puts a link on a bridge, from whatever other it was on. */
    public void enslave(String name, String bridge) throws KernelException {
        int index = index(name);
        int master = index(bridge);
        socket.request("put link " + name + " on bridge " + bridge,
                b -> link(b, RTM_NEWLINK, 0, index, 0).attributeU32(IFLA_MASTER, master));
    }

    /** Deletes a link, and the other end with it if it is a veth. False if it was not there. */
    public boolean deleteLink(String name) throws KernelException {
        return socket.request(
                        "delete link " + name,
                        b -> link(b, RTM_DELLINK, 0, 0, 0).attribute(IFLA_IFNAME, name),
                        Errno.ENODEV)
                == 0;
    }

    /** The link of that name, if it is there. */
    public Optional<Link> link(String name) throws KernelException {
        return socket.get(
                "find link " + name,
                b -> link(b, RTM_GETLINK, 0, 0, 0).attribute(IFLA_IFNAME, name),
                Route::readLink,
                Errno.ENODEV);
    }

    /** All links of the namespace. */
    public List<Link> links() throws KernelException {
        return socket.dump("list links", b -> link(b, RTM_GETLINK, NLM_F_DUMP, 0, 0), Route::readLink);
    }

    /** The IPv4 addresses of a link, with their prefixes. */
    public List<Cidr> addresses(Link link) throws KernelException {
        return socket.dump(
                "list addresses of " + link.name,
                b -> b.add(RTM_GETADDR, NLM_F_DUMP).u8(AF_INET).zeros(IFADDRMSG_LENGTH - 1),
                (type, payload) -> type != RTM_NEWADDR || payload.getInt(4) != link.index
                        ? Optional.empty()
                        : Attributes.of(payload, IFADDRMSG_LENGTH)
                                .address(IFA_LOCAL)
                                .map(address -> new Cidr(address, Byte.toUnsignedInt(payload.get(1)))));
    }

    /** Returns whether an address is one of this namespace's own, on whichever link. */
    public boolean hasAddress(InetAddress address) throws KernelException {
        return !socket.dump(
                        "list addresses",
                        b -> b.add(RTM_GETADDR, NLM_F_DUMP).u8(family(address)).zeros(IFADDRMSG_LENGTH - 1),
                        (type, payload) -> {
                            Attributes attributes = Attributes.of(payload, IFADDRMSG_LENGTH);
                            // An IPv6 address has no IFA_LOCAL unless it has a peer.
                            return attributes.address(IFA_LOCAL).or(() -> attributes.address(IFA_ADDRESS)).filter(address::equals);
                        })
                .isEmpty();
    }

    /** Sets the alias of a link, a text that only people and programs read. */
    public void setAlias(String name, String alias) throws KernelException {
        int index = index(name);
        socket.request("set the alias of link " + name,
                b -> link(b, RTM_NEWLINK, 0, index, 0).attribute(IFLA_IFALIAS, alias.getBytes(StandardCharsets.US_ASCII)));
    }

    /** Returns the alias of a link; empty if it has none or the link is gone. */
    public String alias(String name) throws KernelException {
        return socket.get(
                        "find link " + name,
                        b -> link(b, RTM_GETLINK, 0, 0, 0).attribute(IFLA_IFNAME, name),
                        (_, payload) -> Attributes.of(payload, IFINFOMSG_LENGTH).text(IFLA_IFALIAS),
                        Errno.ENODEV)
                .orElse("");
    }

    private int index(String name) throws KernelException {
        return link(name)
                .map(Link::index)
                .orElseThrow(() -> new KernelException(
                        "find link " + name, Errno.ENODEV, Errno.text(Errno.ENODEV)));
    }

    private void undo(String name, KernelException cause) {
        try {
            deleteLink(name);
        } catch (KernelException e) {
            cause.addSuppressed(e);
        }
    }

    /** Starts a request that begins with an ifinfomsg; {@code up} is IFF_UP to set the link up, 0 to leave it. */
    private static NetlinkMessage link(Batch batch, int type, int flags, int index, int up) {
        return batch.add(type, flags).u8(AF_UNSPEC).zeros(3).u32(index).u32(up).u32(up);
    }

    private static Optional<Link> readLink(int type, ByteBuffer payload) {
        if (type != RTM_NEWLINK) {
            return Optional.empty();
        }
        Attributes attributes = Attributes.of(payload, IFINFOMSG_LENGTH);
        Attributes info = attributes.nested(IFLA_LINKINFO);
        String kind = info.text(IFLA_INFO_KIND).orElse("");
        return Optional.of(new Link(
                payload.getInt(4),
                attributes.text(IFLA_IFNAME).orElse(""),
                kind,
                attributes.u32(IFLA_MASTER),
                attributes.u32(IFLA_MTU).orElse(0),
                attributes.mac(IFLA_ADDRESS).orElse(new MacAddress(0)),
                (payload.getInt(8) & IFF_UP) != 0,
                kind.equals("vxlan") ? Optional.of(readTunnel(info.nested(IFLA_INFO_DATA))) : Optional.empty(),
                info.text(IFLA_INFO_SLAVE_KIND)
                        .filter("bridge"::equals)
                        .map(bridge -> readPort(info.nested(IFLA_INFO_SLAVE_DATA)))));
    }

    private static Port readPort(Attributes data) {
        return new Port(data.flag(IFLA_BRPORT_LEARNING), data.flag(IFLA_BRPORT_UNICAST_FLOOD));
    }

    private static Tunnel readTunnel(Attributes data) {
        return new Tunnel(
                data.u32(IFLA_VXLAN_ID).orElse(0),
                data.get(IFLA_VXLAN_PORT).map(port -> Short.toUnsignedInt(Short.reverseBytes(port.getShort(0)))).orElse(0),
                data.address(IFLA_VXLAN_LOCAL).or(() -> data.address(IFLA_VXLAN_LOCAL6)),
                data.flag(IFLA_VXLAN_LEARNING));
    }

    /**
     * Tells a VXLAN device how to reach endpoints. What stands for an address or a MAC is replaced. All are tried.
     *
     * @param vxlan name of the device
     * @throws KernelException for the first one refused; the others are suppressed in it
     */
    public void addRemoteEndpoints(String vxlan, Collection<RemoteEndpoint> endpoints) throws KernelException {
        if (!endpoints.isEmpty()) {
            change("add", RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, vxlan, index(vxlan), endpoints);
        }
    }

    /**
     * Takes back what {@link #addRemoteEndpoints} told; what is gone already is no error, nor is a device that is.
     *
     * <p>A neighbour goes by its address, whatever its MAC is by now, and a forwarding entry by its MAC and VTEP. So
     * where an endpoint's entry was replaced by another's claim to the address, add that one again.
     */
    public void removeRemoteEndpoints(String vxlan, Collection<RemoteEndpoint> endpoints) throws KernelException {
        if (endpoints.isEmpty()) {
            return;
        }
        Optional<Link> device = link(vxlan);
        if (device.isPresent()) {
            change("remove", RTM_DELNEIGH, 0, vxlan, device.get().index(), endpoints, Errno.ENOENT, Errno.ESRCH);
        }
    }

    /** A neighbour to be told, or taken back: of an address when the family is that of IP, else a forwarding entry. */
    private record Neighbour(RemoteEndpoint endpoint, boolean forwarding) {}

    private void change(
            String verb,
            int type,
            int flags,
            String vxlan,
            int index,
            Collection<RemoteEndpoint> endpoints,
            Integer... fine)
            throws KernelException {
        var neighbours = new ArrayList<Neighbour>(2 * endpoints.size());
        for (RemoteEndpoint endpoint : endpoints) {
            // Forwarding first: once the device answers for the address, frames to it must find their way.
            neighbours.add(new Neighbour(endpoint, true));
            neighbours.add(new Neighbour(endpoint, false));
        }
        List<NetlinkSocket.Answer> answers =
                socket.exchange(neighbours, (batch, n) -> write(batch, type, flags, index, n));
        check(
                answers,
                i -> "%s %s %s on %s".formatted(
                        verb, neighbours.get(i).forwarding ? "forwarding entry" : "neighbour",
                        neighbours.get(i).endpoint, vxlan),
                fine);
    }

    private static void write(Batch batch, int type, int flags, int index, Neighbour neighbour) {
        RemoteEndpoint endpoint = neighbour.endpoint;
        boolean forwarding = neighbour.forwarding;
        batch.add(type, flags)
                .u8(forwarding ? AF_BRIDGE : family(endpoint.address)).zeros(3).u32(index)
                .u16(NUD_PERMANENT).u8(forwarding ? NTF_SELF : 0).u8(0)
                .attribute(NDA_DST, forwarding ? endpoint.vtep : endpoint.address)
                .attribute(NDA_LLADDR, endpoint.mac.octets());
    }

    /** The permanent neighbours of a VXLAN device, each with the VTEP that its MAC is forwarded to. */
    public List<RemoteEndpoint> remoteEndpoints(String vxlan) throws KernelException {
        int index = index(vxlan);
        Map<MacAddress, LinkedHashSet<InetAddress>> vteps = new HashMap<>();
        for (Entry entry : socket.dump(
                "list forwarding entries of " + vxlan,
                b -> forwardingEntries(b, index),
                (type, payload) -> readEntry(type, payload, index, true))) {
            vteps.computeIfAbsent(entry.mac, mac -> new LinkedHashSet<>()).add(entry.destination);
        }
        var endpoints = new ArrayList<RemoteEndpoint>();
        for (Entry entry : socket.dump(
                "list neighbours on " + vxlan,
                b -> b.add(RTM_GETNEIGH, NLM_F_DUMP).zeros(NDMSG_LENGTH),
                (type, payload) -> readEntry(type, payload, index, false))) {
            for (InetAddress vtep : vteps.getOrDefault(entry.mac, new LinkedHashSet<>())) {
                endpoints.add(new RemoteEndpoint(entry.destination, entry.mac, vtep));
            }
        }
        return endpoints;
    }

    /**
     * Asks for the forwarding entries of a link, or of all where the index is 0. Begins with an ifinfomsg, not an ndmsg: so
     * valid_fdb_dump_legacy() in net/core/rtnetlink.c wants it.
     */
    private static void forwardingEntries(Batch batch, int index) {
        batch.add(RTM_GETNEIGH, NLM_F_DUMP).u8(AF_BRIDGE).zeros(3).u32(index).u32(0).u32(0);
    }

    /** A permanent entry as the kernel lists it: the destination is an endpoint's address or a VTEP. */
    private record Entry(InetAddress destination, MacAddress mac) {}

    private static Optional<Entry> readEntry(int type, ByteBuffer payload, int index, boolean forwarding) {
        int state = payload.getShort(8);
        boolean self = (payload.get(10) & NTF_SELF) != 0;
        if (type != RTM_NEWNEIGH
                || payload.getInt(4) != index
                || (state & NUD_PERMANENT) == 0
                || (payload.get(0) == AF_BRIDGE) != forwarding
                || self != forwarding) {
            return Optional.empty();
        }
        Attributes attributes = Attributes.of(payload, NDMSG_LENGTH);
        return attributes.address(NDA_DST)
                .flatMap(destination -> attributes.mac(NDA_LLADDR).map(mac -> new Entry(destination, mac)));
    }

    private static int family(InetAddress address) {
        return address instanceof Inet4Address ? AF_INET : AF_INET6;
    }

    @Override
    public void close() {
        socket.close();
    }
}
