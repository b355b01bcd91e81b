package io.vxseal.cluster.ring;

import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.message.RingMark;
import io.vxseal.cluster.message.Timer;
import io.vxseal.cluster.refusal.Refusal;
import io.vxseal.cluster.refusal.RefusedException;
import io.vxseal.cluster.ring.KeyAuthority.InForce;
import io.vxseal.cluster.ring.KeyAuthority.Situation;
import io.vxseal.encryption.KeyRing;
import io.vxseal.swarm.Role;
import java.time.Duration;
import java.time.Instant;
import java.util.Collections;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The ring that is in force on this node: learnt from a manager, read back from the store, delivered by the engine, or made here when
 * that is this node's duty.
 *
 * <p>Pure, one thread.
 */
public final class RingKeeper implements Rings {
    private static final Logger LOG = LoggerFactory.getLogger(RingKeeper.class);

    /** Most versions that a ring may be ahead of this node's: years of rotations. */
    static final long LONGEST_STEP = 1_000_000;

    private final KeyAuthority authority;
    private final RingStore store;
    private final Timer timer;
    private final Predicate<String> isManager;
    private final Events events;

    private Optional<RingTrust> trust = Optional.empty();
    private Optional<SignedRing> signed = Optional.empty();
    private final UnlistedRing unlisted;
    /** Set if the signature verifies with today's root; checked when either changes. */
    private boolean verified;
    /** Keys that this node's engine delivered and no manager has confirmed. */
    private Optional<KeyRing> offered = Optional.empty();
    private boolean rotationRequested;
    /** Keys of the engine of which it was logged that they cannot be replaced here. */
    private KeyRing warned = KeyRing.EMPTY;
    private final RevokedKeys revoked;
    /** Time at which the ring in force came. */
    private long taken;
    /** Whether most managers have been reached since then, so that they have it, too. */
    private boolean established;
    /** Whether a node was removed while most managers had no ring of this node's yet: there may be one, with keys that the removed node has. */
    private boolean removedEarly;
    private KeyRing published = KeyRing.EMPTY;
    private final KnownKeys known;
    private final RecentRings recent = new RecentRings();

    /** Listener of the ring. */
    public interface Events {
        /** Takes keys that are in force from now on. */
        void keys(KeyRing keys);

        /** The ring changed, or should be replaced. */
        void changed();
    }

    /**
     * Keeps no ring yet.
     *
     * @param isManager whether a node is on the engine's list of managers, or there is no such list
     */
    public RingKeeper(KeyAuthority authority, RingStore store, Timer timer, Predicate<String> isManager, Events events) {
        this.authority = authority;
        this.store = store;
        this.timer = timer;
        this.isManager = isManager;
        this.unlisted = new UnlistedRing(isManager);
        this.events = events;
        this.revoked = new RevokedKeys(timer);
        this.known = new KnownKeys(timer);
        this.taken = timer.nanoTime();
    }

    /** Takes this node's certificates, new or renewed; the ring of another swarm ends. */
    public void become(RingTrust now) {
        boolean sameSwarm = trust.filter(was -> was.self().swarm().equals(now.self().swarm())).isPresent();
        trust = Optional.of(now);
        if (!sameSwarm) {
            Optional<SignedRing> kept = store.read(now);
            // After leaving and coming back, the ring in memory is as good as the store's; another swarm's is nothing.
            signed = kept.isPresent() ? kept : signed.filter(ring -> now.opens(ring));
        }
        verified = signed.filter(ring -> now.opens(ring)).isPresent();
        if (!sameSwarm) {
            revoked.clear();
        }
        signed.ifPresent(revoked::inForce);
        signOffered();
        publish();
    }

    /** Takes keys that the engine delivered to this node. */
    public void offer(KeyRing keys) {
        if (keys.isEmpty()) {
            LOG.warn("the engine delivered no keys; the ring stays");
            return;
        }
        offered = Optional.of(keys);
        signOffered();
        publish();
    }

    /** Makes the keys of this node's engine everyone's, if this node may. */
    private void signOffered() {
        if (offered.isEmpty() || trust.isEmpty() || trust.get().self().role() != Role.MANAGER) {
            return;
        }
        KeyRing keys = offered.get();
        offered = Optional.empty();
        // Every manager's engine delivers the same keys; one signature is enough.
        if (signed.filter(ring -> ring.external() && ring.keys().equals(keys)).isEmpty()) {
            make(keys, timer.wallTime(), true);
        }
    }

    /** Requests other keys than those in force. */
    public void requestRotation() {
        if (rotationRequested || keys().isEmpty()) {
            return;
        }
        rotationRequested = true;
        if (isExternal()) {
            warnExternal();
            return;
        }
        events.changed();
    }

    private void warnExternal() {
        if (keys().equals(warned)) {
            return;
        }
        warned = keys();
        LOG.warn("the keys are to be replaced, and only the engine, which delivered them, can rotate them");
    }

