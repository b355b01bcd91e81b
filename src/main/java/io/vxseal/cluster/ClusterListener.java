package io.vxseal.cluster;

import io.vxseal.cluster.record.PathReport;
import io.vxseal.encryption.KeyRing;
import io.vxseal.peers.Peer;
import java.util.List;

/** Listener of changes in the cluster, called for one at a time and in order. */
public interface ClusterListener {
    /**
     * Takes changes of other nodes' endpoints, in order: all at once those that came while the listener was busy with the ones before.
     One that is known in another shape is removed before it is added.
     */
    void peersChanged(List<PeerChange> changes);

    /**
     * Takes, after {@link Cluster#recall}, this node's endpoints as it announced them before, according to a hub. Those that it
     * announces in answer, it still has.
     */
    default void recalled(List<Peer> own) {}

    /** Checks this node's paths to other nodes. Called on a thread of its own, because it takes seconds. */
    default PathReport checkPaths() {
        return PathReport.EMPTY;
    }

    /** Takes another ring in force; empty only when this node moved to another swarm that has none yet. */
    void ring(KeyRing ring);
}
