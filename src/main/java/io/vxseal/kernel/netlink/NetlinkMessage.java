package io.vxseal.kernel.netlink;

import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * A request being written into a {@link Batch}: header first, then the fixed part of its type field by field, then
 * attributes ({@code linux/netlink.h}). Numbers are in the machine's byte order, little-endian on x86-64, unless a method's
 * name says "be".
 *
 * <p>The array is to hold zeros from the message's start on: what is zero is passed over, not written. And the header's
 * length is written by {@link #end}. A message has forty fields, and the kernel takes but ten times as long for one; so
 * this is an array, whose elements are stored by one instruction, and no buffer.
 */
public final class NetlinkMessage {
    public static final int NLMSG_HDRLEN = 16;
    public static final int NLA_HDRLEN = 4;
    private static final int TYPE = 4;
    private static final int FLAGS = 6;
    /** Types below 16 are netlink's own, and are passed over to the answer (netlink_rcv_skb() in net/netlink/af_netlink.c). */
    private static final int NLMSG_NOOP = 1;
    public static final int NLM_F_REQUEST = 0x1;
    public static final int NLM_F_ACK = 0x4;
    public static final int NLM_F_REPLACE = 0x100;
    public static final int NLM_F_EXCL = 0x200;
    public static final int NLM_F_CREATE = 0x400;
    public static final int NLM_F_ROOT = 0x100;
    public static final int NLM_F_MATCH = 0x200;
    public static final int NLM_F_DUMP = NLM_F_ROOT | NLM_F_MATCH;

    /** Numbers and structures of the kernel's interfaces start at multiples of this. */
    public static final int ALIGNTO = 4;

    private final byte[] octets;
    private int start;
    private int at;

    /** The two addresses written last, the newer first, and their octets, which an address copies whenever it is asked. */
    private @Nullable InetAddress newer;
    private byte[] newerOctets = {};
    private @Nullable InetAddress older;
    private byte[] olderOctets = {};

    /** One that is to {@link #begin} somewhere in the array. */
    public NetlinkMessage(byte[] octets) {
        this.octets = octets;
    }

    /** Starts a message at {@code start}, and has done with the one before. */
    public NetlinkMessage begin(int start, int type, int flags, int sequence) {
        this.start = start;
        this.at = start + 4;
        return u16(type).u16(flags).u32(sequence).zeros(4);
    }

    /**
     * Writes how long the message has become; what is written to it after that needs another call.
     *
     * @return where it ends
     */
    public int end() {
        u32(start, at - start);
        return at;
    }

    /** Has the kernel answer when it is done, too, and not only when it refuses. */
    public void acknowledged() {
        octets[start + FLAGS] |= NLM_F_ACK;
    }

    /** Makes it one that the kernel answers, and does nothing else about. */
    public void passedOver() {
        octets[start + TYPE] = NLMSG_NOOP;
        octets[start + TYPE + 1] = 0;
    }

    /** Where the message after the one at {@code at} begins. */
    public static int next(ByteBuffer messages, int at) {
        int length = Math.max(messages.getInt(at), NLMSG_HDRLEN);
        return at + (length + ALIGNTO - 1 & -ALIGNTO);
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

    private void u32(int where, int value) {
        octets[where] = (byte) value;
        octets[where + 1] = (byte) (value >>> 8);
        octets[where + 2] = (byte) (value >>> 16);
        octets[where + 3] = (byte) (value >>> 24);
    }

    public NetlinkMessage u64(long value) {
        return u32((int) value).u32((int) (value >>> 32));
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

    /** Zeros: padding that the compiler would insert, or fields left at their default. */
    public NetlinkMessage zeros(int count) {
        at += count;
        return this;
    }

    /** The octets followed by zeros up to the length of a fixed field. */
    public NetlinkMessage field(byte[] some, int length) {
        return octets(some).zeros(length - some.length);
    }

    /** The address followed by zeros up to the length of a fixed field. */
    @SuppressWarnings("ReferenceEquality") // to ask whether two addresses are equal takes longer than to write one
    public NetlinkMessage field(InetAddress address, int length) {
        if (address != newer) {
            InetAddress seen = newer;
            byte[] seenOctets = newerOctets;
            newerOctets = address == older ? olderOctets : address.getAddress();
            newer = address;
            older = seen;
            olderOctets = seenOctets;
        }
        return field(newerOctets, length);
    }

    /** An attribute whose payload {@code payload} writes; padded, and counted without the padding. */
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

    /** An attribute's header, for who knows how long its payload will be: a multiple of {@link #ALIGNTO} octets. */
    public NetlinkMessage header(int type, int length) {
        return u16(NLA_HDRLEN + length).u16(type);
    }

    public NetlinkMessage attribute(int type, byte[] payload) {
        return header(type, payload.length).octets(payload).padding();
    }

    private NetlinkMessage padding() {
        return zeros(start - at & ALIGNTO - 1);
    }

    public NetlinkMessage attribute(int type, InetAddress address) {
        return attribute(type, address.getAddress());
    }

    /** A string with the NUL that the kernel wants behind it. */
    public NetlinkMessage attribute(int type, String text) {
        return attribute(type, m -> m.octets(text.getBytes(StandardCharsets.UTF_8)).u8(0));
    }

    public NetlinkMessage attributeU8(int type, int value) {
        return attribute(type, m -> m.u8(value));
    }

    public NetlinkMessage attributeU32(int type, int value) {
        return header(type, Integer.BYTES).u32(value);
    }
}
