package io.vxseal.kernel.xfrm;

import io.vxseal.kernel.netlink.NetlinkMessage;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.Arrays;

/**
 * An IPsec ESP security association in transport mode with AES-GCM (RFC 4106), an XFRM state to the kernel
 * ({@code linux/xfrm.h}, xfrm_usersa_info). Algorithm {@code rfc4106(gcm(aes))}, ICV of 64 bits.
 *
 * @param id what names it among the kernel's states
 * @param key the AEAD's key and salt
 * @param replayWindow packets back from the newest in which a repeated one is noticed, with extended sequence numbers
 *     (ESN, RFC 4303), whose high half both ends put into the ICV; 0 for neither. To the kernel 4096 are the most.
 */
public record SecurityAssociation(Id id, AeadKey key, int replayWindow) {

    /** One without a replay window, as the built-in driver's are. */
    public SecurityAssociation(Id id, AeadKey key) {
        this(id, key, 0);
    }

    /** Whether it has a replay window. */
    public boolean isGuarded() {
        return replayWindow > 0;
    }

    /**
     * What names a state. The kernel looks up by destination, SPI and protocol; the source is there for reading.
     *
     * @param source sender of the sealed packets
     * @param destination their receiver
     * @param spi security parameter index, all 32 bits used
     */
    public record Id(InetAddress source, InetAddress destination, int spi) {
        /** Whether the kernel has one place for both. */
        public boolean isInPlaceOf(Id other) {
            return spi == other.spi && destination.equals(other.destination);
        }

        /** The SPI first, which tells nearly all apart: a rotation compares a dozen for each node. */
        @Override
        public boolean equals(Object other) {
            return other instanceof Id that
                    && spi == that.spi
                    && source.equals(that.source)
                    && destination.equals(that.destination);
        }

        /** An SPI is a hash of both addresses already. */
        @Override
        public int hashCode() {
            return spi;
        }

        @Override
        public String toString() {
            return "SA %s -> %s spi 0x%08x".formatted(source.getHostAddress(), destination.getHostAddress(), spi);
        }
    }

    /** Key octets followed by the four octets of salt. Never printed. */
    public static final class AeadKey {
        private final byte[] key;
        private final int salt;

        /** @param keyAndSalt 16, 24 or 32 octets of key followed by 4 of salt; copied */
        public AeadKey(byte[] keyAndSalt) {
            this(Arrays.copyOf(keyAndSalt, keyLength(keyAndSalt.length)),
                    ByteBuffer.wrap(keyAndSalt).getInt(keyAndSalt.length - Integer.BYTES));
        }

        private AeadKey(byte[] key, int salt) {
            this.key = key;
            this.salt = salt;
        }

        private static int keyLength(int length) {
            int key = length - Integer.BYTES;
            if (key != 16 && key != 24 && key != 32) {
                throw new IllegalArgumentException(
                        "want an AES key of 16, 24 or 32 octets and a salt of 4, got " + length + " in all");
            }
            return key;
        }

        /**
         * The same key with another salt. A ring has a key, and every state its salt, so all of them share its octets.
         *
         * @param other its octets in network order
         */
        public AeadKey withSalt(int other) {
            return new AeadKey(key, other);
        }

        /** Octets of key and salt. */
        int length() {
            return key.length + Integer.BYTES;
        }

        void write(NetlinkMessage message) {
            message.octets(key).be32(salt);
        }

        /**
         * Whether it is what a kernel shows instead of a key when it is locked down for confidentiality: zeros (linux,
         * xfrm_redact in net/xfrm/xfrm_user.c).
         */
        public boolean isRedacted() {
            return salt == 0 && MessageDigest.isEqual(key, new byte[key.length]);
        }

        /** A copy, key first. */
        public byte[] octets() {
            return ByteBuffer.allocate(length()).put(key).putInt(salt).array();
        }

        @Override
        public boolean equals(Object other) {
            return other instanceof AeadKey that && salt == that.salt && MessageDigest.isEqual(key, that.key);
        }

        @Override
        public int hashCode() {
            return 31 * Arrays.hashCode(key) + salt;
        }

        @Override
        public String toString() {
            return "(secret)";
        }
    }

    @Override
    public boolean equals(Object other) {
        return this == other
                || other instanceof SecurityAssociation that
                        && replayWindow == that.replayWindow
                        && id.equals(that.id)
                        && key.equals(that.key);
    }

    @Override
    public int hashCode() {
        return id.hashCode();
    }

    @Override
    public String toString() {
        return id.toString();
    }
}
