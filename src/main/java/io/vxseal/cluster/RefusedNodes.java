package io.vxseal.cluster;

import io.vxseal.cluster.hub.Hub;
import io.vxseal.cluster.message.Timer;
import java.util.Set;
import java.util.function.Predicate;

/**
 * Nodes whose connections this manager's sockets refuse, whatever certificate they show: former managers that still have a manager's, and
 * nodes that were removed from the swarm.
 *
 * <p>Pure, one thread.
 */
final class RefusedNodes {
    private final FormerManagers formerManagers;
    private final Predicate<String> isManager;
    private final Timer timer;
    private final Surroundings surroundings;
    private Set<String> removed = Set.of();

    RefusedNodes(FormerManagers formerManagers, Predicate<String> isManager, Timer timer, Surroundings surroundings) {
        this.formerManagers = formerManagers;
        this.isManager = isManager;
        this.timer = timer;
        this.surroundings = surroundings;
    }

    /** Looks at this manager's hub; to be called each second. */
    void look(Hub hub) {
        if (formerManagers.look(hub.connected(), hub.unlistedManagers(), isManager, timer.nanoTime())) {
            surroundings.refuseFormerManagers(formerManagers.refused());
        }
        Set<String> now = hub.removed();
        if (!now.equals(removed)) {
            removed = now;
            surroundings.refuseRemoved(now);
        }
    }
}
