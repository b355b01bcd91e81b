package io.vxseal.kernel.xfrm;

import static io.vxseal.kernel.packet.IpProtocol.IPPROTO_ESP;

import io.vxseal.address.IpAddress;
import io.vxseal.kernel.netlink.AddressFamily;
import io.vxseal.kernel.netlink.NetlinkMessage;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Set;

/** Types of messages about states and policies, and the structures that they have in common ({@code linux/xfrm.h}). */
public final class XfrmMessages {
    static final int XFRM_MSG_NEWSA = 0x10;
    static final int XFRM_MSG_DELSA = 0x11;
    static final int XFRM_MSG_GETSA = 0x12;
    static final int XFRM_MSG_NEWPOLICY = 0x13;
    static final int XFRM_MSG_DELPOLICY = 0x14;
    static final int XFRM_MSG_GETPOLICY = 0x15;
    static final int XFRM_MSG_UPDPOLICY = 0x19;
    private static final int XFRM_MSG_FLUSHSA = 0x1c;
    private static final int XFRM_MSG_FLUSHPOLICY = 0x1d;

    private static final int XFRMNLGRP_SA = 3;
    private static final int XFRMNLGRP_POLICY = 4;

    /** Multicast groups in which the kernel reports changes. */
    public static final Set<Integer> GROUPS = Set.of(XFRMNLGRP_SA, XFRMNLGRP_POLICY);

    /** Reports that states or policies were removed. */
    public static final Set<Integer> REMOVALS =
            Set.of(XFRM_MSG_DELSA, XFRM_MSG_DELPOLICY, XFRM_MSG_FLUSHSA, XFRM_MSG_FLUSHPOLICY);

    static final int XFRM_MODE_TRANSPORT = 0;

    /*
     * typedef union {              // xfrm_address_t
     *     __be32 a4;
     *     __be32 a6[4];
     * };                           // 16
     */
    static final int ADDRESS_LENGTH = 16;

    /*
     * struct xfrm_selector {
     *     xfrm_address_t daddr;    //  0
     *     xfrm_address_t saddr;    // 16
     *     __be16 dport;            // 32
     *     __be16 dport_mask;       // 34
     *     __be16 sport;            // 36
     *     __be16 sport_mask;       // 38
     *     __u16 family;            // 40
     *     __u8 prefixlen_d;        // 42
     *     __u8 prefixlen_s;        // 43
     *     __u8 proto;              // 44
     *     int ifindex;             // 48
     *     __kernel_uid32_t user;   // 52
     * };                           // 56
     */
    static final int SELECTOR_DADDR = 0;
    static final int SELECTOR_SADDR = 16;
    static final int SELECTOR_DPORT = 32;
    static final int SELECTOR_DPORT_MASK = 34;
    static final int SELECTOR_FAMILY = 40;
    static final int SELECTOR_PREFIXLEN_D = 42;
    static final int SELECTOR_PREFIXLEN_S = 43;
    static final int SELECTOR_PROTO = 44;
    static final int SELECTOR_USER = 52;

    /** Between proto and ifindex. */
    static final int SELECTOR_PROTO_PADDING = 3;

    /*
     * struct xfrm_id {
     *     xfrm_address_t daddr;    //  0
     *     __be32 spi;              // 16
     *     __u8 proto;              // 20
     * };                           // 24
     */
    static final int ID_DADDR = 0;
    static final int ID_SPI = 16;
    static final int ID_PROTO = 20;
    private static final int ID_PADDING = 3;

    /*
     * struct xfrm_lifetime_cfg {
     *     __u64 soft_byte_limit;   //  0
     *     __u64 hard_byte_limit;   //  8
     *     __u64 soft_packet_limit; // 16
     *     __u64 hard_packet_limit; // 24
     *     __u64 soft_add_expires_seconds;  // 32
     *     __u64 hard_add_expires_seconds;  // 40
     *     __u64 soft_use_expires_seconds;  // 48
     *     __u64 hard_use_expires_seconds;  // 56
     * };                           // 64
     */
    private static final int LIFETIME_CFG_LENGTH = 64;

    /** The first four limits, XFRM_INF each. */
    private static final byte[] XFRM_INF = new byte[4 * Long.BYTES];

    static {
        Arrays.fill(XFRM_INF, (byte) 0xff);
    }

    /*
     * struct xfrm_lifetime_cur {
     *     __u64 bytes;             //  0
     *     __u64 packets;           //  8
     *     __u64 add_time;          // 16
     *     __u64 use_time;          // 24
     * };                           // 32
     */
    static final int LIFETIME_CUR_BYTES = 0;
    static final int LIFETIME_CUR_PACKETS = 8;
    static final int LIFETIME_CUR_LENGTH = 32;

    private XfrmMessages() {}

    /** Returns whether the message, which begins with a selector, is about an object of this plugin. */
    static boolean isOurs(ByteBuffer selector) {
        return selector.getInt(SELECTOR_USER) == SecurityPolicy.LABEL;
    }

    /** Writes an xfrm_id. */
    static NetlinkMessage id(NetlinkMessage message, InetAddress destination, int spi) {
        return message.field(destination, ADDRESS_LENGTH).be32(spi).u8(IPPROTO_ESP).zeros(ID_PADDING);
    }

    /** Writes an xfrm_lifetime_cfg without limits. */
    static NetlinkMessage lifetimes(NetlinkMessage message) {
        return message.field(XFRM_INF, LIFETIME_CFG_LENGTH);
    }

    static InetAddress address(ByteBuffer payload, int at, int family) {
        byte[] octets = new byte[family == AddressFamily.AF_INET ? IpAddress.IPV4_LENGTH : ADDRESS_LENGTH];
        payload.get(at, octets);
        return IpAddress.of(octets);
    }

    static int be16(ByteBuffer payload, int at) {
        return Short.toUnsignedInt(Short.reverseBytes(payload.getShort(at)));
    }

    static int be32(ByteBuffer payload, int at) {
        return payload.duplicate().order(ByteOrder.BIG_ENDIAN).getInt(at);
    }
}
