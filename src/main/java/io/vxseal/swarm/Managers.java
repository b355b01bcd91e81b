package io.vxseal.swarm;

import java.net.InetAddress;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;

/**
 * The managers that this node knows of: those on the engine's list ({@link ManagerAddresses}), and those that
 * introduced themselves. One that is out of view counts as long as it is of the swarm, else each half of a group that was
 * cut in two would take itself for the whole. So it is forgotten only when
 *
 * <ul>
 *   <li>the engine's list no longer has it;
 *   <li>it shows a worker's certificate;
 *   <li>Docker says that it is gone, and it is not on the list. Docker says so too of nodes that its gossip merely
 *       lost sight of, which is no reason to forget one that the swarm counts on.
 * </ul>
 *
 * <p>Pure, one thread.
 */
public final class Managers {
    private Set<String> listed = Set.of();
    /** Set while the engine's list has managers whose ids it does not know yet. */
    private boolean partial;
    /** By node id, at the addresses that they announced. */
    private final Map<String, InetAddress> met = new HashMap<>();

    /** Takes the engine's list. An empty one means nothing: it is not written yet, or this node left the swarm. */
    public void listed(Set<String> now) {
        listed(now, false);
    }

    /**
     * Takes the engine's list.
     *
     * @param some whether it has managers whose ids it does not know yet
     */
    public void listed(Set<String> now, boolean some) {
        partial = some;
        if (!now.isEmpty()) {
            listed.stream().filter(gone -> !now.contains(gone)).forEach(met::remove);
            if (listed.isEmpty() && !some) {
                // Before there was a list anybody with a manager's certificate could introduce itself, one demoted lately, too.
                met.keySet().retainAll(now);
            }
        }
        listed = Set.copyOf(now);
    }

    /** Returns whether the engine's list has this node, or might have. */
    public boolean isManager(String node) {
        return listed.isEmpty() || partial || listed.contains(node);
    }

    /** Returns the managers of the engine's list. */
    public Set<String> listed() {
        return listed;
    }

    /** Takes the role that a node's certificate proves. */
    public void met(NodeName name, InetAddress vtep) {
        if (name.role() == Role.MANAGER) {
            met.put(name.node(), vtep);
        } else {
            met.remove(name.node());
        }
    }

    /** Forgets the manager at this address, which Docker calls gone, unless it is on the list. */
    public void lost(InetAddress address) {
        met.entrySet().removeIf(manager -> manager.getValue().equals(address) && !listed.contains(manager.getKey()));
    }

    /** Forgets the managers of a swarm that this node left. */
    public void forget() {
        met.clear();
    }

    /** Returns how many managers there are, if these are some of them. */
    public int count(Set<String> some) {
        Set<String> all = new HashSet<>(some);
        all.addAll(listed);
        all.addAll(met.keySet());
        return all.size();
    }

    /** Returns whether these are most of them, as the swarm's own consensus counts: half is not enough. */
    public boolean isMajority(Set<String> some) {
        return 2 * some.size() > count(some);
    }
}
