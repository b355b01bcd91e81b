package io.vxseal.encryption;

import io.vxseal.kernel.xfrm.SecurityAssociation;
import io.vxseal.kernel.xfrm.SecurityPolicy;
import io.vxseal.kernel.xfrm.XfrmChange;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Steps from the plans in the kernel to the plans wanted, collected over any number of nodes, in an order that is safe at
 * every step:
 *
 * <ol>
 *   <li>policies that block are added;
 *   <li>states to receive with, then states to send with, then policies that seal, so that what can arrive is accepted
 *       before anything is sent under it and a policy names a state that is there;
 *   <li>policies that seal are removed, then states, when the packets that chose them have passed;
 *   <li>policies that block are removed.
 * </ol>
 *
 * <p>States are compared over all nodes and both directions at once: when two nodes exchange addresses, a state to send
 * with becomes one to receive with.
 *
 * <p>There is one exception, because the kernel holds one state for a destination and SPI. A key replaced by another
 * under the same tag has the same SPI, and so has what this node sends when its bind address changes and its advertised
 * one does not. Such a state is removed before the other is added.
 */
public final class Transition {
    private final List<SecurityAssociation> receive;
    private final List<SecurityAssociation> send;
    private final List<SecurityAssociation> unwantedReceive;
    private final List<SecurityAssociation> unwantedSend;
    private final List<XfrmChange> policies;
    private final List<XfrmChange> unwantedPolicies;
    private final List<XfrmChange> blocks = new ArrayList<>();
    private final List<XfrmChange> unwantedBlocks = new ArrayList<>();

    /** Slot of a state in the kernel, which has one state for each destination and SPI. */
    private record Place(InetAddress destination, int spi) {
        private static Place of(SecurityAssociation state) {
            return new Place(state.id().destination(), state.id().spi());
        }

        /** Returns the SPI, which is a hash of both addresses already. */
        @Override
        public int hashCode() {
            return spi;
        }
    }

    /** @param nodes expected number of nodes */
    public Transition(int nodes) {
        receive = new ArrayList<>(nodes);
        send = new ArrayList<>(nodes);
        unwantedReceive = new ArrayList<>(nodes);
        unwantedSend = new ArrayList<>(nodes);
        policies = new ArrayList<>(nodes);
        unwantedPolicies = new ArrayList<>();
    }

    /** Adds the difference between the policies that block now and those that should. */
    public Transition block(Set<SecurityPolicy> before, Set<SecurityPolicy> after) {
        for (SecurityPolicy wanted : after) {
            if (!before.contains(wanted)) {
                blocks.add(new XfrmChange.PutPolicy(wanted));
            }
        }
        for (SecurityPolicy installed : before) {
            if (!after.contains(installed)) {
                unwantedBlocks.add(new XfrmChange.DeletePolicy(installed.id()));
            }
        }
        return this;
    }

    /** Adds the difference between the plan in the kernel for a node and the plan wanted. */
    @SuppressWarnings("ReferenceEquality") // a plan that does not change is the same object
    public Transition add(NodePlan before, NodePlan after) {
        if (before != after) {
            addMissing(before, after.receive, receive);
            addMissing(before, after.send, send);
            addMissing(after, before.receive, unwantedReceive);
            addMissing(after, before.send, unwantedSend);
            addPolicies(before, after);
        }
        return this;
    }

    private static void addMissing(NodePlan from, SecurityAssociation[] states, List<SecurityAssociation> missing) {
        for (SecurityAssociation state : states) {
            if (!from.has(state)) {
                missing.add(state);
            }
        }
    }

    private void addPolicies(NodePlan before, NodePlan after) {
        for (SecurityPolicy wanted : after.policies) {
            if (!before.has(wanted)) {
                policies.add(new XfrmChange.PutPolicy(wanted));
            }
        }
        for (SecurityPolicy installed : before.policies) {
            if (!after.selects(installed.id())) {
                unwantedPolicies.add(new XfrmChange.DeletePolicy(installed.id()));
            }
        }
    }

    /** Returns the steps, in the order in which to take them. */
    public List<XfrmChange> steps() {
        int unwanted = unwantedReceive.size() + unwantedSend.size();
        Map<Place, SecurityAssociation> added = unwanted == 0 ? Map.of() : addedByPlace();
        Set<SecurityAssociation> installed = new HashSet<>();
        List<XfrmChange> steps = new ArrayList<>(
                receive.size() + send.size() + policies.size() + unwantedPolicies.size() + unwanted + 4);
        steps.addAll(blocks);
        List<XfrmChange> received = removals(unwantedReceive, added, installed, steps);
        List<XfrmChange> sent = removals(unwantedSend, added, installed, steps);
        for (List<SecurityAssociation> states : List.of(receive, send)) {
            for (SecurityAssociation state : states) {
                if (installed.isEmpty() || !installed.contains(state)) {
                    steps.add(new XfrmChange.AddState(state));
                }
            }
        }
        steps.addAll(policies);
        steps.addAll(unwantedPolicies);
        boolean inUse = !policies.isEmpty() && !sent.isEmpty();
        if (inUse) {
            steps.add(new XfrmChange.BeginGracePeriod());
        }
        steps.addAll(received);
        if (inUse) {
            steps.add(new XfrmChange.EndGracePeriod());
        }
        steps.addAll(sent);
        steps.addAll(unwantedBlocks);
        return steps;
    }

    /**
     * Returns the removals that go last. A state in the place of one to add is removed first, among the steps; but if it is that
     * state, or opens the same, it stays, and the one to add counts as installed.
     */
    private List<XfrmChange> removals(
            List<SecurityAssociation> unwanted,
            Map<Place, SecurityAssociation> added,
            Set<SecurityAssociation> installed,
            List<XfrmChange> steps) {
        List<XfrmChange> removals = new ArrayList<>(unwanted.size());
        for (SecurityAssociation state : unwanted) {
            SecurityAssociation successor = added.get(Place.of(state));
            if (successor != null && (state.equals(successor) || opensTheSame(state, successor))) {
                installed.add(successor);
            } else {
                (successor == null ? removals : steps).add(new XfrmChange.DeleteState(state.id()));
            }
        }
        return removals;
    }

    /**
     * Returns whether a state to receive with is as good as another of a different sender: the kernel does not compare a
     * packet's source.
     */
    @SuppressWarnings("ReferenceEquality") // a state to send with may be equal
    private boolean opensTheSame(SecurityAssociation installed, SecurityAssociation wanted) {
        return installed.replayWindow() == wanted.replayWindow()
                && installed.key().equals(wanted.key())
                && receive.stream().anyMatch(state -> state == wanted);
    }

    private Map<Place, SecurityAssociation> addedByPlace() {
        Map<Place, SecurityAssociation> added = HashMap.newHashMap(receive.size() + send.size());
        receive.forEach(state -> added.put(Place.of(state), state));
        send.forEach(state -> added.put(Place.of(state), state));
        return added;
    }
}
