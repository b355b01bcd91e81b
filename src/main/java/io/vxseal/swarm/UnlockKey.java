package io.vxseal.swarm;

import java.io.IOException;
import java.util.Arrays;
import java.util.Base64;

/**
 * Key with which the managers' private keys are encrypted in an autolocked swarm, as {@code docker swarm unlock-key} prints it:
 * {@code SWMKEY-1-} and 32 octets in base64 without padding (swarmkit, manager/encryption). To be closed after use, which wipes it.
 */
public final class UnlockKey implements AutoCloseable {
    private static final String PREFIX = "SWMKEY-1-";
    private static final int LENGTH = 32;

    private final byte[] octets;

    private UnlockKey(byte[] octets) {
        this.octets = octets;
    }

    /**
     * Reads a key.
     *
     * @throws IOException without the text, if it is no such key
     */
    public static UnlockKey parse(String text) throws IOException {
        try {
            if (text.startsWith(PREFIX)) {
                byte[] octets = Base64.getDecoder().decode(text.substring(PREFIX.length()));
                if (octets.length == LENGTH) {
                    return new UnlockKey(octets);
                }
                Arrays.fill(octets, (byte) 0);
            }
        } catch (IllegalArgumentException _) {
            // answered as a key of another length
        }
        throw new IOException(text.isEmpty()
                ? "it has none, as if the swarm were not locked"
                : "its key is not %s and %d octets in base64".formatted(PREFIX, LENGTH));
    }

    /** Returns the octets themselves, which end with {@link #close}. */
    byte[] octets() {
        return octets;
    }

    @Override
    public void close() {
        Arrays.fill(octets, (byte) 0);
    }
}
