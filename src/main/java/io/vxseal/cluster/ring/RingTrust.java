package io.vxseal.cluster.ring;

import io.vxseal.cluster.refusal.RefusedException;
import io.vxseal.encryption.KeyRing;
import io.vxseal.swarm.NodeName;
import io.vxseal.swarm.SwarmIdentity;
import java.time.Instant;
import java.util.Set;

/** Signs rings in this node's name, and verifies those of others. */
public interface RingTrust {
    /** Returns who this node is. */
    NodeName self();

    /** Returns when this node's certificate ends. */
    Instant until();

    /**
     * Signs a ring.
     *
     * @param revoked tags of keys that other keys replace as soon as possible
     * @throws IllegalArgumentException if this node is no manager
     */
    SignedRing sign(long version, Instant made, boolean external, KeyRing keys, Set<Integer> revoked);

    /**
     * Reads and verifies a ring.
     *
     * @throws RefusedException if it is not one, or not by a manager of this swarm
     */
    SignedRing open(byte[] octets) throws RefusedException;

    /** Returns whether a ring verifies still. */
    default boolean opens(SignedRing ring) {
        try {
            open(ring.octets());
            return true;
        } catch (RefusedException _) {
            return false;
        }
    }

    /** Trust by the swarm's certificates. */
    static RingTrust of(SwarmIdentity identity) {
        return new RingTrust() {
            @Override
            public NodeName self() {
                return identity.name();
            }

            @Override
            public Instant until() {
                return identity.until();
            }

            @Override
            public SignedRing sign(long version, Instant made, boolean external, KeyRing keys, Set<Integer> revoked) {
                return SignedRing.sign(identity, version, made, external, keys, revoked);
            }

            @Override
            public SignedRing open(byte[] octets) throws RefusedException {
                return SignedRing.open(identity, octets);
            }
        };
    }
}
