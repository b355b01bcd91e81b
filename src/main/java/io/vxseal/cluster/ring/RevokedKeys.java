package io.vxseal.cluster.ring;

import io.vxseal.cluster.message.Timer;
import io.vxseal.encryption.KeyRing;
import java.time.Duration;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keys of the ring in force that nodes have which are not of the swarm any more, by tag. Each signed ring names its own, so that every
 * manager knows which have to go; a manager adds the keys that it has when it learns of a removal.
 *
 * <p>Pure, one thread.
 */
final class RevokedKeys {
    private static final Logger LOG = LoggerFactory.getLogger(RevokedKeys.class);

    /** More than a few rings have: keys that no ring has go with the next one. */
    private static final int MOST = 64;

    /** Rotations that this manager may have missed, and another one named keys of. */
    private static final int MOST_AHEAD = 6;

    /**
     * Time for all nodes to have the list of managers after a change. Until then some pass rings on to a manager that was removed; those have
     * keys that it has already.
     */
    private static final Duration SPREAD = Duration.ofSeconds(5);

    private final Timer timer;
    private Set<Integer> tags = Set.of();
    /** Time of the last revocation that was new. */
    private Optional<Long> revoked = Optional.empty();

    RevokedKeys(Timer timer) {
        this.timer = timer;
    }

    /**
     * Revokes all keys of the ring in force.
     *
     * @return whether that is new
     */
    boolean revoke(KeyRing ring) {
        Set<Integer> all = tags(ring);
        boolean added = !tags.containsAll(all);
        Set<Integer> now = new HashSet<>(all);
        now.addAll(later(all));
        tags = now.size() <= MOST ? Set.copyOf(now) : all;
        revoked = added ? Optional.of(timer.nanoTime()) : revoked;
        return added;
    }

    /**
     * Revokes keys that another manager names. They may be of a ring that is yet to come.
     *
     * @return whether that is new
     */
    boolean add(Set<Integer> named) {
        if (tags.containsAll(named)) {
            return false;
        }
        Set<Integer> all = new HashSet<>(tags);
        all.addAll(named);
        tags = all.size() <= MOST ? Set.copyOf(all) : named;
        revoked = Optional.of(timer.nanoTime());
        return true;
    }

    /** Takes another ring in force: adds the keys that it names as revoked, and forgets those of earlier rings. */
    void inForce(SignedRing ring) {
        Set<Integer> all = tags(ring.keys());
        Set<Integer> later = later(all);
        Set<Integer> now = new HashSet<>(tags);
        now.addAll(ring.revoked());
        now.retainAll(all);
        if (now.isEmpty() && !later.containsAll(tags)) {
            LOG.info("no key is left in the ring that a node has which left the swarm");
        }
        now.addAll(later);
        tags = Set.copyOf(now);
    }

    /** Returns the tags that another manager named and that are of a ring yet to come: each rotation adds the next number. */
    private Set<Integer> later(Set<Integer> ring) {
        long greatest = ring.stream().mapToLong(Integer::longValue).max().orElse(Integer.MAX_VALUE);
        return tags.stream().filter(tag -> tag > greatest && tag <= greatest + MOST_AHEAD).collect(Collectors.toSet());
    }

    /** Returns the revoked keys that a ring has. */
    Set<Integer> among(KeyRing ring) {
        Set<Integer> some = new HashSet<>(tags);
        some.retainAll(tags(ring));
        return some;
    }

    /** Returns whether every node may know of the removals, so that other keys can be made. */
    boolean isSpread() {
        return revoked.filter(when -> timer.nanoTime() - when < SPREAD.toNanos()).isEmpty();
    }

    /** Forgets all. */
    void clear() {
        tags = Set.of();
    }

    private static Set<Integer> tags(KeyRing ring) {
        Set<Integer> tags = new HashSet<>();
        ring.keys().forEach(key -> tags.add(key.tag()));
        return tags;
    }
}
