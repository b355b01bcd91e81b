package io.vxseal.kernel.netlink;

import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.util.function.Consumer;

/**
 * A request that is being written: header, then the fixed part of its type field by field, then attributes. Numbers are in
 * the machine's byte order, little-endian on x86-64 and arm64, unless a method's name has "be".
 *
 * <p>The array must contain zeros from the message's start on: zero fields are skipped, not written. The message is an array
 * and not a buffer, because it has some forty fields, and the kernel takes only ten times as long to process one.
 *
 * <pre>{@code
 * struct nlattr {          // linux/netlink.h
 *     __u16 nla_len;       // 0: header and payload, without the padding
 *     __u16 nla_type;      // 2
 * };                       // 4
 * }</pre>
 */
public final class NetlinkMessage {
    static final int NLA_LEN = 0;
    static final int NLA_TYPE = 2;
    public static final int NLA_HDRLEN = 4;

    // linux/netlink.h: flags of a request
    public static final int NLM_F_REQUEST = 0x1;
    public static final int NLM_F_ACK = 0x4;
    public static final int NLM_F_REPLACE = 0x100;
    public static final int NLM_F_EXCL = 0x200;
    public static final int NLM_F_CREATE = 0x400;
    private static final int NLM_F_ROOT = 0x100;
    private static final int NLM_F_MATCH = 0x200;
    public static final int NLM_F_DUMP = NLM_F_ROOT | NLM_F_MATCH;

    private final byte[] octets;
    private int start;
    private int at;

    /** Creates a message that {@link #begin} places in the array. */
    public NetlinkMessage(byte[] octets) {
        this.octets = octets;
    }

    /** Begins a message at {@code start}; the one before is complete. */
    public NetlinkMessage begin(int start, int type, int flags, int sequence) {
        this.start = start;
        // nlmsg_len is written by end(); nlmsg_pid 0 is the kernel's to fill in.
        this.at = start + NetlinkHeader.NLMSG_TYPE;
        return u16(type).u16(flags).u32(sequence).zeros(Integer.BYTES);
    }

    /**
     * Writes the message's length so far into its header. May be called again after more was written.
     *
     * @return the offset of the message's end
     */
    public int end() {
        u32(start + NetlinkHeader.NLMSG_LEN, at - start);
        return at;
    }

    /** Requests an answer in case of success, too. */
    void requestAcknowledgement() {
        octets[start + NetlinkHeader.NLMSG_FLAGS] |= NLM_F_ACK;
    }

    public NetlinkMessage u8(int value) {
        octets[at++] = (byte) value;
        return this;
    }

    public NetlinkMessage u16(int value) {
        octets[at++] = (byte) value;
        octets[at++] = (byte) (value >>> 8);
        return this;
    }

    public NetlinkMessage u32(int value) {
        u32(at, value);
        at += Integer.BYTES;
        return this;
    }

    private void u32(int offset, int value) {
        octets[offset] = (byte) value;
        octets[offset + 1] = (byte) (value >>> 8);
        octets[offset + 2] = (byte) (value >>> 16);
        octets[offset + 3] = (byte) (value >>> 24);
    }

    public NetlinkMessage be16(int value) {
        return u16(Short.reverseBytes((short) value));
    }

    public NetlinkMessage be32(int value) {
        return u32(Integer.reverseBytes(value));
    }

    public NetlinkMessage octets(byte[] some) {
        System.arraycopy(some, 0, octets, at, some.length);
        at += some.length;
        return this;
    }

    /** Skips octets: padding that the compiler would insert, or fields left at zero. */
    public NetlinkMessage zeros(int count) {
        at += count;
        return this;
    }

    /** Writes the octets, and zeros up to the length of a fixed field. */
    public NetlinkMessage field(byte[] some, int length) {
        return octets(some).zeros(length - some.length);
    }

    /** Writes the address, and zeros up to the length of a fixed field. */
    public NetlinkMessage field(InetAddress address, int length) {
        return field(address.getAddress(), length);
    }

    /** Writes an attribute, with the payload that {@code payload} writes, and its padding. */
    public NetlinkMessage attribute(int type, Consumer<NetlinkMessage> payload) {
        int header = at;
        at += NLA_HDRLEN;
        payload.accept(this);
        int end = at;
        at = header;
        u16(end - header).u16(type);
        at = end;
        return padding();
    }

    /** Writes an attribute's header alone. {@code length} is the payload's in octets, a multiple of four. */
    public NetlinkMessage header(int type, int length) {
        return u16(NLA_HDRLEN + length).u16(type);
    }

    public NetlinkMessage attribute(int type, byte[] payload) {
        return header(type, payload.length).octets(payload).padding();
    }

    private NetlinkMessage padding() {
        at = start + NetlinkHeader.align(at - start);
        return this;
    }

    public NetlinkMessage attribute(int type, InetAddress address) {
        return attribute(type, address.getAddress());
    }

    /** Writes a string with its terminating NUL. */
    public NetlinkMessage attribute(int type, String text) {
        return attribute(type, m -> m.octets(text.getBytes(StandardCharsets.UTF_8)).u8(0));
    }

    public NetlinkMessage attributeU8(int type, int value) {
        return attribute(type, m -> m.u8(value));
    }

    public NetlinkMessage attributeU32(int type, int value) {
        return header(type, Integer.BYTES).u32(value);
    }

    public NetlinkMessage attributeBe32(int type, int value) {
        return header(type, Integer.BYTES).be32(value);
    }
}
