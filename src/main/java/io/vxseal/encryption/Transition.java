package io.vxseal.encryption;

import io.vxseal.kernel.xfrm.SecurityAssociation;
import io.vxseal.kernel.xfrm.SecurityPolicy;
import io.vxseal.kernel.xfrm.XfrmChange;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

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
    private final List<SecurityAssociation> receive;
    private final List<SecurityAssociation> send;
    private final List<SecurityAssociation> unwantedReceive;
    private final List<SecurityAssociation> unwantedSend;
    private final List<XfrmChange> policies;
    private final List<XfrmChange> unwantedPolicies;

    /** @param nodes about so many there will be, each with one of everything */
    public Transition(int nodes) {
        receive = new ArrayList<>(nodes);
        send = new ArrayList<>(nodes);
        unwantedReceive = new ArrayList<>(nodes);
        unwantedSend = new ArrayList<>(nodes);
        policies = new ArrayList<>(nodes);
        unwantedPolicies = new ArrayList<>();
    }

    /** Adds the difference between what stands for a node and what should. */
    @SuppressWarnings("ReferenceEquality") // a plan that holds is kept, and need not be compared
    public Transition add(NodePlan before, NodePlan after) {
        if (before != after) {
            addMissing(before, after.receive, receive);
            addMissing(before, after.send, send);
            addMissing(after, before.receive, unwantedReceive);
            addMissing(after, before.send, unwantedSend);
            addPolicies(before.policies, after.policies);
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

    private void addPolicies(SecurityPolicy[] before, SecurityPolicy[] after) {
        for (SecurityPolicy wanted : after) {
            if (!wanted.equals(selecting(wanted.id(), before))) {
                policies.add(new XfrmChange.PutPolicy(wanted));
            }
        }
        for (SecurityPolicy stands : before) {
            if (selecting(stands.id(), after) == null) {
                unwantedPolicies.add(new XfrmChange.DeletePolicy(stands.id()));
            }
        }
    }

    /** The one with that selector, of which the kernel holds but one; null if there is none. */
    private static @Nullable SecurityPolicy selecting(SecurityPolicy.Id id, SecurityPolicy[] policies) {
        for (SecurityPolicy policy : policies) {
            if (policy.id().equals(id)) {
                return policy;
            }
        }
        return null;
    }

    /** The steps, in the order to take them. */
    public List<XfrmChange> steps() {
        int unwanted = unwantedReceive.size() + unwantedSend.size();
        Places taken = unwanted == 0 ? Places.NONE : taken();
        Set<SecurityAssociation> standing = new HashSet<>();
        List<XfrmChange> steps = new ArrayList<>(
                receive.size() + send.size() + policies.size() + unwantedPolicies.size() + unwanted + 2);
        List<XfrmChange> received = removals(unwantedReceive, taken, standing, steps);
        List<XfrmChange> sent = removals(unwantedSend, taken, standing, steps);
        for (List<SecurityAssociation> states : List.of(receive, send)) {
            for (SecurityAssociation state : states) {
                if (standing.isEmpty() || !standing.contains(state)) {
                    steps.add(new XfrmChange.AddState(state));
                }
            }
        }
        steps.addAll(policies);
        steps.addAll(unwantedPolicies);
        boolean chosen = !policies.isEmpty() && !sent.isEmpty();
        if (chosen) {
            steps.add(new XfrmChange.BeginGracePeriod());
        }
        steps.addAll(received);
        if (chosen) {
            steps.add(new XfrmChange.EndGracePeriod());
        }
        steps.addAll(sent);
        return steps;
    }

    /**
     * Those that go last. Who is in the place of a state to come goes first, to the steps; who is that state, or as good,
     * stays, and the one to come is told.
     */
    private List<XfrmChange> removals(
            List<SecurityAssociation> unwanted, Places taken, Set<SecurityAssociation> standing, List<XfrmChange> steps) {
        List<XfrmChange> removals = new ArrayList<>(unwanted.size());
        for (SecurityAssociation state : unwanted) {
            SecurityAssociation taker = taken.at(state.id());
            if (state.equals(taker) || taker != null && opensTheSame(state, taker)) {
                standing.add(taker);
            } else {
                (taker == null ? removals : steps).add(new XfrmChange.DeleteState(state.id()));
            }
        }
        return removals;
    }

    /** Whether a state that receives is wanted of a sender and stands of another: the kernel does not ask who sent. */
    @SuppressWarnings("ReferenceEquality") // one that sends may be equal
    private boolean opensTheSame(SecurityAssociation stands, SecurityAssociation wanted) {
        return stands.replayWindow() == wanted.replayWindow()
                && stands.key().equals(wanted.key())
                && receive.stream().anyMatch(state -> state == wanted);
    }

    /** The states to come. */
    private Places taken() {
        Places taken = new Places(receive.size() + send.size());
        receive.forEach(taken::put);
        send.forEach(taken::put);
        return taken;
    }

    /**
     * States by what the kernel tells one from another by: destination and SPI, which is a hash already. A table of its own,
     * because a rotation puts and looks up two for each node, and objects to look up by would be most of its garbage.
     */
    private static final class Places {
        static final Places NONE = new Places(0);

        private final SecurityAssociation[] table;

        /** @param most how many states it is to hold */
        Places(int most) {
            table = new SecurityAssociation[4 * Integer.highestOneBit(Math.max(1, most))];
        }

        void put(SecurityAssociation state) {
            table[slot(state.id())] = state;
        }

        /** The state in the place of that one; null if there is none. */
        SecurityAssociation at(SecurityAssociation.Id id) {
            return table[slot(id)];
        }

        /** Where it is, or would be. */
        private int slot(SecurityAssociation.Id id) {
            int slot = id.spi() & table.length - 1;
            while (table[slot] != null && !table[slot].id().isInPlaceOf(id)) {
                slot = slot + 1 & table.length - 1;
            }
            return slot;
        }
    }
}
