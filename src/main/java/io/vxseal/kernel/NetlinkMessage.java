package io.vxseal.kernel;

import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.function.Consumer;

/**
 * A request being written into a {@link Batch}: header first, then the fixed part of its type field by field, then
 * attributes ({@code linux/netlink.h}). Numbers are in the machine's byte order unless a method's name says "be".
 *
 * <p>The buffer is to hold zeros from its position on: what is zero is passed over, not written. And the header's length is
 * written by {@link #end}. A message has forty fields, and the kernel takes but ten times as long for one.
 */
final class NetlinkMessage {
    static final int NLMSG_HDRLEN = 16;
    static final int NLA_HDRLEN = 4;
    static final int NLM_F_REQUEST = 0x1;
    static final int NLM_F_ACK = 0x4;
    static final int NLM_F_REPLACE = 0x100;
    static final int NLM_F_EXCL = 0x200;
    static final int NLM_F_CREATE = 0x400;
    static final int NLM_F_ROOT = 0x100;
    static final int NLM_F_MATCH = 0x200;
    static final int NLM_F_DUMP = NLM_F_ROOT | NLM_F_MATCH;

    /** Numbers and structures of the kernel's interfaces start at multiples of this. */
    static final int ALIGNTO = 4;

    private final ByteBuffer buffer;
    private final int start;

    /** Starts a message at the buffer's position, which every call moves on to the message's end. */
    NetlinkMessage(ByteBuffer buffer, int type, int flags, int sequence) {
        this.buffer = buffer;
        this.start = buffer.position();
        buffer.putShort(start + 4, (short) type).putShort(start + 6, (short) flags).putInt(start + 8, sequence)
                .position(start + NLMSG_HDRLEN);
    }

    /** Writes how long the message has become; what is written to it after that needs another call. */
    void end() {
        buffer.putInt(start, buffer.position() - start);
    }

    /** Where the message after the one at {@code at} begins. */
    static int next(ByteBuffer messages, int at) {
        int length = Math.max(messages.getInt(at), NLMSG_HDRLEN);
        return at + (length + ALIGNTO - 1 & -ALIGNTO);
    }

    NetlinkMessage u8(int value) {
        buffer.put((byte) value);
        return this;
    }

    NetlinkMessage u16(int value) {
        buffer.putShort((short) value);
        return this;
    }

    NetlinkMessage u32(int value) {
        buffer.putInt(value);
        return this;
    }

    NetlinkMessage u64(long value) {
        buffer.putLong(value);
        return this;
    }

    NetlinkMessage be16(int value) {
        return u16(buffer.order() == ByteOrder.BIG_ENDIAN ? value : Short.reverseBytes((short) value));
    }

    NetlinkMessage be32(int value) {
        return u32(buffer.order() == ByteOrder.BIG_ENDIAN ? value : Integer.reverseBytes(value));
    }

    NetlinkMessage octets(byte[] octets) {
        buffer.put(octets);
        return this;
    }

    /** Zeros: padding that the compiler would insert, or fields left at their default. */
    NetlinkMessage zeros(int count) {
        buffer.position(buffer.position() + count);
        return this;
    }

    /** The octets followed by zeros up to the length of a fixed field. */
    NetlinkMessage field(byte[] octets, int length) {
        return octets(octets).zeros(length - octets.length);
    }

    /** An attribute whose payload {@code payload} writes; padded, and counted without the padding. */
    NetlinkMessage attribute(int type, Consumer<NetlinkMessage> payload) {
        int at = buffer.position();
        buffer.putShort(at + 2, (short) type).position(at + NLA_HDRLEN);
        payload.accept(this);
        int end = buffer.position();
        buffer.putShort(at, (short) (end - at));
        return zeros(start - end & ALIGNTO - 1);
    }

    NetlinkMessage attribute(int type, byte[] payload) {
        return attribute(type, m -> m.octets(payload));
    }

    NetlinkMessage attribute(int type, InetAddress address) {
        return attribute(type, address.getAddress());
    }

    /** A string with the NUL that the kernel wants behind it. */
    NetlinkMessage attribute(int type, String text) {
        return attribute(type, m -> m.octets(text.getBytes(StandardCharsets.UTF_8)).u8(0));
    }

    NetlinkMessage attributeU8(int type, int value) {
        return attribute(type, m -> m.u8(value));
    }

    NetlinkMessage attributeU32(int type, int value) {
        return attribute(type, m -> m.u32(value));
    }
}
