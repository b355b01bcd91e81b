package io.vxseal.cluster;

import io.vxseal.peers.Peer;

/** What became of another node's endpoint. */
public sealed interface PeerChange {
    Peer peer();

    /** An endpoint that was not known, or not in this shape. */
    record Added(Peer peer) implements PeerChange {}

    /** An endpoint that is no more; the peer as it was told before. */
    record Removed(Peer peer) implements PeerChange {}
}
