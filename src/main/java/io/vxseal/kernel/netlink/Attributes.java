package io.vxseal.kernel.netlink;

import io.vxseal.address.IpAddress;
import io.vxseal.address.MacAddress;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.function.BiConsumer;

/** The attributes of a message from the kernel, by type ({@code linux/netlink.h}, nlattr). */
public final class Attributes {
    /** Clears the flags NLA_F_NESTED and NLA_F_NET_BYTEORDER of an attribute's type. */
    private static final int NLA_TYPE_MASK = 0x3fff;


    private final Map<Integer, ByteBuffer> byType;

    private Attributes(Map<Integer, ByteBuffer> byType) {
        this.byType = byType;
    }

    /** Reads the attributes from {@code offset} to the end of the message. One that is cut short is left out. */
    public static Attributes of(ByteBuffer message, int offset) {
        var byType = new HashMap<Integer, ByteBuffer>();
        forEach(message, offset, byType::put);
        return new Attributes(byType);
    }

    /** Returns the payloads of all attributes of a type in a list, in their order. */
    public static List<ByteBuffer> all(ByteBuffer list, int wanted) {
        var payloads = new ArrayList<ByteBuffer>();
        forEach(list, 0, (type, payload) -> {
            if (type == wanted) {
                payloads.add(payload);
            }
        });
        return payloads;
    }

    private static void forEach(ByteBuffer message, int offset, BiConsumer<Integer, ByteBuffer> action) {
        int at = offset;
        while (at + NetlinkMessage.NLA_HDRLEN <= message.limit()) {
            int length = length(message, at);
            if (length < NetlinkMessage.NLA_HDRLEN || at + length > message.limit()) {
                break;
            }
            ByteBuffer payload = message.slice(
                            at + NetlinkMessage.NLA_HDRLEN, length - NetlinkMessage.NLA_HDRLEN)
                    .order(message.order());
            action.accept(type(message, at), payload);
            at += NetlinkHeader.align(length);
        }
    }

    /** Returns the length in octets of the attribute at {@code at}, its header included. */
    public static int length(ByteBuffer message, int at) {
        return Short.toUnsignedInt(message.getShort(at + NetlinkMessage.NLA_LEN));
    }

    /** Returns the type of the attribute at {@code at}, without its flags. */
    public static int type(ByteBuffer message, int at) {
        return message.getShort(at + NetlinkMessage.NLA_TYPE) & NLA_TYPE_MASK;
    }

    /** Returns the types of all attributes. */
    public Set<Integer> types() {
        return Set.copyOf(byType.keySet());
    }

    public Optional<ByteBuffer> get(int type) {
        return Optional.ofNullable(byType.get(type));
    }

    public Attributes nested(int type) {
        return get(type).map(payload -> of(payload, 0)).orElseGet(() -> new Attributes(Map.of()));
    }

    public OptionalInt u32(int type) {
        ByteBuffer payload = byType.get(type);
        return payload == null || payload.limit() < Integer.BYTES ? OptionalInt.empty() : OptionalInt.of(payload.getInt(0));
    }

    /** Returns whether the attribute is present and its first octet is not 0. */
    public boolean flag(int type) {
        return get(type).filter(payload -> payload.limit() > 0 && payload.get(0) != 0).isPresent();
    }

    /** Returns a string, without its terminating NUL. */
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
        return get(type)
                .filter(p -> p.limit() == IpAddress.IPV4_LENGTH || p.limit() == IpAddress.IPV6_LENGTH)
                .map(p -> IpAddress.of(octets(p)));
    }

    private static byte[] octets(ByteBuffer payload) {
        byte[] octets = new byte[payload.limit()];
        payload.get(0, octets);
        return octets;
    }
}
