package io.vxseal.overlay;

import io.vxseal.address.NodeAddresses;
import io.vxseal.cluster.Status;
import io.vxseal.encryption.Encryption;
import io.vxseal.peers.Peer;
import java.util.List;
import java.util.Optional;

/**
 * This node at one moment, for people. No key octets in it.
 *
 * @param ends this node's addresses; empty until the engine named them
 * @param cluster the other nodes, and the ring
 * @param networks that this node knows, by id
 * @param firewall what makes the rules; empty before the first of them
 * @param wanted what the kernel should hold
 * @param found what it holds; empty if it did not say
 * @param inTheWay what keeps packets from being sealed or opened, a line each
 * @param repaired since the start
 * @param errors the last ones, the newest first
 */
public record Overview(
        Optional<NodeAddresses> ends,
        Status cluster,
        List<Attached> networks,
        Optional<String> firewall,
        Encryption.Tally wanted,
        Optional<Encryption.Tally> found,
        List<String> inTheWay,
        Repaired repaired,
        List<ErrorLog.Entry> errors) {

    /**
     * A network on this node.
     *
     * @param up whether it has links in the kernel
     * @param here the endpoints on this node
     * @param elsewhere those on other nodes
     */
    public record Attached(Network network, boolean up, List<Endpoint> here, List<Peer> elsewhere) {}

    /** How many things were not as they should be and were put right: see {@link Driver#repair}. */
    public record Repaired(long rules, long statesAndPolicies, long links, long entries) {}
}
