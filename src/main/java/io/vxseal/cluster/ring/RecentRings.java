package io.vxseal.cluster.ring;

import io.vxseal.cluster.message.RingMark;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * The rings that this node had last, by the digest of their octets, because their keys are to be forgotten. A node that returns one is a moment
 * behind, and not to blame.
 *
 * <p>Pure, one thread.
 */
final class RecentRings {
    /** Rings that an engine may deliver within the moment that a node is behind. */
    static final int MOST = 16;

    private final Map<ByteBuffer, RingMark> byDigest = new LinkedHashMap<>();

    /** Adds a ring, and forgets the one that was added first if there are too many. */
    void add(SignedRing ring) {
        byDigest.put(digest(ring.octets()), ring.mark());
        if (byDigest.size() > MOST) {
            byDigest.remove(byDigest.keySet().iterator().next());
        }
    }

    /** Returns which ring these octets are; empty if it is none of these. */
    Optional<RingMark> find(byte[] octets) {
        return Optional.ofNullable(byDigest.get(digest(octets)));
    }

    private static ByteBuffer digest(byte[] octets) {
        try {
            return ByteBuffer.wrap(MessageDigest.getInstance("SHA-256").digest(octets));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("this platform has no SHA-256", e);
        }
    }
}
