package io.vxseal.cluster;

import io.vxseal.peers.Peer;

/** Change of another node's endpoint. */
public sealed interface PeerChange {
    Peer peer();

    /** Endpoint that was not known, or not in this shape. */
    record Added(Peer peer) implements PeerChange {}

    /** Endpoint that ended; the peer as it was before. */
    record Removed(Peer peer) implements PeerChange {}
}
