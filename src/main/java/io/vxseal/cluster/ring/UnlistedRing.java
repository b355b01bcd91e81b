package io.vxseal.cluster.ring;

import io.vxseal.cluster.message.RingMark;
import java.util.Optional;
import java.util.function.Predicate;

/** The newest ring whose author the engine did not list when it came; the list may be behind, or the author was demoted. Pure, one thread. */
final class UnlistedRing {
    /** Most versions by which a ring of a former manager is outdone; the outdoing has to stay within every node's longest step. */
    static final long LONGEST_CONTEST = 1000;

    private final Predicate<String> isManager;
    private Optional<SignedRing> newest = Optional.empty();

    /** @param isManager whether a node is on the engine's list of managers, or there is no such list */
    UnlistedRing(Predicate<String> isManager) {
        this.isManager = isManager;
    }

    /** Keeps a ring, unless a newer one is kept. */
    void keep(SignedRing ring) {
        if (newest.filter(one -> one.mark().compareTo(ring.mark()) >= 0).isEmpty()) {
            newest = Optional.of(ring);
        }
    }

    /** Returns the ring if its author is listed by now, and keeps it no longer. */
    Optional<SignedRing> takeListed() {
        Optional<SignedRing> listed = newest.filter(ring -> isManager.test(ring.mark().author()));
        if (listed.isPresent()) {
            newest = Optional.empty();
        }
        return listed;
    }

    /** Returns the ring if its author is not listed, and it counts more than the one in force where it was taken before its author was demoted. */
    Optional<SignedRing> contest(RingMark inForce) {
        return newest.filter(ring -> ring.mark().compareTo(inForce) > 0 && ring.mark().version() - inForce.version() <= LONGEST_CONTEST
                && !isManager.test(ring.mark().author()));
    }
}
