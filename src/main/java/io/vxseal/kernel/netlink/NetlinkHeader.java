package io.vxseal.kernel.netlink;

import java.nio.ByteBuffer;

/**
 * The header of a netlink message, read from a buffer in the machine's byte order. {@code at} is the offset of the message.
 *
 * <pre>{@code
 * struct nlmsghdr {         // linux/netlink.h
 *     __u32 nlmsg_len;      //  0: header and payload
 *     __u16 nlmsg_type;     //  4
 *     __u16 nlmsg_flags;    //  6
 *     __u32 nlmsg_seq;      //  8
 *     __u32 nlmsg_pid;      // 12
 * };                        // 16
 * }</pre>
 */
public final class NetlinkHeader {
    static final int NLMSG_LEN = 0;
    static final int NLMSG_TYPE = 4;
    static final int NLMSG_FLAGS = 6;
    static final int NLMSG_SEQ = 8;
    public static final int NLMSG_HDRLEN = 16;

    /** NLMSG_ALIGNTO and NLA_ALIGNTO: messages and attributes start at multiples of this. */
    static final int ALIGNTO = 4;

    private NetlinkHeader() {}

    /** Returns the smallest multiple of {@link #ALIGNTO} that is not less than the length (NLMSG_ALIGN). */
    public static int align(int length) {
        return length + ALIGNTO - 1 & -ALIGNTO;
    }

    public static int type(ByteBuffer message, int at) {
        return Short.toUnsignedInt(message.getShort(at + NLMSG_TYPE));
    }

    static int flags(ByteBuffer message, int at) {
        return Short.toUnsignedInt(message.getShort(at + NLMSG_FLAGS));
    }

    static int sequence(ByteBuffer message, int at) {
        return message.getInt(at + NLMSG_SEQ);
    }

    /** Returns the offset of the message that follows (NLMSG_NEXT). */
    public static int next(ByteBuffer messages, int at) {
        return at + align(Math.max(messages.getInt(at + NLMSG_LEN), NLMSG_HDRLEN));
    }

    /** Returns the payload, cut at {@code limit} where the message is longer than what was received. */
    static ByteBuffer payload(ByteBuffer messages, int at, int limit) {
        int start = at + NLMSG_HDRLEN;
        int end = Math.min(at + messages.getInt(at + NLMSG_LEN), limit);
        return messages.slice(start, end - start).order(messages.order());
    }
}
