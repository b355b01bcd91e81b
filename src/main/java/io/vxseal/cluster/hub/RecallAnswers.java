package io.vxseal.cluster.hub;

import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.record.EndpointRecord;
import io.vxseal.cluster.record.NetworkRecord;
import io.vxseal.cluster.record.NodeRecord;
import io.vxseal.cluster.refusal.Refusal;
import io.vxseal.cluster.refusal.RefusedException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Answers of the nodes to a hub that asks them what its own node announced before. A hostile node may answer first, and anything; so the
 * answers of all nodes are gathered, and of two claims the one that more nodes name comes first.
 *
 * <p>Bounded: a node answers once, with no more than one node can have announced. If there are too many claims, the node that alone names
 * the most loses one. So hostile nodes take room from each other, not from claims that several nodes name.
 *
 * <p>Pure, one thread.
 */
final class RecallAnswers {
    /** Most claims that are kept; of some 400 octets each, with the longest ids. */
    static final int MOST_CLAIMS = Message.RecallReply.MOST;

    private final Set<String> answered = new HashSet<>();
    private final Map<Claim, Naming> namings = new LinkedHashMap<>();
    /** By node: the claims that it alone names. */
    private final Map<String, Set<Claim>> sole = new HashMap<>();

    private record Claim(String network, EndpointRecord endpoint) {}

    /** The node that named a claim first, and how many did. */
    private static final class Naming {
        private final String first;
        private int nodes = 1;

        Naming(String first) {
            this.first = first;
        }
    }

    /**
     * Adds a node's answer.
     *
     * @throws RefusedException if it is the node's second one, or names more than one node can have
     */
    void add(String node, List<NetworkRecord> networks) throws RefusedException {
        Set<Claim> named = new LinkedHashSet<>();
        for (NetworkRecord network : networks) {
            network.endpoints().forEach(endpoint -> named.add(new Claim(network.id(), endpoint.admitted(0))));
        }
        if (networks.size() > NodeRecord.MOST_NETWORKS || named.size() > NodeRecord.MOST_ENDPOINTS) {
            throw new RefusedException(Refusal.BOUNDS, "recall of %d endpoints in %d networks".formatted(named.size(), networks.size()));
        }
        if (!answered.add(node)) {
            throw new RefusedException(Refusal.RECALL, "second answer to a recall");
        }
        named.forEach(claim -> add(node, claim));
    }

    private void add(String node, Claim claim) {
        Naming known = namings.get(claim);
        if (known != null) {
            if (known.nodes++ == 1) {
                sole.getOrDefault(known.first, new HashSet<>()).remove(claim);
            }
            return;
        }
        namings.put(claim, new Naming(node));
        sole.computeIfAbsent(node, _ -> new LinkedHashSet<>()).add(claim);
        if (namings.size() > MOST_CLAIMS) {
            Set<Claim> most = sole.values().stream().max(Comparator.comparingInt(Set::size)).orElseThrow();
            Claim dropped = most.iterator().next();
            most.remove(dropped);
            namings.remove(dropped);
        }
    }

    /** Returns whether a node has answered. */
    boolean hasAnswered(String node) {
        return answered.contains(node);
    }

    /** Returns whether no endpoint was named. */
    boolean isEmpty() {
        return namings.isEmpty();
    }

    /** Returns all claims by network; those that more nodes name come first. */
    List<NetworkRecord> networks() {
        List<Map.Entry<Claim, Naming>> all = new ArrayList<>(namings.entrySet());
        all.sort(Comparator.comparingInt(each -> -each.getValue().nodes));
        Map<String, List<EndpointRecord>> byNetwork = new LinkedHashMap<>();
        all.forEach(each -> byNetwork.computeIfAbsent(each.getKey().network(), _ -> new ArrayList<>()).add(each.getKey().endpoint()));
        List<NetworkRecord> networks = new ArrayList<>();
        byNetwork.forEach((id, endpoints) -> networks.add(new NetworkRecord(id, List.of(), endpoints)));
        return networks;
    }
}
