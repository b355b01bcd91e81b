package io.vxseal.kernel.route;

import static io.vxseal.kernel.netlink.NetlinkMessage.NLM_F_CREATE;
import static io.vxseal.kernel.netlink.NetlinkMessage.NLM_F_DUMP;
import static io.vxseal.kernel.netlink.NetlinkMessage.NLM_F_REPLACE;

import io.vxseal.address.MacAddress;
import io.vxseal.kernel.netlink.AddressFamily;
import io.vxseal.kernel.netlink.Attributes;
import io.vxseal.kernel.netlink.Batch;
import io.vxseal.kernel.netlink.NetlinkMessage;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.util.Optional;
import java.util.Set;

/** Messages about neighbours and forwarding entries (FDB), in the layout of {@code linux/neighbour.h}. */
public final class NeighbourMessages {
    // linux/rtnetlink.h
    private static final int RTM_NEWNEIGH = 28;
    private static final int RTM_DELNEIGH = 29;
    private static final int RTM_GETNEIGH = 30;
    private static final int RTNLGRP_NEIGH = 3;

    /** Multicast groups in which the kernel reports neighbours. */
    public static final Set<Integer> GROUPS = Set.of(RTNLGRP_NEIGH);

    /** Reports that a VXLAN device lacks the neighbour or forwarding entry of an address (drivers/net/vxlan, vxlan_ip_miss, vxlan_fdb_miss). */
    public static final Set<Integer> MISSES = Set.of(RTM_GETNEIGH);

    // linux/neighbour.h
    private static final int NDA_DST = 1;
    private static final int NDA_LLADDR = 2;
    private static final int NUD_NOARP = 0x40;
    private static final int NUD_PERMANENT = 0x80;
    private static final int NTF_SELF = 0x02;
    private static final int NTF_MASTER = 0x04;
    private static final int NTF_STICKY = 0x40;

    /*
     * struct ndmsg {                   // linux/neighbour.h
     *     __u8 ndm_family;             //  0
     *     __u8 ndm_pad1;               //  1
     *     __u16 ndm_pad2;              //  2
     *     __s32 ndm_ifindex;           //  4
     *     __u16 ndm_state;             //  8
     *     __u8 ndm_flags;              // 10
     *     __u8 ndm_type;               // 11
     * };                               // 12
     */
    private static final int NDM_FAMILY = 0;
    private static final int NDM_PADDING = 3;
    private static final int NDM_IFINDEX = 4;
    private static final int NDM_STATE = 8;
    private static final int NDM_FLAGS = 10;
    private static final int NDMSG_LENGTH = 12;

    /**
     * A permanent entry of a VXLAN device.
     *
     * @param destination address of an endpoint in a neighbour, of a VTEP in a forwarding entry
     */
    record Entry(InetAddress destination, MacAddress mac) {}

    private NeighbourMessages() {}

    private static NetlinkMessage ndmsg(NetlinkMessage message, int family, int index, int state, int flags) {
        return message.u8(family).zeros(NDM_PADDING).u32(index).u16(state).u8(flags).u8(0);
    }

    /** Writes an addition or replacement of a VXLAN device's forwarding entry. */
    static void writeForwarding(Batch batch, int index, RemoteEndpoint endpoint) {
        forwarding(batch.add(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE), index, endpoint);
    }

    static void writeForwardingDeletion(Batch batch, int index, RemoteEndpoint endpoint) {
        forwarding(batch.add(RTM_DELNEIGH, 0), index, endpoint);
    }

    private static void forwarding(NetlinkMessage message, int index, RemoteEndpoint endpoint) {
        ndmsg(message, AddressFamily.AF_BRIDGE, index, NUD_PERMANENT, NTF_SELF)
                .attribute(NDA_DST, endpoint.vtep())
                .attribute(NDA_LLADDR, endpoint.mac().octets());
    }

    /** Writes an addition or replacement of a VXLAN device's neighbour. */
    static void writeNeighbour(Batch batch, int index, RemoteEndpoint endpoint) {
        neighbour(batch.add(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE), index, endpoint);
    }

    static void writeNeighbourDeletion(Batch batch, int index, RemoteEndpoint endpoint) {
        neighbour(batch.add(RTM_DELNEIGH, 0), index, endpoint);
    }

    private static void neighbour(NetlinkMessage message, int index, RemoteEndpoint endpoint) {
        neighbour(message, index, endpoint.address(), endpoint.mac());
    }

    /** Writes an addition or replacement of a neighbour to whose MAC nothing is forwarded. */
    static void writeNeighbour(Batch batch, int index, InetAddress address, MacAddress mac) {
        neighbour(batch.add(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE), index, address, mac);
    }

    static void writeNeighbourDeletion(Batch batch, int index, InetAddress address, MacAddress mac) {
        neighbour(batch.add(RTM_DELNEIGH, 0), index, address, mac);
    }

