package io.vxseal.cluster;

import io.vxseal.cluster.KeyAuthority.InForce;
import io.vxseal.cluster.KeyAuthority.Situation;
import io.vxseal.encryption.Key;
import io.vxseal.encryption.KeyRing;
import io.vxseal.swarm.Role;
import io.vxseal.swarm.SwarmIdentity;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The ring that is in force on this node: learnt from a manager, read back from the file, delivered by the engine, or
 * made here when that is this node's duty. On the cluster's thread.
 */
final class RingKeeper {
    private static final Logger LOG = LoggerFactory.getLogger(RingKeeper.class);

    private final KeyAuthority authority;
    private final Optional<RingFile> file;
    private final Outlook outlook;
    private final Consumer<Message> tellAll;

    private Optional<SwarmIdentity> identity = Optional.empty();
    private Optional<SignedRing> signed = Optional.empty();
    /** Whether the signature still verifies with today's root; found out when either changes. */
    private boolean valid;
    /** What this node's engine delivered and no manager has confirmed. */
    private Optional<KeyRing> offered = Optional.empty();
    /** Whether this node or another wants the keys in force replaced before their time. */
    private boolean unwanted;
    private long known = System.nanoTime();
    /** The tags of the keys in force, and when each first was, by {@link System#nanoTime()}. */
    private final Map<Integer, Long> since = new HashMap<>();

    /** @param tellAll sends a message to all members */
    RingKeeper(KeyAuthority authority, Optional<RingFile> file, Outlook outlook, Consumer<Message> tellAll) {
        this.authority = authority;
        this.file = file;
        this.outlook = outlook;
        this.tellAll = tellAll;
    }

    /** This node is, or is now, who these certificates say; the ring of another swarm ends with that one. */
    void become(SwarmIdentity now) {
        boolean sameSwarm = identity.filter(was -> was.name().swarm().equals(now.name().swarm())).isPresent();
        identity = Optional.of(now);
        if (!sameSwarm) {
            Optional<SignedRing> kept = file.flatMap(f -> f.read(now));
            // Left and come back, the ring in memory is as good as the file; of another swarm, it is nothing.
            signed = kept.isPresent() ? kept : signed.filter(ring -> opens(now, ring));
        }
        valid = signed.filter(ring -> opens(now, ring)).isPresent();
        signOffered();
        publish();
    }

    private static boolean opens(SwarmIdentity identity, SignedRing ring) {
        try {
            SignedRing.open(identity, ring.octets());
            return true;
        } catch (RefusedException _) {
            return false;
        }
    }

    /** The engine delivered keys to this node; see {@link Cluster#offer}. */
    void offer(KeyRing keys) {
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
        if (offered.isEmpty() || identity.isEmpty() || identity.get().name().role() != Role.MANAGER) {
            return;
        }
        KeyRing keys = offered.get();
        offered = Optional.empty();
        // Every manager's engine delivers the same keys; one signature is enough.
        if (signed.filter(ring -> ring.external() && ring.keys().equals(keys)).isEmpty()) {
            make(keys, Instant.now(), true);
        }
    }

    /**
     * This node wants other keys than those in force; see {@link Cluster#rotate}.
     *
     * @return whether the others are to be told, which they are not twice
     */
    boolean wish() {
        if (unwanted || keys().isEmpty()) {
            return false;
        }
        unwanted = true;
        if (isExternal()) {
            LOG.warn("the keys wear out, and only the engine, which delivered them, can rotate them");
        }
        return wishes();
    }

    /**
     * Whether the ring of {@link #mark()} is to be replaced before its time. A node that hears of a wish says so too from
     * then on: whoever makes the next ring will have heard it.
     */
    boolean wishes() {
        return unwanted && !isExternal();
    }

    /** Another node wants this ring replaced. What it says of one that this node does not have yet, it will say again. */
    void wished(SignedRing.Mark ring) {
        unwanted |= ring.equals(mark()) && !isExternal();
    }

    /** The newest ring this node has. */
    SignedRing.Mark mark() {
        return signed.map(SignedRing::mark).orElse(SignedRing.Mark.NONE);
    }

