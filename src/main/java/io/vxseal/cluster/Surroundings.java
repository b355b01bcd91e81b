package io.vxseal.cluster;

import io.vxseal.cluster.record.PathReport;
import io.vxseal.encryption.KeyRing;
import io.vxseal.peers.Peer;
import java.net.InetAddress;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;

/** What a {@link ClusterMember} acts upon: sessions and the driver. */
interface Surroundings {
    /** Connects to a hub; answered by {@link ClusterMember#hubReached} or {@link ClusterMember#hubFailed}. */
    void dial(InetAddress hub);

    /** Takes changes of other nodes' endpoints. */
    void changed(List<PeerChange> changes);

    /**
     * Takes what this node announced before, by the word of a hub.
     *
     * @param then to be run after that
     */
    void recalled(List<Peer> endpoints, Runnable then);

    /**
     * Checks this node's paths to other nodes.
     *
     * @param then takes what was found, on the cluster's thread, or nothing if the check failed
     */
    void checkPaths(Consumer<Optional<PathReport>> then);

    /** Takes keys that are in force from now on. */
    void keys(KeyRing keys);

    /** Ends the sessions of nodes that show a manager's certificate, and opens none, in place of the nodes before. */
    void refuseFormerManagers(Set<String> nodes);

    /** Ends the sessions of nodes that were removed from the swarm, and opens none, in place of the nodes before. */
    void refuseRemoved(Set<String> nodes);
}
