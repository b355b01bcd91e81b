package io.vxseal.encryption;

import io.vxseal.address.IpAddress;
import java.net.InetAddress;

/** Security parameter indices, which both ends of a flow compute alike (moby, {@code buildSPI}). */
public final class Spi {
    /** FNV-1a, 32 bits: draft-eastlake-fnv, sections 2 and 5; Go's {@code fnv.New32a}. */
    private static final int FNV_OFFSET_BASIS = 0x811c9dc5;

    private static final int FNV_PRIME = 0x01000193;
    private static final int FNV_PRIME_TO_THE_TENTH = 0x5887be89;

    private Spi() {}

    /**
     * Returns the SPI of the flow from {@code source} to {@code destination} under the key with this tag: FNV-1a over the source
     * as 16 octets (IPv4 mapped into IPv6), the tag in network order, and the destination likewise.
     */
    public static int of(InetAddress source, InetAddress destination, int tag) {
        return of(source.getAddress(), destination.getAddress(), tag);
    }

    /** Returns the part of an SPI that depends on the source. Two addresses with the same part have the same SPIs towards every node. */
    static int ofSource(InetAddress source) {
        return mapped(FNV_OFFSET_BASIS, source.getAddress());
    }

    /** Returns {@link #of(InetAddress, InetAddress, int)}, by octets, because {@code getAddress} copies them on each call. */
    static int of(byte[] source, byte[] destination, int tag) {
        int hash = mapped(FNV_OFFSET_BASIS, source);
        for (int shift = 24; shift >= 0; shift -= 8) {
            hash = fnv1a(hash, tag >>> shift);
        }
        return mapped(hash, destination);
    }

    private static int mapped(int hash, byte[] address) {
        int mapped = hash;
        if (address.length != IpAddress.IPV6_LENGTH) {
            // ::ffff:0:0/96. An octet of zeros only multiplies.
            mapped *= FNV_PRIME_TO_THE_TENTH;
            mapped = fnv1a(mapped, 0xff);
            mapped = fnv1a(mapped, 0xff);
        }
        for (byte octet : address) {
            mapped = fnv1a(mapped, octet);
        }
        return mapped;
    }

    private static int fnv1a(int hash, int octet) {
        return (hash ^ octet & 0xff) * FNV_PRIME;
    }
}
