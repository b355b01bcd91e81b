package io.vxseal.cluster.ring;

import io.vxseal.cluster.link.TokenBucket;
import io.vxseal.cluster.message.RingMark;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;

/**
 * The newest ring whose author the engine did not list when it came, and the newest that is near enough to be outdone; the list may be behind,
 * or the author was demoted. Pure, one thread.
 */
final class UnlistedRing {
    /** Most versions by which a ring of a former manager is outdone; the outdoing has to stay within every node's longest step. */
    static final long LONGEST_CONTEST = 1000;

    /** Rings of one author that are kept at once, and then in each interval: each may have the versions moved by a thousand. */
    static final int BURST = 10;
    static final Duration INTERVAL = Duration.ofMinutes(10);

    private static final int MOST_AUTHORS = 64;

    private final Predicate<String> isManager;
    private final Map<String, TokenBucket> authors = new LinkedHashMap<>();
    private Optional<SignedRing> newest = Optional.empty();
    /** One that is far ahead does not take its place: it may have been taken elsewhere all the same. */
    private Optional<SignedRing> newestNear = Optional.empty();

    /** @param isManager whether a node is on the engine's list of managers, or there is no such list */
    UnlistedRing(Predicate<String> isManager) {
        this.isManager = isManager;
    }

    /** Keeps a ring, unless a newer one is kept, or its author brings too many. */
    void keep(SignedRing ring, RingMark inForce, long now) {
        String author = ring.mark().author();
        if (!authors.containsKey(author) && authors.size() == MOST_AUTHORS) {
            authors.remove(authors.keySet().iterator().next());
        }
        TokenBucket bucket = authors.computeIfAbsent(author, _ -> new TokenBucket(1.0 / INTERVAL.toSeconds(), BURST, now));
        if (isNewer(newest, ring) && !bucket.tryTake(now)) {
            return;
        }
        newest = newer(newest, ring);
        if (isNear(ring, inForce)) {
            newestNear = newer(newestNear, ring);
        }
    }

    private static boolean isNewer(Optional<SignedRing> kept, SignedRing ring) {
        return kept.filter(one -> one.mark().compareTo(ring.mark()) >= 0).isEmpty();
    }

    private static Optional<SignedRing> newer(Optional<SignedRing> kept, SignedRing ring) {
        return isNewer(kept, ring) ? Optional.of(ring) : kept;
    }

    private static boolean isNear(SignedRing ring, RingMark inForce) {
        return ring.mark().version() - inForce.version() <= LONGEST_CONTEST;
    }

    /** Returns the ring if its author is listed by now, and keeps it no longer. */
    Optional<SignedRing> takeListed() {
        Predicate<SignedRing> isListed = ring -> isManager.test(ring.mark().author());
        Optional<SignedRing> listed = newest.filter(isListed).or(() -> newestNear.filter(isListed));
        authors.keySet().removeIf(isManager);
        newest = newest.filter(isListed.negate());
        newestNear = newestNear.filter(isListed.negate());
        return listed;
    }

    /** Returns the ring if its author is not listed, and it counts more than the one in force where it was taken before its author was demoted. */
    Optional<SignedRing> contest(RingMark inForce) {
        Predicate<SignedRing> counts = ring -> ring.mark().compareTo(inForce) > 0 && isNear(ring, inForce) && !isManager.test(ring.mark().author());
        return newest.filter(counts).or(() -> newestNear.filter(counts));
    }
}
