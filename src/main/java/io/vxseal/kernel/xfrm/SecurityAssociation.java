package io.vxseal.kernel.xfrm;

import io.vxseal.kernel.netlink.NetlinkMessage;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.Arrays;

/**
 * An IPsec ESP security association (SA) in transport mode with AES-GCM (RFC 4106): an XFRM state
 * ({@code linux/xfrm.h}, xfrm_usersa_info) with algorithm {@code rfc4106(gcm(aes))} and an ICV of 64 bits.
 *
 * @param id identity among the kernel's states
 * @param key the AEAD's key and salt
 * @param replayWindow packets back from the newest in which a repeated one is detected, with extended sequence numbers
 *     (ESN, RFC 4303), whose high half both ends include in the ICV; 0 for neither. The kernel's limit is 4096.
 */
public record SecurityAssociation(Id id, AeadKey key, int replayWindow) {

    /** Creates an SA without a replay window, as the built-in driver does. */
    public SecurityAssociation(Id id, AeadKey key) {
        this(id, key, 0);
    }

    /** Returns whether repeated packets are detected, and sequence numbers are extended. */
    public boolean hasReplayWindow() {
        return replayWindow > 0;
    }

    /**
     * Identity of a state. The kernel looks it up by destination, SPI and protocol; the source is informational.
     *
     * @param source sender of the sealed packets
     * @param destination receiver of the sealed packets
     * @param spi security parameter index, all 32 bits used
     */
    public record Id(InetAddress source, InetAddress destination, int spi) {
        /** Returns whether the kernel can have only one of both states: destination and SPI are equal. */
        public boolean sharesSlotWith(Id other) {
            return spi == other.spi && destination.equals(other.destination);
        }

        /** Compares the SPI first, because it differs in nearly all comparisons: a rotation makes a dozen for each node. */
        @Override
        public boolean equals(Object other) {
            return other instanceof Id that
                    && spi == that.spi
                    && source.equals(that.source)
                    && destination.equals(that.destination);
        }

        /** Returns the SPI, which is a hash of both addresses. */
        @Override
        public int hashCode() {
            return spi;
        }

        @Override
        public String toString() {
            return "SA %s -> %s spi 0x%08x".formatted(source.getHostAddress(), destination.getHostAddress(), spi);
        }
    }

    /** An AEAD key and its salt of four octets. Never printed. */
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
         * Returns the same key with another salt. All states of one key have different salts and share its octets.
         *
         * @param otherSalt four octets in network order
         */
        public AeadKey withSalt(int otherSalt) {
            return new AeadKey(key, otherSalt);
        }

        /** Returns the octets of key and salt together. */
        int length() {
            return key.length + Integer.BYTES;
        }

        void write(NetlinkMessage message) {
            message.octets(key).be32(salt);
        }

        /**
         * Returns whether it is the zeros that a kernel lists instead of a key when it is locked down for confidentiality
         * (xfrm_redact() in {@code net/xfrm/xfrm_user.c}).
         */
        public boolean isRedacted() {
            return salt == 0 && MessageDigest.isEqual(key, new byte[key.length]);
        }

        /** Returns a copy of the key followed by the salt. */
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
