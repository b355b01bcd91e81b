package io.vxseal.encryption;

import java.net.InetAddress;

/**
 * Traffic with one remote node, by the kernel's counters of its states.
 *
 * @param node address of the node for VXLAN
 * @param sealedBytes of what this node sealed for it
 * @param openedBytes of what it sealed and this node opened
 */
public record PeerTraffic(
        InetAddress node, long sealedBytes, long sealedPackets, long openedBytes, long openedPackets) {

    static PeerTraffic none(InetAddress node) {
        return new PeerTraffic(node, 0, 0, 0, 0);
    }

    PeerTraffic withSealed(long bytes, long packets) {
        return new PeerTraffic(node, sealedBytes + bytes, sealedPackets + packets, openedBytes, openedPackets);
    }

    PeerTraffic withOpened(long bytes, long packets) {
        return new PeerTraffic(node, sealedBytes, sealedPackets, openedBytes + bytes, openedPackets + packets);
    }
}
