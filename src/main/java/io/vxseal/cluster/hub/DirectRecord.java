package io.vxseal.cluster.hub;

import io.vxseal.cluster.record.NodeRecord;
import java.util.Optional;

/** A record that its node announced to this hub, or what is left of it. */
final class DirectRecord {
    NodeRecord record;
    boolean live;
    /** Time at which it ends, unless the node is back by then; of one that ended, at which it is forgotten. */
    long until;
    /** The record that ended because another node took its VTEP: if this node returns, its claims are as old as they were. */
    Optional<NodeRecord> displaced = Optional.empty();

    DirectRecord(NodeRecord record) {
        this.record = record;
    }
}
