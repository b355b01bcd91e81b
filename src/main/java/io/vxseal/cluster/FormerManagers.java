package io.vxseal.cluster;

import io.vxseal.swarm.ManagerAddresses;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Predicate;

/**
 * Nodes that show a manager's certificate though the engine's list of managers has not had them for some time. The engine of a node that was
 * demoted takes a worker's certificate within seconds, and a node that was promoted is on every engine's list within seconds. So the
 * node was removed from the swarm, or its engine is out of order.
 *
 * <p>Pure, one thread.
 */
final class FormerManagers {
    private final Duration grace;
    private final Map<String, Long> since = new HashMap<>();
    private final Set<String> refused = new HashSet<>();
    /** The managers of the swarm, by the last list that named all. */
    private Set<String> listed = Set.of();

    /** @param grace time for the list and the certificate to follow from a change of role */
    FormerManagers(Duration grace) {
        this.grace = grace;
    }

    /**
     * Takes the engine's list of managers, and returns those that are not on it any more, in order. As long as some have no id in the
     * list, anyone may be one of them.
     */
    Set<String> listed(ManagerAddresses.Listing now) {
        if (now.nodes().isEmpty() || now.isPartial()) {
            return Set.of();
        }
        Set<String> gone = new TreeSet<>(listed);
        gone.removeAll(now.nodes());
        listed = now.nodes();
        return gone;
    }

    /** Forgets the list: it is of another swarm. */
    void forget() {
        listed = Set.of();
    }

    /**
     * Looks at the sessions; to be called each second.
     *
     * @param connected nodes with a session
     * @param unlisted those of them that show a manager's certificate and are not on the list
     * @param isManager whether a node is on the list
     * @return whether other nodes than before are refused
     */
    boolean look(Set<String> connected, Set<String> unlisted, Predicate<String> isManager, long now) {
        // Not those that are away: else the time began anew with each session.
        since.keySet().removeIf(node -> isManager.test(node) || connected.contains(node) && !unlisted.contains(node));
        unlisted.forEach(node -> since.putIfAbsent(node, now));
        boolean changed = refused.removeIf(isManager);
        for (Map.Entry<String, Long> each : since.entrySet()) {
            changed |= now - each.getValue() >= grace.toNanos() && refused.add(each.getKey());
        }
        return changed;
    }

    /** Returns the nodes that may have no session with such a certificate. */
    Set<String> refused() {
        return Set.copyOf(refused);
    }
}
