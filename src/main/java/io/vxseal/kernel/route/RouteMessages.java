package io.vxseal.kernel.route;

import io.vxseal.address.Cidr;
import io.vxseal.kernel.netlink.AddressFamily;
import io.vxseal.kernel.netlink.Attributes;
import io.vxseal.kernel.netlink.Batch;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.util.Optional;

/** Messages about single routes, in the layout of {@code linux/rtnetlink.h}. */
final class RouteMessages {
    private static final int RTM_NEWROUTE = 24;
    private static final int RTM_GETROUTE = 26;

    private static final int RTA_DST = 1;
    private static final int RTA_SRC = 2;
    private static final int RTA_OIF = 4;
    private static final int RTA_METRICS = 8;
    private static final int RTAX_MTU = 2;

    /*
     * struct rtmsg {                       // linux/rtnetlink.h
     *     unsigned char rtm_family;        // 0
     *     unsigned char rtm_dst_len;       // 1
     *     unsigned char rtm_src_len;       // 2
     *     unsigned char rtm_tos;           // 3
     *     unsigned char rtm_table;         // 4
     *     unsigned char rtm_protocol;      // 5
     *     unsigned char rtm_scope;         // 6
     *     unsigned char rtm_type;          // 7
     *     unsigned int rtm_flags;          // 8
     * };                                   // 12
     */
    private static final int RTMSG_LENGTH = 12;
    private static final int RTMSG_AFTER_LENGTHS = 9;
    private static final int RTMSG_AFTER_DESTINATION = 10;

    private RouteMessages() {}

    /**
     * The route that a packet takes.
     *
     * @param link index of the link that it leaves by
     * @param mtu of the route, set or learnt from ICMP; 0 if it is the link's
     */
    record Found(int link, int mtu) {}

    /** Writes a request for the route that a packet takes. */
    static void writeLookup(Batch batch, InetAddress from, InetAddress to) {
        batch.add(RTM_GETROUTE, 0)
                .u8(AddressFamily.of(to))
                .u8(Cidr.bits(to))
                .u8(Cidr.bits(from))
                .zeros(RTMSG_AFTER_LENGTHS)
                .attribute(RTA_DST, to)
                .attribute(RTA_SRC, from);
    }

    /** Writes a request for the route that a packet takes whose source is not chosen yet. */
    static void writeLookup(Batch batch, InetAddress to) {
        batch.add(RTM_GETROUTE, 0)
                .u8(AddressFamily.of(to))
                .u8(Cidr.bits(to))
                .zeros(RTMSG_AFTER_DESTINATION)
                .attribute(RTA_DST, to);
    }

    static Optional<Found> read(int type, ByteBuffer payload) {
        Attributes attributes = Attributes.of(payload, RTMSG_LENGTH);
        return type == RTM_NEWROUTE && attributes.u32(RTA_OIF).isPresent()
                ? Optional.of(new Found(
                        attributes.u32(RTA_OIF).getAsInt(),
                        attributes.nested(RTA_METRICS).u32(RTAX_MTU).orElse(0)))
                : Optional.empty();
    }
}
