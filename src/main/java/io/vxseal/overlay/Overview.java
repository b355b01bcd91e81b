package io.vxseal.overlay;

import io.vxseal.address.NodeAddresses;
import io.vxseal.encryption.PeerTraffic;
import io.vxseal.encryption.Tally;
import io.vxseal.overlay.watch.Condition;
import io.vxseal.peers.Peer;
import io.vxseal.services.ServiceProxy;
import java.util.List;
import java.util.Optional;

/**
 * State of this node at one moment, for status. Contains no key octets.
 *
 * @param addresses of this node; empty until the engine has named them
 * @param networks that this node knows, sorted by id
 * @param services on these networks
 * @param withoutServices endpoints in whose containers services' addresses do not answer, each with the reason
 * @param firewall name of the firewall that has the rules; empty before the first rule
 * @param wanted what the kernel should hold
 * @param found what it holds; empty if it could not be read
 * @param traffic with each node that has IPsec states here
 * @param inTheWay what keeps packets from being sealed or opened, a line each
 * @param conditions trouble that lasts
 * @param repaired repairs since the start
 * @param errors last errors, the newest first
 */
public record Overview(
        Optional<NodeAddresses> addresses,
        List<Attached> networks,
        List<ServiceProxy.Service> services,
        List<String> withoutServices,
        Optional<String> firewall,
        Tally wanted,
        Optional<Tally> found,
        List<PeerTraffic> traffic,
        List<String> inTheWay,
        List<Condition> conditions,
        Repaired repaired,
        List<ErrorLog.Entry> errors) {

    /**
     * A network on this node.
     *
     * @param up whether it has links in the kernel
     * @param here endpoints on this node
     * @param elsewhere endpoints on other nodes
     */
    public record Attached(Network network, boolean up, List<Endpoint> here, List<Peer> elsewhere) {}

    /** Numbers of things that were repaired ({@link Driver#repair}). */
    public record Repaired(long rules, long statesAndPolicies, long links, long entries) {}
}