    /**
     * Has the keys in force replaced by others, in as many rotations as that takes: nodes have them that are not of the swarm any more, and
     * one rotation makes a key primary that these know as the next one.
     *
     * @return whether keys are revoked that were not before
     */
    public boolean revokeKeys() {
        if (isExternal()) {
            warnExternal();
            return false;
        }
        boolean added = signed.isPresent() && revoked.revoke(signed.get().keys());
        if (added) {
            events.changed();
        }
        return added;
    }

    @Override
    public boolean isRotationRequested() {
        return (rotationRequested || !revokedOfRing().isEmpty()) && !isExternal();
    }

    /** Returns the tags of the revoked keys that the ring in force has. */
    private Set<Integer> revokedOfRing() {
        return signed.map(ring -> revoked.among(ring.keys())).orElse(Set.of());
    }

    @Override
    public void onRotationRequest(RingMark ring) {
        if (!isRotationRequested() && ring.equals(mark()) && ring.version() > 0 && !isExternal()) {
            rotationRequested = true;
            events.changed();
        }
    }

    @Override
    public Set<Integer> revoked() {
        boolean mayName = trust.filter(self -> self.self().role() == Role.MANAGER).isPresent() && !isExternal();
        return mayName ? revokedOfRing() : Set.of();
    }

    @Override
    public void onRevocation(Set<Integer> tags) {
        Set<Integer> before = revoked();
        if (revoked.add(tags) && !revoked().equals(before)) {
            events.changed();
        }
    }

    @Override
    public void onRemoval(String node) {
        removedEarly |= !established;
        // A node may send good-byes as often as it likes.
        if (revokeKeys()) {
            LOG.info("node {} left the swarm, was removed, or is no manager any more: rotating the keys until it has none of them", node);
        }
    }

    @Override
    public RingMark mark() {
        return signed.map(SignedRing::mark).orElse(RingMark.NONE);
    }

    @Override
    public Optional<Message.Ring> newerThan(RingMark theirs) {
        return signed.filter(ring -> ring.mark().compareTo(theirs) > 0).map(SignedRing::message);
    }

    @Override
    public boolean has(byte[] octets) {
        return signed.filter(ring -> ring.hasOctets(octets)).isPresent();
    }

    @Override
    public boolean hadLately(byte[] octets) {
        return had(octets).isPresent();
    }

    @Override
    public void take(byte[] octets) throws RefusedException {
        if (has(octets)) {
            return;
        }
        Optional<RingMark> had = had(octets);
        if (had.isPresent()) {
            refuseOld(had.get(), "ring %d by %s".formatted(had.get().version(), had.get().author()));
            return;
        }
        SignedRing theirs = trust.orElseThrow(() -> new RefusedException(Refusal.RING, "a ring before this node's certificates are there")).open(octets);
        if (theirs.mark().compareTo(mark()) <= 0) {
            refuseOld(theirs.mark(), theirs.toString());
            return;
        }
        if (mark().version() > 0 && theirs.mark().version() - mark().version() > LONGEST_STEP) {
            throw new RefusedException(Refusal.RING_VERSION, "%s, which is far ahead of %s".formatted(theirs, signed.orElseThrow()));
        }
        if (!isManager.test(theirs.mark().author())) {
            unlisted.keep(theirs, mark(), timer.nanoTime());
            throw new RefusedException(Refusal.RING_AUTHOR, "%s, whose author is no manager of the swarm now".formatted(theirs));
        }
        boolean earlier = isOfEarlierTime(theirs);
        boolean unknown = removedEarly && !follows(theirs);
        LOG.info("took {}", theirs);
        inForce(theirs);
        if (earlier) {
            revokeOfEarlierTime();
        }
        if (unknown && revokeKeys()) {
            LOG.info("a node was removed before this one had the ring, and may have its keys: rotating them until it has none of them");
        }
    }

    /**
     * Returns whether a ring that does not follow from the one in force is of an earlier time, as when all nodes lost theirs with their power but
     * one that had been cut off. Keys were revoked since then, perhaps, and nobody knows of that any more. Its age counts by this
     * node's clock, so a ring that follows is none, whenever it was made.
     */
    private boolean isOfEarlierTime(SignedRing ring) {
        if (ring.external() || trust.orElseThrow().self().role() != Role.MANAGER || follows(ring)) {
            return false;
        }
        return authority.isOutlived(Duration.between(ring.made(), timer.wallTime()))
                || established && signed.filter(one -> one.made().isAfter(ring.made())).isPresent();
    }

    /** Returns whether a ring has a key of the one in force. */
    private boolean follows(SignedRing ring) {
        return signed.filter(one -> !Collections.disjoint(one.keys().keys(), ring.keys().keys())).isPresent();
    }

    private void revokeOfEarlierTime() {
        if (revokeKeys()) {
            LOG.warn("the ring is of an earlier time, and nodes may have its keys that left the swarm since: rotating the keys until it has none of them");
        }
    }

