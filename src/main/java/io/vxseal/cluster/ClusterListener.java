package io.vxseal.cluster;

import io.vxseal.encryption.KeyRing;
import io.vxseal.peers.Peer;
import java.util.List;

/** Hears of changes in the cluster, one at a time and in order. */
public interface ClusterListener {
    /**
     * Hears of endpoints of other nodes, in the order in which they changed: those that came while the listener was busy with the ones
     * before, all at once. One that is known in another shape is removed before it is added.
     */
    void peersChanged(List<PeerChange> changes);

    /**
     * Hears, after {@link Cluster#recall}, of this node's endpoints as it announced them before, by the word of a hub. Those that it
     * announces in answer, it still has.
     */
    default void recalled(List<Peer> own) {}

    /** Hears of another ring in force; empty only when this node moved to another swarm that has none yet. */
    void ring(KeyRing ring);
}
