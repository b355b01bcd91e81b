package io.vxseal.cluster.ring;

import java.util.Optional;

/** Store in which the ring in force outlives the process. Trouble with it is logged, not thrown: the ring comes from other nodes as well. */
public interface RingStore {
    /** A store that keeps nothing. */
    RingStore NONE = new RingStore() {
        @Override
        public Optional<SignedRing> read(RingTrust trust) {
            return Optional.empty();
        }

        @Override
        public void write(SignedRing ring) {}
    };

    /** Returns what was kept, if a manager of this swarm signed it. */
    Optional<SignedRing> read(RingTrust trust);

    /** Replaces what is kept, whole or not at all, readable to nobody else. */
    void write(SignedRing ring);
}
