package io.vxseal.encryption;

import io.vxseal.kernel.xfrm.SecurityAssociation;
import java.security.MessageDigest;
import java.util.Arrays;
/**
 * Key of the ring: AES key octets, the tag by which both ends name it, and the replay window of its states. The window belongs
 * to the key because both ends of a flow must use the same.
 *
 * <p>{@link #toString()} does not show the octets.
 */
public final class Key {
    /** Smallest window, in packets: RFC 4303, section 3.4.3. */
    public static final int LEAST_REPLAY_WINDOW = 32;

    /** Largest window of the kernel, in packets ({@code linux/xfrm.h}, XFRMA_REPLAY_ESN_MAX). */
    public static final int MOST_REPLAY_WINDOW = 4096;

    private final byte[] octets;
    /** Shared by the keys that {@link #salted} returns. */
    private final SecurityAssociation.AeadKey unsalted;
    private final int tag;
    private final int replayWindow;

    /** Creates a key without a replay window, as the built-in driver uses them. */
    public Key(byte[] octets, int tag) {
        this(octets, tag, 0);
    }

    /**
     * @param octets 16, 24 or 32 octets; copied
     * @param tag unsigned 32 bits
     * @param replayWindow see {@link #replayWindow()}
     * @throws IllegalArgumentException naming the length or the window, never the octets
     */
    public Key(byte[] octets, int tag, int replayWindow) {
        if (octets.length != 16 && octets.length != 24 && octets.length != 32) {
            throw new IllegalArgumentException("key with tag %s has %d octets, want 16, 24 or 32"
                    .formatted(Integer.toUnsignedString(tag), octets.length));
        }
        if (!isReplayWindow(replayWindow)) {
            throw new IllegalArgumentException("key with tag %s has a replay window of %d packets, want 0 or %d to %d"
                    .formatted(Integer.toUnsignedString(tag), replayWindow, LEAST_REPLAY_WINDOW, MOST_REPLAY_WINDOW));
        }
        this.octets = octets.clone();
        this.unsalted = new SecurityAssociation.AeadKey(Arrays.copyOf(octets, octets.length + Integer.BYTES));
        this.tag = tag;
        this.replayWindow = replayWindow;
    }

    /** Returns a copy of the key's octets. */
    public byte[] octets() {
        return octets.clone();
    }

    /** Returns the key of a state with this SPI, which is also its salt (moby, {@code buildAeadAlgo}). */
    SecurityAssociation.AeadKey salted(int spi) {
        return unsalted.withSalt(spi);
    }

    /** Returns the tag, 32 bits unsigned. */
    public int tag() {
        return tag;
    }

    /**
     * Returns the number of packets, back from the newest, among which a repeated one is dropped, with sequence numbers of 64
     * bits (ESN, RFC 4303); 0 for no check, and numbers of 32 bits.
     */
    public int replayWindow() {
        return replayWindow;
    }

    /** Returns whether a key can have a replay window of this size. */
    public static boolean isReplayWindow(int packets) {
        return packets == 0 || packets >= LEAST_REPLAY_WINDOW && packets <= MOST_REPLAY_WINDOW;
    }

    @Override
    public boolean equals(Object other) {
        return this == other
                || other instanceof Key that
                        && tag == that.tag
                        && replayWindow == that.replayWindow
                        && MessageDigest.isEqual(octets, that.octets);
    }

    @Override
    public int hashCode() {
        return Integer.hashCode(tag);
    }

    /** Returns the tag alone; moby also prints 20 bits of the key. */
    @Override
    public String toString() {
        return "(key with tag 0x%x)".formatted(tag);
    }
}
