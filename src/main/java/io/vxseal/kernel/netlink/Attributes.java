package io.vxseal.kernel.netlink;

import io.vxseal.address.MacAddress;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/** The attributes of a message from the kernel ({@code linux/netlink.h}, nlattr), by type. */
public final class Attributes {
    /** Flags beside the type: nested, and network byte order. */
    public static final int NLA_TYPE_MASK = 0x3fff;

    private final Map<Integer, ByteBuffer> byType;

    private Attributes(Map<Integer, ByteBuffer> byType) {
        this.byType = byType;
    }

    /** Reads from {@code offset} in {@code message} to its end. What is cut short is left out. */
    public static Attributes of(ByteBuffer message, int offset) {
        var byType = new HashMap<Integer, ByteBuffer>();
        int at = offset;
        while (at + NetlinkMessage.NLA_HDRLEN <= message.limit()) {
            int length = message.getShort(at) & 0xffff;
            if (length < NetlinkMessage.NLA_HDRLEN || at + length > message.limit()) {
                break;
            }
            ByteBuffer payload = message.slice(
                            at + NetlinkMessage.NLA_HDRLEN, length - NetlinkMessage.NLA_HDRLEN)
                    .order(message.order());
            byType.put(message.getShort(at + 2) & NLA_TYPE_MASK, payload);
            at += length + NetlinkMessage.ALIGNTO - 1 & -NetlinkMessage.ALIGNTO;
        }
        return new Attributes(byType);
    }

    public Optional<ByteBuffer> get(int type) {
        return Optional.ofNullable(byType.get(type));
    }

    public Attributes nested(int type) {
        return get(type).map(payload -> of(payload, 0)).orElseGet(() -> new Attributes(Map.of()));
    }

    public OptionalInt u32(int type) {
        ByteBuffer payload = byType.get(type);
        return payload == null || payload.limit() < 4 ? OptionalInt.empty() : OptionalInt.of(payload.getInt(0));
    }

    /** Whether it is there and its first octet is not 0. */
    public boolean flag(int type) {
        return get(type).filter(payload -> payload.limit() > 0 && payload.get(0) != 0).isPresent();
    }

    public Optional<String> text(int type) {
        return get(type).map(payload -> {
            byte[] octets = octets(payload);
            int end = 0;
            while (end < octets.length && octets[end] != 0) {
                end++;
            }
            return new String(octets, 0, end, StandardCharsets.UTF_8);
        });
    }

    public Optional<MacAddress> mac(int type) {
        return get(type).filter(p -> p.limit() == MacAddress.ETH_ALEN).map(p -> MacAddress.of(octets(p)));
    }

    public Optional<InetAddress> address(int type) {
        return get(type).filter(p -> p.limit() == 4 || p.limit() == 16).map(p -> address(octets(p)));
    }

    /** The address made of 4 or 16 octets. */
    public static InetAddress address(byte[] octets) {
        try {
            return InetAddress.getByAddress(octets);
        } catch (UnknownHostException e) {
            throw new IllegalArgumentException("an address has 4 or 16 octets, not " + octets.length, e);
        }
    }

    private static byte[] octets(ByteBuffer payload) {
        byte[] octets = new byte[payload.limit()];
        payload.get(0, octets);
        return octets;
    }
}
