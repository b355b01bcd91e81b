package io.vxseal.encryption;

import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.Objects;

/**
 * A key of the ring: AES key octets and the tag by which both ends name it.
 *
 * <p>Two keys are equal if tag and octets are. The octets never leave by {@link #toString()}.
 */
public final class Key {
    private final byte[] octets;
    private final int tag;

    /**
     * @param octets 16, 24 or 32 of them; copied
     * @param tag unsigned 32 bits
     * @throws IllegalArgumentException naming the length, never the octets
     */
    public Key(byte[] octets, int tag) {
        if (octets.length != 16 && octets.length != 24 && octets.length != 32) {
            throw new IllegalArgumentException("key with tag %s has %d octets, want 16, 24 or 32"
                    .formatted(Integer.toUnsignedString(tag), octets.length));
        }
        this.octets = octets.clone();
        this.tag = tag;
    }

    /** A copy of the key's octets. */
    public byte[] octets() {
        return octets.clone();
    }

    /** Unsigned 32 bits. */
    public int tag() {
        return tag;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Key that && tag == that.tag && MessageDigest.isEqual(octets, that.octets);
    }

    @Override
    public int hashCode() {
        return Objects.hash(tag);
    }

    /** The tag and the first five hex digits, as moby prints a key; for the debug level only. */
    @Override
    public String toString() {
        return "(key: %s, tag: 0x%x)".formatted(HexFormat.of().formatHex(octets).substring(0, 5), tag);
    }
}
