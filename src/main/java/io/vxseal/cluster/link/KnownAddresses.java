package io.vxseal.cluster.link;

import java.net.InetAddress;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.SequencedMap;
import java.util.SequencedSet;

/** Addresses from which nodes authenticated lately, a few of each node: one with many addresses does not make those of others forgotten. Pure. */
final class KnownAddresses {
    /** Of a node, of which the one that was used longest ago is forgotten first. */
    static final int OF_NODE = 4;

    /** Nodes, of which the one that was quiet for longest is forgotten first. */
    static final int MOST_NODES = 2048;

    private final SequencedMap<String, SequencedSet<InetAddress>> byNode = new LinkedHashMap<>();
    /** How many nodes have each address: behind NAT several have one. */
    private final Map<InetAddress, Integer> nodes = new HashMap<>();

    /** Notes that a node authenticated from an address. */
    void add(String node, InetAddress address) {
        SequencedSet<InetAddress> addresses = byNode.getOrDefault(node, new LinkedHashSet<>());
        byNode.putLast(node, addresses);
        if (!addresses.contains(address)) {
            nodes.merge(address, 1, Integer::sum);
        }
        addresses.addLast(address);
        if (addresses.size() > OF_NODE) {
            forget(addresses.removeFirst());
        }
        if (byNode.size() > MOST_NODES) {
            byNode.pollFirstEntry().getValue().forEach(this::forget);
        }
    }

    private void forget(InetAddress address) {
        nodes.computeIfPresent(address, (_, count) -> count == 1 ? null : count - 1);
    }

    boolean contains(InetAddress address) {
        return nodes.containsKey(address);
    }
}
