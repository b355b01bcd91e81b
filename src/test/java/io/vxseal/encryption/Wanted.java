package io.vxseal.encryption;

import io.vxseal.address.NodeAddresses;
import io.vxseal.kernel.xfrm.SecurityPolicy;
import java.net.InetAddress;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Desired configuration of a host. What its kernel should hold is computed anew each time, never as a difference.
 *
 * @param ends its own addresses
 * @param ring the keys in force
 * @param nodes VTEPs of the encrypted networks here
 * @param sealing whether an encrypted network is up here
 */
record Wanted(NodeAddresses ends, KeyRing ring, Set<InetAddress> nodes, boolean sealing) {
    static final int PORT = 4789;

    Wanted ends(NodeAddresses now) {
        return new Wanted(now, ring, nodes, sealing);
    }

    Wanted ring(KeyRing now) {
        return new Wanted(ends, now, nodes, sealing);
    }

    Wanted nodes(Set<InetAddress> now) {
        return new Wanted(ends, ring, now, sealing);
    }

    Wanted sealing(boolean now) {
        return new Wanted(ends, ring, nodes, now);
    }

    /** The nodes to seal to: without a network none, and never itself, as the driver has it. */
    Set<InetAddress> sealedTo() {
        if (!sealing) {
            return Set.of();
        }
        return nodes.stream()
                .filter(node -> !node.equals(ends.bind()) && !node.equals(ends.advertise()))
                .collect(Collectors.toUnmodifiableSet());
    }

    Map<InetAddress, NodePlan> plans() {
        Map<InetAddress, NodePlan> plans = new LinkedHashMap<>();
        sealedTo().forEach(node -> plans.put(node, NodePlan.of(ends, node, ring, PORT)));
        return plans;
    }

    Set<SecurityPolicy> blocks() {
        return sealing ? Set.of(NodePlan.block(ends.bind(), PORT)) : Set.of();
    }

    /** Exactly what the kernel should hold. */
    Held held() {
        Held held = Held.nothing();
        plans().values().forEach(held::with);
        blocks().forEach(held::with);
        return held;
    }
}