    /**
     * What a member with this ring lacks, if it does. So a node that missed any number of rotations catches up in one
     * step.
     */
    Optional<Message> newerThan(SignedRing.Mark theirs) {
        return signed.filter(ring -> ring.mark().compareTo(theirs) > 0).map(ring -> new Message.Ring(ring.octets()));
    }

    /** @throws RefusedException if the ring is not by a manager of this swarm, or older than this node's */
    void take(byte[] octets) throws RefusedException {
        SignedRing theirs = SignedRing.open(identity.orElseThrow(), octets);
        int order = theirs.mark().compareTo(mark());
        if (order < 0) {
            throw new RefusedException("%s, which is older than %s".formatted(theirs, signed.orElseThrow()));
        }
        if (order > 0) {
            LOG.info("took {}", theirs);
            inForce(theirs);
        }
    }

    /**
     * Does the key authority's duty, if it is this node's.
     *
     * @param keyMaker whether this node makes the rings of its group
     * @param complete whether all nodes that Docker named are in the group
     * @param majority whether most of the managers known are in view
     * @param still since the group, or this node's role in it, last changed
     * @return whether a majority is what the next ring waits for
     */
    boolean keep(boolean keyMaker, boolean complete, boolean majority, Duration still) {
        Instant now = Instant.now();
        SwarmIdentity self = identity.orElseThrow();
        Optional<InForce> inForce = signed.map(ring -> new InForce(ring.external(), valid,
                Duration.between(now, ring.until()), self.until().isAfter(ring.until()),
                Duration.between(ring.made(), now), Duration.ofNanos(System.nanoTime() - known)));
        KeyAuthority.Duty duty =
                authority.duty(new Situation(keyMaker, complete, majority, still, inForce, wishes()));
        switch (duty) {
            case NOTHING, AWAIT_MAJORITY -> { }
            case FIRST -> make(authority.first(), now, false);
            case ROTATE -> make(authority.rotate(signed.orElseThrow().keys()), now, false);
            case SIGN_AGAIN -> {
                SignedRing ring = signed.orElseThrow();
                make(ring.keys(), ring.made(), ring.external());
            }
        }
        return duty == KeyAuthority.Duty.AWAIT_MAJORITY;
    }

    private void make(KeyRing keys, Instant made, boolean external) {
        SignedRing ring = SignedRing.sign(identity.orElseThrow(), mark().version() + 1, made, external, keys);
        LOG.info("made {}", ring);
        inForce(ring);
        tellAll.accept(new Message.Ring(ring.octets()));
    }

    private void inForce(SignedRing ring) {
        signed = Optional.of(ring);
        valid = true;
        if (ring.external()) {
            offered = Optional.empty();
        }
        file.ifPresent(f -> f.write(ring));
        publish();
    }

    private KeyRing keys() {
        return offered.or(() -> signed.map(SignedRing::keys)).orElse(KeyRing.EMPTY);
    }

    private boolean isExternal() {
        return offered.isPresent() || signed.filter(SignedRing::external).isPresent();
    }

    private void publish() {
        if (outlook.change(keys())) {
            known = System.nanoTime();
            unwanted = false;
            List<Integer> tags = keys().keys().stream().map(Key::tag).toList();
            since.keySet().retainAll(tags);
            tags.forEach(tag -> since.putIfAbsent(tag, known));
        }
    }

    Optional<Status.Ring> status() {
        return offered
                .map(keys -> new Status.Ring(known(keys), 0,
                        identity.map(self -> self.name().node()).orElse(""), Instant.EPOCH, true))
                .or(() -> signed.map(ring -> new Status.Ring(known(ring.keys()), ring.mark().version(),
                        ring.mark().author(), ring.made(), ring.external())));
    }

    private List<Status.Known> known(KeyRing keys) {
        long now = System.nanoTime();
        return keys.keys().stream()
                .map(key -> new Status.Known(key.tag(), Duration.ofNanos(now - since.getOrDefault(key.tag(), now))))
                .toList();
    }
}
