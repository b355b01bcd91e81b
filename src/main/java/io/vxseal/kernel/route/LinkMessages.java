package io.vxseal.kernel.route;

import static io.vxseal.kernel.netlink.NetlinkMessage.NLM_F_CREATE;
import static io.vxseal.kernel.netlink.NetlinkMessage.NLM_F_DUMP;
import static io.vxseal.kernel.netlink.NetlinkMessage.NLM_F_EXCL;

import io.vxseal.address.MacAddress;
import io.vxseal.kernel.netlink.AddressFamily;
import io.vxseal.kernel.netlink.Attributes;
import io.vxseal.kernel.netlink.Batch;
import io.vxseal.kernel.netlink.NetlinkMessage;
import io.vxseal.kernel.netns.Namespace;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Optional;

/** Messages about links, in the layouts of {@code linux/rtnetlink.h} and {@code linux/if_link.h}. */
final class LinkMessages {
    // linux/rtnetlink.h
    private static final int RTM_NEWLINK = 16;
    private static final int RTM_DELLINK = 17;
    private static final int RTM_GETLINK = 18;

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

    // linux/ip.h: number of net.ipv4.conf.*.forwarding
    private static final int IPV4_DEVCONF_FORWARDING = 1;

    private static final String BRIDGE = "bridge";
    private static final String VETH = "veth";
    private static final String VXLAN = "vxlan";

    /*
     * struct ifinfomsg {               // linux/rtnetlink.h
     *     unsigned char ifi_family;    //  0
     *     unsigned char __ifi_pad;     //  1
     *     unsigned short ifi_type;     //  2
     *     int ifi_index;               //  4
     *     unsigned ifi_flags;          //  8
     *     unsigned ifi_change;         // 12: mask of the flags to change
     * };                               // 16
     */
    private static final int IFI_PAD_AND_TYPE = 3;
    private static final int IFI_INDEX = 4;
    private static final int IFI_FLAGS = 8;
    static final int IFINFOMSG_LENGTH = 16;

    private LinkMessages() {}

    /** Writes an ifinfomsg. */
    static NetlinkMessage ifinfomsg(NetlinkMessage message, int family, int index, int flags, int change) {
        return message.u8(family).zeros(IFI_PAD_AND_TYPE).u32(index).u32(flags).u32(change);
    }

    private static NetlinkMessage request(Batch batch, int type, int flags) {
        return ifinfomsg(batch.add(type, flags), AddressFamily.AF_UNSPEC, 0, 0, 0);
    }

    private static NetlinkMessage change(Batch batch, int index) {
        return ifinfomsg(batch.add(RTM_NEWLINK, 0), AddressFamily.AF_UNSPEC, index, 0, 0);
    }

