package io.vxseal.kernel.ruleset;

import io.vxseal.kernel.netlink.Attributes;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.stream.IntStream;

/**
 * A match of x_tables that is an extension, as both variants of iptables have it in the kernel.
 *
 * @param name as in {@code "conntrack"}
 * @param revision of its layout
 * @param info its layout, in the order of the host
 */
record XtMatch(String name, int revision, ByteBuffer info) {
    private static final int NFTA_MATCH_NAME = 1;
    private static final int NFTA_MATCH_REV = 2;
    private static final int NFTA_MATCH_INFO = 3;

    /*
     * struct xt_tcp {                 // linux/netfilter/xt_tcpudp.h        struct xt_udp {
     *     __u16 spts[2];              //  0: source ports, from and to          __u16 spts[2];   // 0
     *     __u16 dpts[2];              //  4: destination ports                  __u16 dpts[2];   // 4
     *     __u8 option;                //  8                                     __u8 invflags;   // 8
     *     __u8 flg_mask;              //  9                                 };
     *     __u8 flg_cmp;               // 10
     *     __u8 invflags;              // 11
     * };
     */
    private static final int SOURCE_FROM = 0;
    private static final int SOURCE_TO = 2;
    private static final int DESTINATION_FROM = 4;
    private static final int DESTINATION_TO = 6;
    private static final int UDP_INVFLAGS = 8;
    private static final int TCP_OPTION = 8;
    private static final int TCP_FLG_MASK = 9;
    private static final int TCP_FLG_CMP = 10;
    private static final int TCP_INVFLAGS = 11;
    private static final int TCP_LENGTH = 12;
    private static final int XT_INV_SRCPT = 1;
    private static final int XT_INV_DSTPT = 2;
    private static final int XT_TCP_INV_FLAGS = 4;
    private static final int ANY_PORT = 0xffff;

    // linux/tcp.h: flags of the packet that opens a connection, and those that it has not
    private static final int SYN = 0x02;

    /*
     * struct xt_multiport_v1 {        // linux/netfilter/xt_multiport.h
     *     __u8 flags;                 //  0: XT_MULTIPORT_SOURCE, XT_MULTIPORT_DESTINATION
     *     __u8 count;                 //  1
     *     __u16 ports[15];            //  2
     *     __u8 pflags[15];            // 32: not 0 for one that begins a range
     *     __u8 invert;                // 47
     * };                              // 48
     */
    private static final int MULTIPORT_COUNT = 1;
    private static final int MULTIPORT_PORTS = 2;
    private static final int MULTIPORT_PFLAGS = 32;
    private static final int MULTIPORT_INVERT = 47;
    private static final int MULTIPORT_LENGTH = 48;
    private static final int MULTIPORT_MOST = 15;
    private static final int XT_MULTIPORT_DESTINATION = 1;

    /*
     * struct xt_conntrack_mtinfo3 {   // linux/netfilter/xt_conntrack.h, and struct xt_conntrack_mtinfo2
     *     __u16 match_flags;          // 146: what is compared
     *     __u16 invert_flags;         // 148
     *     __u16 state_mask;           // 150
     * };
     */
    private static final int CONNTRACK_MATCH_FLAGS = 146;
    private static final int CONNTRACK_INVERT_FLAGS = 148;
    private static final int CONNTRACK_STATE_MASK = 150;
    private static final int CONNTRACK_LENGTH = 152;
    private static final int XT_CONNTRACK_STATE = 1;

    /** Reads the match in an expression of nf_tables. */
    static XtMatch read(Attributes data) {
        return new XtMatch(data.text(NFTA_MATCH_NAME).orElse(""), NftData.number(data, NFTA_MATCH_REV).orElse(0),
                data.get(NFTA_MATCH_INFO).map(ByteBuffer::duplicate).orElseGet(() -> ByteBuffer.allocate(0)));
    }

    XtMatch {
        info = info.slice().order(ByteOrder.nativeOrder());
    }

    /** Returns whether it matches. One that is not known here may. */
    Match test(Packet packet) {
        int length = info.remaining();
        return switch (name) {
            case "comment" -> Match.YES;
            case "udp" -> length > UDP_INVFLAGS && packet.protocol() == Packet.UDP ? ports(packet, info.get(UDP_INVFLAGS)) : Match.MAYBE;
            case "tcp" -> length >= TCP_LENGTH && packet.protocol() == Packet.TCP ? tcp(packet) : Match.MAYBE;
            case "multiport" -> revision == 1 && length >= MULTIPORT_LENGTH ? multiport(packet) : Match.MAYBE;
            case "conntrack" -> revision >= 2 && length >= CONNTRACK_LENGTH ? conntrack(packet) : Match.MAYBE;
            case "state" -> length >= Integer.BYTES ? state(packet, info.getInt(0)) : Match.MAYBE;
            default -> Match.MAYBE;
        };
    }

    private int u16(int offset) {
        return Short.toUnsignedInt(info.getShort(offset));
    }

    private Match ports(Packet packet, int inverted) {
        boolean anySource = u16(SOURCE_FROM) == 0 && u16(SOURCE_TO) == ANY_PORT && (inverted & XT_INV_SRCPT) == 0;
        int port = packet.port().orElse(0);
        Match destination = Match.of(port >= u16(DESTINATION_FROM) && port <= u16(DESTINATION_TO))
                .invertedIf((inverted & XT_INV_DSTPT) != 0);
        return destination.and(anySource ? Match.YES : Match.MAYBE);
    }

    private Match tcp(Packet packet) {
        int inverted = info.get(TCP_INVFLAGS);
        Match flags = Match.of((SYN & info.get(TCP_FLG_MASK)) == info.get(TCP_FLG_CMP))
                .invertedIf((inverted & XT_TCP_INV_FLAGS) != 0);
        Match option = info.get(TCP_OPTION) == 0 ? Match.YES : Match.MAYBE;
        return ports(packet, inverted).and(flags).and(option);
    }

    private Match multiport(Packet packet) {
        if (packet.port().isEmpty() || info.get(0) != XT_MULTIPORT_DESTINATION) {
            return Match.MAYBE;
        }
        int port = packet.port().getAsInt();
        int count = Math.min(Byte.toUnsignedInt(info.get(MULTIPORT_COUNT)), MULTIPORT_MOST);
        boolean listed = IntStream.range(0, count).anyMatch(index -> {
            boolean ends = index > 0 && info.get(MULTIPORT_PFLAGS + index - 1) != 0;
            boolean begins = info.get(MULTIPORT_PFLAGS + index) != 0;
            return ends ? port >= listedPort(index - 1) && port <= listedPort(index) : !begins && port == listedPort(index);
        });
        return Match.of(listed).invertedIf(info.get(MULTIPORT_INVERT) != 0);
    }

    private int listedPort(int index) {
        return u16(MULTIPORT_PORTS + index * Short.BYTES);
    }

    private Match conntrack(Packet packet) {
        return u16(CONNTRACK_MATCH_FLAGS) == XT_CONNTRACK_STATE
                ? state(packet, u16(CONNTRACK_STATE_MASK)).invertedIf((u16(CONNTRACK_INVERT_FLAGS) & XT_CONNTRACK_STATE) != 0)
                : Match.MAYBE;
    }

    /** Returns whether the mask has the states of tracking that the packet may have. */
    private static Match state(Packet packet, int mask) {
        long matching = packet.states().stream().filter(state -> (mask & state) != 0).count();
        return matching == packet.states().size() ? Match.YES : matching == 0 ? Match.NO : Match.MAYBE;
    }
}
