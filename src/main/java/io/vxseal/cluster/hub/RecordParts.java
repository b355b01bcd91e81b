package io.vxseal.cluster.hub;

import io.vxseal.cluster.record.NodeRecord;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;

/**
 * Parts of records that sessions are sent in one round. A part is one object for all sessions that share the same networks with its node,
 * so that it is encoded once.
 *
 * <p>Bounded by the networks in the parts: nodes that claim and subscribe to a thousand networks each, no two to the same, have a part for
 * each session and node, with up to a thousand networks.
 */
final class RecordParts {
    /** Most networks that all parts together have; some 10 MB. */
    static final int MOST_NETWORKS = 100_000;

    private final Map<String, Map<Set<String>, NodeRecord>> byNode = new HashMap<>();
    private int networks;

    /** Returns the part of a record that is in these networks. */
    NodeRecord of(NodeRecord record, Set<String> shared) {
        Map<Set<String>, NodeRecord> parts = byNode.getOrDefault(record.node(), Map.of());
        NodeRecord known = parts.get(shared);
        if (known != null) {
            return known;
        }
        if (networks >= MOST_NETWORKS) {
            clear();
        }
        networks += shared.size() + 1;
        NodeRecord part = record.only(shared::contains);
        byNode.computeIfAbsent(record.node(), _ -> new HashMap<>()).put(shared, part);
        return part;
    }

    /** Forgets all parts, after which records may change. */
    void clear() {
        byNode.clear();
        networks = 0;
    }
}