    private static NetlinkMessage creation(Batch batch) {
        return request(batch, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
    }

    /** Writes the creation of a bridge that is up. */
    static void writeBridge(Batch batch, Bridge bridge) {
        ifinfomsg(batch.add(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL), AddressFamily.AF_UNSPEC, 0, IFF_UP, IFF_UP)
                .attribute(IFLA_IFNAME, bridge.name())
                .attributeU32(IFLA_MTU, bridge.mtu())
                .attribute(IFLA_LINKINFO, info -> info.attribute(IFLA_INFO_KIND, BRIDGE));
    }

    /**
     * Writes the creation of a VXLAN device that is down.
     *
     * @param master index of its bridge in the namespace {@code into}
     * @param into the namespace in which the device appears
     */
    static void writeVxlan(Batch batch, Vxlan vxlan, int master, Namespace into) {
        creation(batch)
                .attribute(IFLA_IFNAME, vxlan.name())
                .attribute(IFLA_ADDRESS, Vxlan.MAC.octets())
                .attributeU32(IFLA_MTU, vxlan.mtu())
                .attributeU32(IFLA_MASTER, master)
                .attributeU32(IFLA_NET_NS_FD, into.fd())
                .attribute(IFLA_LINKINFO, info -> info.attribute(IFLA_INFO_KIND, VXLAN)
                        .attribute(IFLA_INFO_DATA, data -> writeVxlanData(data, vxlan)));
    }

    private static void writeVxlanData(NetlinkMessage data, Vxlan vxlan) {
        data.attributeU32(IFLA_VXLAN_ID, vxlan.vni())
                .attribute(IFLA_VXLAN_PORT, port -> port.be16(vxlan.port()))
                .attributeU8(IFLA_VXLAN_LEARNING, 0)
                .attributeU8(IFLA_VXLAN_PROXY, 1)
                .attributeU8(IFLA_VXLAN_L2MISS, 1)
                .attributeU8(IFLA_VXLAN_L3MISS, 1);
        vxlan.local().ifPresent(local ->
                data.attribute(local instanceof Inet4Address ? IFLA_VXLAN_LOCAL : IFLA_VXLAN_LOCAL6, local));
    }

    /**
     * Writes the creation of a veth pair that is down.
     *
     * @param master index of the bridge
     * @param peerNamespace the namespace in which the other end appears
     */
    static void writeVeth(Batch batch, Veth veth, int master, Namespace peerNamespace) {
        creation(batch)
                .attribute(IFLA_IFNAME, veth.name())
                .attributeU32(IFLA_MTU, veth.mtu())
                .attributeU32(IFLA_MASTER, master)
                .attribute(IFLA_LINKINFO, info -> info.attribute(IFLA_INFO_KIND, VETH)
                        .attribute(IFLA_INFO_DATA, data -> data.attribute(VETH_INFO_PEER, peer -> peer
                                .zeros(IFINFOMSG_LENGTH)
                                .attribute(IFLA_IFNAME, veth.peer())
                                .attribute(IFLA_ADDRESS, veth.peerMac().octets())
                                .attributeU32(IFLA_MTU, veth.mtu())
                                .attributeU32(IFLA_NET_NS_FD, peerNamespace.fd()))));
    }

    static void writeUp(Batch batch, int index) {
        ifinfomsg(batch.add(RTM_NEWLINK, 0), AddressFamily.AF_UNSPEC, index, IFF_UP, IFF_UP);
    }

    static void writeDown(Batch batch, int index) {
        ifinfomsg(batch.add(RTM_NEWLINK, 0), AddressFamily.AF_UNSPEC, index, 0, IFF_UP);
    }

    static void writeMaster(Batch batch, int index, int master) {
        change(batch, index).attributeU32(IFLA_MASTER, master);
    }

    static void writeAlias(Batch batch, int index, String alias) {
        change(batch, index).attribute(IFLA_IFALIAS, alias.getBytes(StandardCharsets.US_ASCII));
    }

    /** Writes the change that makes a bridge forward IPv4. The creation of a link ignores IFLA_AF_SPEC. */
    static void writeForwarding(Batch batch, int index) {
        change(batch, index).attribute(IFLA_AF_SPEC, families -> families.attribute(AddressFamily.AF_INET, inet ->
                inet.attribute(IFLA_INET_CONF, conf -> conf.attributeU32(IPV4_DEVCONF_FORWARDING, 1))));
    }

    /** Writes the settings of a bridge port. One that does not learn is made to forget what it learnt. */
    static void writePort(Batch batch, int index, BridgePort port) {
        change(batch, index).attribute(IFLA_LINKINFO, info -> info.attribute(IFLA_INFO_SLAVE_KIND, BRIDGE)
                .attribute(IFLA_INFO_SLAVE_DATA, data -> {
                    data.attributeU8(IFLA_BRPORT_LEARNING, port.learning() ? 1 : 0)
                            .attributeU8(IFLA_BRPORT_UNICAST_FLOOD, port.flooding() ? 1 : 0);
                    if (!port.learning()) {
                        data.attribute(IFLA_BRPORT_FLUSH, new byte[0]);
                    }
                }));
    }

    static void writeVxlanLearning(Batch batch, int index, boolean learning) {
        change(batch, index).attribute(IFLA_LINKINFO, info -> info.attribute(IFLA_INFO_KIND, VXLAN)
                .attribute(IFLA_INFO_DATA, data -> data.attributeU8(IFLA_VXLAN_LEARNING, learning ? 1 : 0)));
    }

    static void writeDeletion(Batch batch, String name) {
        request(batch, RTM_DELLINK, 0).attribute(IFLA_IFNAME, name);
    }

    static void writeQuery(Batch batch, String name) {
        request(batch, RTM_GETLINK, 0).attribute(IFLA_IFNAME, name);
    }

    /** Writes a request for all links of the namespace. */
    static void writeDump(Batch batch) {
        request(batch, RTM_GETLINK, NLM_F_DUMP);
    }

    static Optional<Link> read(int type, ByteBuffer payload) {
        if (type != RTM_NEWLINK) {
            return Optional.empty();
        }
        Attributes attributes = Attributes.of(payload, IFINFOMSG_LENGTH);
        Attributes info = attributes.nested(IFLA_LINKINFO);
        String kind = info.text(IFLA_INFO_KIND).orElse("");
        return Optional.of(new Link(
                payload.getInt(IFI_INDEX),
                attributes.text(IFLA_IFNAME).orElse(""),
                kind,
                attributes.u32(IFLA_MASTER),
                attributes.u32(IFLA_MTU).orElse(0),
                attributes.mac(IFLA_ADDRESS).orElse(new MacAddress(0)),
                (payload.getInt(IFI_FLAGS) & IFF_UP) != 0,
                kind.equals(VXLAN) ? Optional.of(readTunnel(info.nested(IFLA_INFO_DATA))) : Optional.empty(),
                info.text(IFLA_INFO_SLAVE_KIND)
                        .filter(BRIDGE::equals)
                        .map(_ -> readPort(info.nested(IFLA_INFO_SLAVE_DATA)))));
    }

    static Optional<String> readAlias(int type, ByteBuffer payload) {
        return type == RTM_NEWLINK
                ? Attributes.of(payload, IFINFOMSG_LENGTH).text(IFLA_IFALIAS)
                : Optional.empty();
    }

    private static BridgePort readPort(Attributes data) {
        return new BridgePort(data.flag(IFLA_BRPORT_LEARNING), data.flag(IFLA_BRPORT_UNICAST_FLOOD));
    }

    private static VxlanTunnel readTunnel(Attributes data) {
        Optional<InetAddress> local = data.address(IFLA_VXLAN_LOCAL).or(() -> data.address(IFLA_VXLAN_LOCAL6));
        return new VxlanTunnel(
                data.u32(IFLA_VXLAN_ID).orElse(0),
                data.get(IFLA_VXLAN_PORT)
                        .map(port -> Short.toUnsignedInt(Short.reverseBytes(port.getShort(0))))
                        .orElse(0),
                local,
                data.flag(IFLA_VXLAN_LEARNING));
    }
}
