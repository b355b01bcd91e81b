package io.vxseal.encryption;

import io.vxseal.kernel.SecurityAssociation;
import io.vxseal.kernel.SecurityPolicy;
import io.vxseal.kernel.XfrmChange;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The way from the plans in the kernel to the plans wanted, collected over any number of nodes, in an order that is
 * safe at every step: what can arrive is accepted before anything is sent under it, a policy names a state that is
 * there, and what nobody uses any more goes last, when the packets that chose it have passed.
 *
 * <p>States are compared over all nodes and both directions at once: when two nodes exchange addresses, what one sent
 * with is what it receives with.
 *
 * <p>One exception cannot be helped: the kernel holds one state for a destination and SPI. A key replaced by another
 * under the same tag has the same SPI, and so has what this node sends when its bind address changes and its advertised
 * one does not. Such a state is removed before the other is added.
 */
public final class Transition {
    private final List<SecurityAssociation> receive = new ArrayList<>();
    private final List<SecurityAssociation> send = new ArrayList<>();
    private final List<SecurityAssociation> unwanted = new ArrayList<>();
    private final List<XfrmChange> policies = new ArrayList<>();
    private final List<XfrmChange> unwantedPolicies = new ArrayList<>();

    /** Adds the difference between what stands for a node and what should. */
    public Transition add(NodePlan before, NodePlan after) {
        if (before != after) {
            addMissing(before, after.receive(), receive);
            addMissing(before, after.send(), send);
            addMissing(after, before.send(), unwanted);
            addMissing(after, before.receive(), unwanted);
            addPolicies(before.policies(), after.policies());
        }
        return this;
    }

    private static void addMissing(NodePlan from, List<SecurityAssociation> states, List<SecurityAssociation> missing) {
        for (SecurityAssociation state : states) {
            if (!from.has(state)) {
                missing.add(state);
            }
        }
    }

    private void addPolicies(List<SecurityPolicy> before, List<SecurityPolicy> after) {
        for (SecurityPolicy wanted : after) {
            if (!before.contains(wanted)) {
                policies.add(new XfrmChange.PutPolicy(wanted));
            }
        }
        for (SecurityPolicy stands : before) {
            if (after.stream().noneMatch(wanted -> wanted.id().equals(stands.id()))) {
                unwantedPolicies.add(new XfrmChange.DeletePolicy(stands.id()));
            }
        }
    }

    /** The steps, in the order to take them. */
    public List<XfrmChange> steps() {
        List<XfrmChange> steps = new ArrayList<>();
        List<XfrmChange> removals = new ArrayList<>();
        Map<Place, SecurityAssociation> taken = unwanted.isEmpty() ? Map.of() : taken();
        Set<SecurityAssociation> standing = new HashSet<>();
        for (SecurityAssociation state : unwanted) {
            SecurityAssociation taker = taken.get(Place.of(state));
            if (state.equals(taker)) {
                standing.add(state);
            } else {
                (taker == null ? removals : steps).add(new XfrmChange.DeleteState(state.id()));
            }
        }
        for (List<SecurityAssociation> states : List.of(receive, send)) {
            for (SecurityAssociation state : states) {
                if (standing.isEmpty() || !standing.contains(state)) {
                    steps.add(new XfrmChange.AddState(state));
                }
            }
        }
        steps.addAll(policies);
        steps.addAll(unwantedPolicies);
        if (!policies.isEmpty() && !removals.isEmpty()) {
            steps.add(new XfrmChange.LetPass());
        }
        steps.addAll(removals);
        return steps;
    }

    /** The states to add, by their places in the kernel. */
    private Map<Place, SecurityAssociation> taken() {
        Map<Place, SecurityAssociation> taken = HashMap.newHashMap(receive.size() + send.size());
        receive.forEach(state -> taken.put(Place.of(state), state));
        send.forEach(state -> taken.put(Place.of(state), state));
        return taken;
    }

    /** What the kernel tells one state from another by. */
    private record Place(InetAddress destination, int spi) {
        static Place of(SecurityAssociation state) {
            return new Place(state.id().destination(), state.id().spi());
        }

        // Written out, as SecurityAssociation's are.
        @Override
        public boolean equals(Object other) {
            return other instanceof Place that && spi == that.spi && destination.equals(that.destination);
        }

        @Override
        public int hashCode() {
            return spi;
        }
    }
}
