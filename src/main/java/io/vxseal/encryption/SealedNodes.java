package io.vxseal.encryption;

import java.net.InetAddress;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Remote nodes that are sealed to or that the kernel holds something for, and which of them have the same SPIs. */
final class SealedNodes {
    private final Map<InetAddress, SealedNode> byAddress = new LinkedHashMap<>();

    /** Of all nodes, {@link SealedNode#source}; and of those where it is that of several. */
    private final Set<Integer> sources = new HashSet<>();
    private final Set<Integer> shared = new HashSet<>();

    /** Number of calls of {@link #want}, for {@link SealedNode#arrival}. */
    private long arrivals;

    /** Returns all nodes, in the order in which they were added. */
    Collection<SealedNode> all() {
        return Collections.unmodifiableCollection(byAddress.values());
    }

    /** Returns the node with this address, if it is known. */
    Optional<SealedNode> find(InetAddress address) {
        return Optional.ofNullable(byAddress.get(address));
    }

    /** Returns the node with this address, and adds it if it is not known. */
    SealedNode get(InetAddress address) {
        SealedNode known = byAddress.get(address);
        if (known != null) {
            return known;
        }
        SealedNode added = new SealedNode(address);
        byAddress.put(address, added);
        if (!sources.add(added.source)) {
            shared.add(added.source);
        }
        return added;
    }

    /**
     * Sets which nodes to seal to.
     *
     * @return the nodes that come or go, and those whose plans may change with them
     */
    List<SealedNode> want(Set<InetAddress> addresses) {
        List<SealedNode> concerned = new ArrayList<>();
        for (SealedNode node : byAddress.values()) {
            if (node.wanted && !addresses.contains(node.address)) {
                node.wanted = false;
                node.plan = Optional.empty();
                concerned.add(node);
            }
        }
        arrivals++;
        for (InetAddress address : addresses) {
            SealedNode node = get(address);
            if (!node.wanted) {
                node.wanted = true;
                if (node.held().isEmpty()) {
                    node.arrival = arrivals;
                }
                concerned.add(node);
            }
        }
        if (!concerned.isEmpty()) {
            addSharing(concerned);
        }
        return concerned;
    }

    /** Adds the nodes that share their SPIs with others, because the node whose states open them all may have changed. */
    private void addSharing(List<SealedNode> concerned) {
        if (shared.isEmpty()) {
            return;
        }
        for (SealedNode node : byAddress.values()) {
            if (node.wanted && sharesSpis(node)) {
                node.plan = Optional.empty();
                if (!concerned.contains(node)) {
                    concerned.add(node);
                }
            }
        }
    }

    /** Returns the addresses of the nodes that the kernel holds anything for. */
    Set<InetAddress> held() {
        Set<InetAddress> held = new HashSet<>();
        for (SealedNode node : byAddress.values()) {
            if (!node.held().isEmpty()) {
                held.add(node.address);
            }
        }
        return held;
    }

    /** Returns whether the kernel holds anything for any node. */
    boolean holdAny() {
        for (SealedNode node : byAddress.values()) {
            if (!node.held().isEmpty()) {
                return true;
            }
        }
        return false;
    }

    /** Returns whether another node has, or had, the same SPIs as this one. */
    boolean sharesSpis(SealedNode node) {
        return !shared.isEmpty() && shared.contains(node.source);
    }

    /** Replaces what the kernel is known to hold. */
    void read(Map<InetAddress, NodePlan> held) {
        byAddress.values().forEach(node -> node.read(NodePlan.EMPTY));
        held.forEach((address, plan) -> get(address).read(plan));
        removeUnneeded();
    }

    /** Removes the nodes that are not sealed to and that the kernel holds nothing for. */
    void removeUnneeded() {
        for (Iterator<SealedNode> all = byAddress.values().iterator(); all.hasNext(); ) {
            SealedNode node = all.next();
            if (!node.wanted && node.held().isEmpty()) {
                all.remove();
                // A shared one may still be another node's; treating that one as sharing costs little.
                if (!sharesSpis(node)) {
                    sources.remove(node.source);
                }
            }
        }
    }
}
