package io.vxseal.encryption;

import java.net.InetAddress;
import java.nio.ByteBuffer;

/** Security parameter indices, computed by both ends of a flow alike (moby, {@code buildSPI}). */
public final class Spi {
    /** FNV-1a, 32 bits: draft-eastlake-fnv, sections 2 and 5; Go's {@code fnv.New32a}. */
    private static final int FNV_OFFSET_BASIS = 0x811c9dc5;

    private static final int FNV_PRIME = 0x01000193;
    private static final int IPV6_LENGTH = 16;

    private Spi() {}

    /**
     * The SPI of the flow from {@code source} to {@code destination} under the key with this tag: FNV-1a over the source
     * as 16 octets (IPv4 mapped into IPv6), the tag in network order, and the destination likewise.
     */
    public static int of(InetAddress source, InetAddress destination, int tag) {
        int hash = FNV_OFFSET_BASIS;
        hash = fnv1a(hash, mapped(source));
        hash = fnv1a(hash, ByteBuffer.allocate(Integer.BYTES).putInt(tag).array());
        return fnv1a(hash, mapped(destination));
    }

    private static int fnv1a(int hash, byte[] octets) {
        for (byte octet : octets) {
            hash = (hash ^ octet & 0xff) * FNV_PRIME;
        }
        return hash;
    }

    private static byte[] mapped(InetAddress address) {
        byte[] octets = address.getAddress();
        if (octets.length == IPV6_LENGTH) {
            return octets;
        }
        return ByteBuffer.allocate(IPV6_LENGTH)
                .position(10)
                .putShort((short) 0xffff)
                .put(octets)
                .array();
    }
}
