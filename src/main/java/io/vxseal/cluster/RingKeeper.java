package io.vxseal.cluster;

import io.vxseal.cluster.KeyAuthority.InForce;
import io.vxseal.cluster.KeyAuthority.Situation;
import io.vxseal.encryption.Key;
import io.vxseal.encryption.KeyRing;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
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
    private long known = System.nanoTime();

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
     * @param majority whether most of the managers known are in the group
     * @param still since the group, or this node's role in it, last changed
     */
    void keep(boolean keyMaker, boolean complete, boolean majority, Duration still) {
        Instant now = Instant.now();
        SwarmIdentity self = identity.orElseThrow();
        Optional<InForce> inForce = signed.map(ring -> new InForce(ring.external(), valid,
                Duration.between(now, ring.until()), self.until().isAfter(ring.until()),
                Duration.between(ring.made(), now), Duration.ofNanos(System.nanoTime() - known)));
        switch (authority.duty(new Situation(keyMaker, complete, majority, still, inForce))) {
            case NOTHING -> { }
            case FIRST -> make(authority.first(), now, false);
            case ROTATE -> make(authority.rotate(signed.orElseThrow().keys()), now, false);
            case SIGN_AGAIN -> {
                SignedRing ring = signed.orElseThrow();
                make(ring.keys(), ring.made(), ring.external());
            }
        }
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

    private void publish() {
        if (outlook.change(offered.or(() -> signed.map(SignedRing::keys)).orElse(KeyRing.EMPTY))) {
            known = System.nanoTime();
        }
    }

    Optional<Status.Ring> status() {
        return offered
                .map(keys -> new Status.Ring(tags(keys), 0,
                        identity.map(self -> self.name().node()).orElse(""), Instant.EPOCH, true))
                .or(() -> signed.map(ring -> new Status.Ring(tags(ring.keys()), ring.mark().version(),
                        ring.mark().author(), ring.made(), ring.external())));
    }

    private static List<Integer> tags(KeyRing keys) {
        return keys.keys().stream().map(Key::tag).toList();
    }
}
