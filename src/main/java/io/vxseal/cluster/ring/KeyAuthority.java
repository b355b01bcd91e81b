package io.vxseal.cluster.ring;

import io.vxseal.encryption.Key;
import io.vxseal.encryption.KeyRing;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.random.RandomGenerator;

/**
 * Decisions about the ring, and the making of keys. {@link RingKeeper} signs and sends.
 *
 * <p>A ring is {@code [primary, previous, next]}. The previous key is still accepted, because packets sent with it may
 * be under way and nodes that missed the last change still send with it; the next is already known everywhere, so that
 * the day it becomes primary nobody is surprised.
 */
public final class KeyAuthority {
    /** Octets in a key, as the swarm makes them: AES-128 (moby, {@code keySize} of the key manager). */
    static final int KEY_OCTETS = 16;

    /** Time without a change among the managers before the first ring is made: others may yet bring one. */
    static final Duration SETTLE = Duration.ofMillis(500);

    /** The same, while managers of the swarm's list are missing. */
    static final Duration SETTLE_INCOMPLETE = Duration.ofSeconds(5);

    /** A node may need this long to learn a ring; two rotations are never nearer to each other. */
    static final Duration LEARN = Duration.ofSeconds(60);

    /** A ring is signed anew this long before its author's certificate ends. */
    static final Duration RENEW = Duration.ofMinutes(10);

    private final Duration rotation;
    private final Duration apart;
    private final int replayWindow;
    private final RandomGenerator random;

    /**
     * Makes keys that live so long.
     *
     * @param rotation the life of a primary key
     * @param replayWindow of the keys made here, packets; 0 for none
     * @param random makes keys and the first tag
     */
    public KeyAuthority(Duration rotation, int replayWindow, RandomGenerator random) {
        this(rotation, min(LEARN, rotation.dividedBy(2)), replayWindow, random);
    }

    /**
     * Makes keys that live so long.
     *
     * @param apart the least time between two rotations
     */
    public KeyAuthority(Duration rotation, Duration apart, int replayWindow, RandomGenerator random) {
        this.rotation = rotation;
        this.apart = apart;
        this.replayWindow = replayWindow;
        this.random = random;
    }

    /** Returns the least time between two rotations. */
    Duration apart() {
        return apart;
    }

    /** Returns whether keys of this age would have been replaced, if the swarm had been up. */
    boolean isOutlived(Duration age) {
        return age.compareTo(rotation.plus(apart)) >= 0;
    }

    /** Duty of the key authority. */
    enum Duty {
        /** Leave all as it is. */
        NOTHING,
        /** Make the first ring. */
        FIRST,
        /** Make the next ring. */
        ROTATE,
        /** The next ring is due, but most managers are out of view. */
        AWAIT_MAJORITY,
        /** Sign the same keys again, under a higher version: the signature will soon be worth nothing, or does not name all revoked keys. */
        SIGN_AGAIN
    }

    /**
     * What is known at the moment of deciding.
     *
     * @param keyMaker whether this node makes the rings
     * @param complete whether all managers of the swarm's list are reached
     * @param majority whether most of them are reached; only then may keys change, because both halves of a swarm that was cut in two
     *     would change them otherwise, each in its own way
     * @param still time since the managers that are reached changed
     * @param ring in force; empty before any
     * @param requested whether a node wants other keys than the ring's before their time
     */
    record Situation(boolean keyMaker, boolean complete, boolean majority, Duration still, Optional<InForce> ring,
            boolean requested) {}

    /**
     * The ring in force.
     *
     * @param external whether the engine delivered the keys
     * @param valid whether its signature can still be verified with today's root, its author is still a manager, and no former manager's
     *     ring counts more somewhere
     * @param namesRevoked whether it names those of its keys that are revoked
     * @param left until its author's certificate ends
     * @param outlasted whether this node's own certificate ends later, so that signing again would help
     * @param age since its keys were made, by the author's clock and ours; may be nonsense if they differ
     * @param known since this node learnt its keys
     */
    record InForce(
            boolean external, boolean valid, boolean namesRevoked, Duration left, boolean outlasted, Duration age, Duration known) {}

    /** Decides; the answer changes with time alone, so ask again every second. */
    Duty duty(Situation now) {
        if (!now.keyMaker()) {
            return Duty.NOTHING;
        }
        if (now.ring().isEmpty()) {
            Duration wait = now.complete() ? SETTLE : SETTLE_INCOMPLETE;
            return now.still().compareTo(wait) >= 0 ? Duty.FIRST : Duty.NOTHING;
        }
        InForce ring = now.ring().get();
        if (!ring.valid() || ring.left().compareTo(RENEW) < 0 && ring.outlasted()) {
            return Duty.SIGN_AGAIN;
        }
        // A clock set back would stop rotation, one set forward would race it: so time by our own clock bounds both.
        boolean due = now.requested() || max(ring.age(), ring.known()).compareTo(rotation) >= 0;
        boolean learnt = ring.known().compareTo(apart) >= 0;
        boolean rotates = due && learnt && !ring.external();
        if (rotates && now.majority()) {
            return Duty.ROTATE;
        }
        if (!ring.namesRevoked()) {
            return Duty.SIGN_AGAIN;
        }
        return rotates ? Duty.AWAIT_MAJORITY : Duty.NOTHING;
    }

    /** Three fresh keys. Tags begin anywhere in the lower half, and every later one is greater. */
    KeyRing first() {
        int tag = random.nextInt(1, Integer.MAX_VALUE / 2);
        return new KeyRing(List.of(key(tag + 1), key(tag), key(tag + 2)));
    }

    /**
     * The ring after this one: {@code [current, previous, next]} becomes {@code [next, current, new]}. A ring of other
     * than three keys, as an engine may deliver, becomes one of three. The keys known keep their replay window, for with
     * another they would be other keys.
     */
    KeyRing rotate(KeyRing ring) {
        List<Key> keys = ring.keys();
        Key current = keys.getFirst();
        int greatest = keys.stream().map(Key::tag).max(Integer::compareUnsigned).orElseThrow();
        List<Key> after = new ArrayList<>();
        if (keys.size() > 2) {
            after.add(keys.getLast());
        } else {
            after.add(key(++greatest));
        }
        after.add(current);
        after.add(key(greatest + 1));
        return new KeyRing(after);
    }

    private Key key(int tag) {
        byte[] octets = new byte[KEY_OCTETS];
        random.nextBytes(octets);
        return new Key(octets, tag, replayWindow);
    }

    private static Duration max(Duration a, Duration b) {
        return a.compareTo(b) >= 0 ? a : b;
    }

    private static Duration min(Duration a, Duration b) {
        return a.compareTo(b) <= 0 ? a : b;
    }
}
