package io.vxseal.cluster.hub;

import io.vxseal.cluster.record.NetworkRecord;
import io.vxseal.cluster.record.NodeRecord;
import io.vxseal.cluster.record.SubnetRecord;
import io.vxseal.swarm.Role;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/**
 * Subnets of networks, as the managers' engines define them. Where managers differ, the subnets of all of them count.
 *
 * <p>Pure, one thread.
 */
final class SubnetDefinitions {
    private final Map<String, Map<String, List<SubnetRecord>>> byNetworkAndManager = new HashMap<>();

    /** By network: the subnets of all managers. */
    private final Map<String, List<SubnetRecord>> byNetwork = new HashMap<>();

    /**
     * Replaces what a node defines.
     *
     * @param before the record that it had
     * @param after the record that it has now
     * @return the networks that have other subnets now
     */
    Set<String> update(String node, Optional<NodeRecord> before, Optional<NodeRecord> after) {
        Map<String, List<SubnetRecord>> then = ofManager(before);
        Map<String, List<SubnetRecord>> now = ofManager(after);
        Set<String> networks = new HashSet<>(then.keySet());
        networks.addAll(now.keySet());
        networks.removeIf(network -> Objects.equals(then.get(network), now.get(network)));
        networks.removeIf(network -> !update(network, node, now.getOrDefault(network, List.of())));
        return networks;
    }

    /** Returns whether the network has other subnets now. */
    private boolean update(String network, String manager, List<SubnetRecord> subnets) {
        Map<String, List<SubnetRecord>> all = byNetworkAndManager.computeIfAbsent(network, _ -> new TreeMap<>());
        if (subnets.isEmpty()) {
            all.remove(manager);
        } else {
            all.put(manager, subnets);
        }
        List<SubnetRecord> merged = all.values().stream().flatMap(List::stream).distinct().toList();
        if (merged.isEmpty()) {
            byNetworkAndManager.remove(network);
            return byNetwork.remove(network) != null;
        }
        return !merged.equals(byNetwork.put(network, merged));
    }

    private static Map<String, List<SubnetRecord>> ofManager(Optional<NodeRecord> record) {
        Map<String, List<SubnetRecord>> subnets = new HashMap<>();
        record.filter(r -> r.role() == Role.MANAGER).ifPresent(r -> r.networks().forEach(network -> {
            if (!network.subnets().isEmpty()) {
                subnets.put(network.id(), network.subnets());
            }
        }));
        return subnets;
    }

    /** Returns a network's subnets; if no manager defines any, the claimant's own, which nodes on the network compare with their engine's. */
    List<SubnetRecord> subnets(NetworkRecord claimed) {
        return byNetwork.getOrDefault(claimed.id(), claimed.subnets());
    }
}
