package io.vxseal.encryption;

import java.net.InetAddress;
import java.time.Instant;

/**
 * Traffic with one remote node, by the kernel's counters of its states.
 *
 * @param node address of the node for VXLAN
 * @param since when it was first found to have states, after the last time that it had none
 * @param sealedBytes of what this node sealed for it
 * @param openedBytes of what it sealed and this node opened
 */
public record PeerTraffic(
        InetAddress node, Instant since, long sealedBytes, long sealedPackets, long openedBytes, long openedPackets) {

    static PeerTraffic none(InetAddress node, Instant since) {
        return new PeerTraffic(node, since, 0, 0, 0, 0);
    }

    PeerTraffic withSealed(long bytes, long packets) {
        return new PeerTraffic(node, since, sealedBytes + bytes, sealedPackets + packets, openedBytes, openedPackets);
    }

    PeerTraffic withOpened(long bytes, long packets) {
        return new PeerTraffic(node, since, sealedBytes, sealedPackets, openedBytes + bytes, openedPackets + packets);
    }
}