    /** Returns which ring these octets are, if this node had it lately and has a newer one: not one of a swarm that it has joined again. */
    private Optional<RingMark> had(byte[] octets) {
        return recent.find(octets).filter(ring -> ring.compareTo(mark()) < 0);
    }

    /** Refuses a ring that is older than this node's, but not the one before, which may still have been under way. */
    private void refuseOld(RingMark theirs, String text) throws RefusedException {
        if (theirs.version() < mark().version() - 1) {
            throw new RefusedException(Refusal.RING_OLD, "%s, which is older than %s".formatted(text, signed.orElseThrow()));
        }
    }

    /** Takes the ring of an author that the engine lists by now. */
    public void managersChanged() {
        Optional<SignedRing> again = unlisted.takeListed();
        if (again.isPresent()) {
            try {
                take(again.get().octets());
            } catch (RefusedException e) {
                LOG.debug("{}", e.getMessage());
            }
        }
    }

    /**
     * Does the key authority's duty, if it is this node's.
     *
     * @param keyMaker whether this node makes the rings
     * @param complete whether all managers of the swarm's list are reached
     * @param majority whether most of them sent something just now
     * @param still since the managers that are reached changed
     * @return whether a majority is what the next ring waits for
     */
    public boolean keep(boolean keyMaker, boolean complete, boolean majority, Duration still) {
        established |= majority && signed.isPresent();
        removedEarly &= !established;
        Instant now = timer.wallTime();
        RingTrust self = trust.orElseThrow();
        Optional<InForce> inForce = signed.map(ring -> new InForce(ring.external(),
                verified && isManager.test(ring.mark().author()) && !isContested(), namesRevokedKeys(ring),
                Duration.between(now, ring.until()), self.until().isAfter(ring.until()),
                Duration.between(ring.made(), now), known.age()));
        KeyAuthority.Duty duty = authority.duty(
                new Situation(keyMaker, complete, majority, still, inForce, isRotationRequested()));
        switch (duty) {
            case NOTHING, AWAIT_MAJORITY -> { }
            case FIRST -> make(authority.first(), now, false);
            case ROTATE -> {
                if (revoked.isSpread()) {
                    make(authority.rotate(signed.orElseThrow().keys()), now, false);
                }
            }
            case SIGN_AGAIN -> {
                SignedRing ring = signed.orElseThrow();
                // This process may have started after the author was removed, and have heard of no removal.
                if (!isManager.test(ring.mark().author())) {
                    onRemoval(ring.mark().author());
                }
                make(ring.keys(), ring.made(), ring.external());
            }
        }
        return duty == KeyAuthority.Duty.AWAIT_MAJORITY;
    }

    /**
     * Returns whether a former manager's ring, which is not taken here, counts more where it was taken before its author was demoted. Signing
     * again under a later version ends that.
     */
    private boolean isContested() {
        return unlisted.contest(mark()).isPresent() && timer.nanoTime() - taken >= authority.apart().toNanos();
    }

    /**
     * Returns whether the ring names all revoked keys that it has. Until one does, only the managers that received the removal have that, in
     * memory: if their plugins end before the keys change, the keys would stay.
     */
    private boolean namesRevokedKeys(SignedRing ring) {
        return ring.external() || ring.revoked().containsAll(revoked.among(ring.keys()));
    }

    private void make(KeyRing keys, Instant made, boolean external) {
        long version = Math.max(mark().version(), unlisted.contest(mark()).map(ring -> ring.mark().version()).orElse(0L)) + 1;
        SignedRing ring = trust.orElseThrow().sign(version, made, external, keys, external ? Set.of() : revoked.among(keys));
        LOG.info("made {}", ring);
        inForce(ring);
    }

    private void inForce(SignedRing ring) {
        signed = Optional.of(ring);
        recent.add(ring);
        verified = true;
        revoked.inForce(ring);
        taken = timer.nanoTime();
        established = false;
        if (ring.external()) {
            offered = Optional.empty();
        }
        store.write(ring);
        publish();
        events.changed();
    }

    /** Returns the keys in force; empty before any. */
    public KeyRing keys() {
        return offered.or(() -> signed.map(SignedRing::keys)).orElse(KeyRing.EMPTY);
    }

    private boolean isExternal() {
        return offered.isPresent() || signed.filter(SignedRing::external).isPresent();
    }

    private void publish() {
        KeyRing keys = keys();
        if (keys.equals(published)) {
            return;
        }
        published = keys;
        known.inForce(keys);
        rotationRequested = false;
        events.keys(keys);
    }

    /** Returns the ring in force, for people; empty before any. */
    public Optional<RingStatus> status() {
        return offered
                .map(keys -> new RingStatus(known.describe(keys), 0, trust.map(self -> self.self().node()).orElse(""), Instant.EPOCH, true))
                .or(() -> signed.map(ring -> new RingStatus(
                        known.describe(ring.keys()), ring.mark().version(), ring.mark().author(), ring.made(), ring.external())));
    }
}
