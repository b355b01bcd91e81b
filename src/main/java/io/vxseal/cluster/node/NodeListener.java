package io.vxseal.cluster.node;

import io.vxseal.cluster.PeerChange;
import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.record.PathReport;
import io.vxseal.peers.Peer;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;

/** Listener of what a node learns from hubs. */
public interface NodeListener {
    /** Takes changes of other nodes' endpoints. */
    void changed(List<PeerChange> changes);

    /**
     * Takes what this node announced before, according to a hub; claims that contradict each other may be among it, the likelier first.
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

    /** Begins a session with a hub that sends the records of its own sessions. */
    void hubOpened(String hub, long process);

    /** Takes what such a hub sends. */
    void recordsReceived(String hub, Message.Records records);

    /** Ends such a session. */
    void hubClosed(String hub);
}
