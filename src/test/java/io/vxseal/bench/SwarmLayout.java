package io.vxseal.bench;

import io.vxseal.address.Cidr;
import io.vxseal.address.MacAddress;
import io.vxseal.cluster.record.SubnetRecord;
import io.vxseal.peers.Peer;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.List;

/**
 * What the nodes of a benchmarked swarm have: ten endpoints each, in 5 networks. There is a network for each ten nodes, so
 * that fifty share each, however large the swarm is. Nodes are numbered from 1.
 *
 * @param nodes number of nodes
 */
record SwarmLayout(int nodes) {
    static final int MANAGERS = 3;

    private static final int NETWORKS_PER_NODE = 5;
    private static final int NODES_PER_NETWORK = 10;
    private static final int ENDPOINTS_PER_NETWORK = 2;

    /** Returns a node's address on the loopback device. */
    static InetAddress address(int node) {
        return InetAddress.ofLiteral("127.1.%d.%d".formatted(node >> 8, node & 0xFF));
    }

    /** Returns the networks that are up on a node. */
    List<Integer> networks(int node) {
        int all = allNetworks();
        List<Integer> networks = new ArrayList<>();
        for (int i = 0; i < NETWORKS_PER_NODE; i++) {
            networks.add((node + i * all / NETWORKS_PER_NODE) % all);
        }
        return networks;
    }

    private int allNetworks() {
        return Math.max(NETWORKS_PER_NODE, nodes / NODES_PER_NETWORK);
    }

    static String id(int network) {
        return "network%018d".formatted(network);
    }

    static SubnetRecord subnet(int network) {
        return new SubnetRecord(Cidr.parse("10.%d.0.0/16".formatted(network)), InetAddress.ofLiteral("10.%d.0.1".formatted(network)));
    }

    /** Returns a node's endpoints in a network. */
    static List<Peer> endpoints(int node, int network) {
        List<Peer> endpoints = new ArrayList<>();
        for (int i = 0; i < ENDPOINTS_PER_NETWORK; i++) {
            endpoints.add(endpoint(node, network, "%064x".formatted(node * 1000 + network * 2 + i), node * ENDPOINTS_PER_NETWORK + i + 2));
        }
        return endpoints;
    }

    /** Returns one more endpoint of a node, in its first network. */
    Peer probe(int node, int probe) {
        return endpoint(node, networks(node).getFirst(), probeId(probe), 30_000 + probe);
    }

    static String probeId(int probe) {
        return "probe%059d".formatted(probe);
    }

    private static Peer endpoint(int node, int network, String id, int host) {
        InetAddress address = InetAddress.ofLiteral("10.%d.%d.%d".formatted(network, host >> 8, host & 0xFF));
        return new Peer(id(network), id, new Cidr(address, 16), MacAddress.of(address), address(node));
    }

    /** Returns how many of the nodes 1 to this number have each network. */
    int[] members(int present) {
        int[] members = new int[allNetworks()];
        for (int node = 1; node <= present; node++) {
            networks(node).forEach(network -> members[network]++);
        }
        return members;
    }

    /** Returns how many endpoints of others a node has to know of a network of its own that this many nodes have. */
    static int expected(int members) {
        return (members - 1) * ENDPOINTS_PER_NETWORK;
    }
}