    private static void neighbour(NetlinkMessage message, int index, InetAddress address, MacAddress mac) {
        ndmsg(message, AddressFamily.of(address), index, NUD_PERMANENT, 0)
                .attribute(NDA_DST, address)
                .attribute(NDA_LLADDR, mac.octets());
    }

    /** Writes the deletion of a forwarding entry that a VXLAN device learnt. */
    static void writeLearntDeletion(Batch batch, int index, MacAddress mac) {
        ndmsg(batch.add(RTM_DELNEIGH, 0), AddressFamily.AF_BRIDGE, index, 0, NTF_SELF)
                .attribute(NDA_LLADDR, mac.octets());
    }

    /** Writes an addition or replacement of a bridge's static, sticky entry. */
    static void writeStatic(Batch batch, StaticFdbEntry entry) {
        ndmsg(batch.add(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE),
                        AddressFamily.AF_BRIDGE, entry.link(), NUD_NOARP, NTF_MASTER | NTF_STICKY)
                .attribute(NDA_LLADDR, entry.mac().octets());
    }

    /** Writes a request for all neighbours of the namespace. */
    static void writeNeighbourDump(Batch batch) {
        batch.add(RTM_GETNEIGH, NLM_F_DUMP).zeros(NDMSG_LENGTH);
    }

    /**
     * Writes a request for the forwarding entries of a link, or of all links if the index is 0. It begins with an ifinfomsg
     * instead of an ndmsg: valid_fdb_dump_legacy() in {@code net/core/rtnetlink.c} requires that.
     */
    static void writeForwardingDump(Batch batch, int index) {
        LinkMessages.ifinfomsg(batch.add(RTM_GETNEIGH, NLM_F_DUMP), AddressFamily.AF_BRIDGE, index, 0, 0);
    }

    /** Reads a permanent neighbour of a VXLAN device; empty for any other. */
    static Optional<Entry> readNeighbour(int type, ByteBuffer payload, int index) {
        boolean wanted = isPermanent(type, payload, index)
                && payload.get(NDM_FAMILY) != AddressFamily.AF_BRIDGE
                && !hasFlag(payload, NTF_SELF);
        return wanted ? readEntry(payload) : Optional.empty();
    }

    /** Reads a permanent forwarding entry of a VXLAN device; empty for any other. */
    static Optional<Entry> readForwarding(int type, ByteBuffer payload, int index) {
        boolean wanted = isPermanent(type, payload, index)
                && payload.get(NDM_FAMILY) == AddressFamily.AF_BRIDGE
                && hasFlag(payload, NTF_SELF);
        return wanted ? readEntry(payload) : Optional.empty();
    }

    private static boolean isPermanent(int type, ByteBuffer payload, int index) {
        return type == RTM_NEWNEIGH && payload.getInt(NDM_IFINDEX) == index && hasState(payload, NUD_PERMANENT);
    }

    private static Optional<Entry> readEntry(ByteBuffer payload) {
        Attributes attributes = Attributes.of(payload, NDMSG_LENGTH);
        return attributes.address(NDA_DST)
                .flatMap(destination -> attributes.mac(NDA_LLADDR).map(mac -> new Entry(destination, mac)));
    }

    /** Reads the MAC of a forwarding entry that a VXLAN device learnt; empty for any other entry. */
    static Optional<MacAddress> readLearnt(int type, ByteBuffer payload, int index) {
        boolean wanted = type == RTM_NEWNEIGH
                && payload.getInt(NDM_IFINDEX) == index
                && hasFlag(payload, NTF_SELF)
                && !hasState(payload, NUD_PERMANENT | NUD_NOARP);
        return wanted ? Attributes.of(payload, NDMSG_LENGTH).mac(NDA_LLADDR) : Optional.empty();
    }

    /** Reads a bridge's static, sticky entry; empty for any other entry. */
    static Optional<StaticFdbEntry> readStatic(int type, ByteBuffer payload) {
        boolean wanted = type == RTM_NEWNEIGH
                && !hasFlag(payload, NTF_SELF)
                && hasFlag(payload, NTF_STICKY)
                && hasState(payload, NUD_NOARP);
        return wanted
                ? Attributes.of(payload, NDMSG_LENGTH)
                        .mac(NDA_LLADDR)
                        .map(mac -> new StaticFdbEntry(payload.getInt(NDM_IFINDEX), mac))
                : Optional.empty();
    }

    private static boolean hasFlag(ByteBuffer payload, int flag) {
        return (payload.get(NDM_FLAGS) & flag) != 0;
    }

    /** Returns whether the entry has one of the states. */
    private static boolean hasState(ByteBuffer payload, int states) {
        return (payload.getShort(NDM_STATE) & states) != 0;
    }
}
