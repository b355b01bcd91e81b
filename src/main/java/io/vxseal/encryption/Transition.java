package io.vxseal.encryption;

import io.vxseal.kernel.SecurityAssociation;
import io.vxseal.kernel.SecurityPolicy;
import io.vxseal.kernel.XfrmChange;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * The way from the plans in the kernel to the plans wanted, collected over any number of nodes, in an order that is
 * safe at every step: what can arrive is accepted before anything is sent under it, a policy names a state that is
 * there, and what nobody uses any more goes last.
 *
 * <p>States are compared over all nodes and both directions at once: when two nodes exchange addresses, what one sent
 * with is what it receives with.
 *
 * <p>One exception cannot be helped: the kernel holds one state for a destination and SPI. A key replaced by another
 * under the same tag has the same SPI, and so has what this node sends when its bind address changes and its advertised
 * one does not. Such a state is removed before the other is added.
 */
public final class Transition {
    private final Map<SecurityAssociation.Id, SecurityAssociation> receiveBefore = new LinkedHashMap<>();
    private final Map<SecurityAssociation.Id, SecurityAssociation> sendBefore = new LinkedHashMap<>();
    private final Map<SecurityAssociation.Id, SecurityAssociation> receiveAfter = new LinkedHashMap<>();
    private final Map<SecurityAssociation.Id, SecurityAssociation> sendAfter = new LinkedHashMap<>();
    private final Map<SecurityPolicy.Id, SecurityPolicy> policiesBefore = new LinkedHashMap<>();
    private final Map<SecurityPolicy.Id, SecurityPolicy> policiesAfter = new LinkedHashMap<>();

    /** Adds the difference between what stands for a node and what should. */
    public Transition add(NodePlan before, NodePlan after) {
        receiveBefore.putAll(before.receive());
        sendBefore.putAll(before.send());
        receiveAfter.putAll(after.receive());
        sendAfter.putAll(after.send());
        policiesBefore.putAll(before.policies());
        policiesAfter.putAll(after.policies());
        return this;
    }

    /** The steps, in the order to take them. */
    public List<XfrmChange> steps() {
        Map<SecurityAssociation.Id, SecurityAssociation> before = new LinkedHashMap<>(sendBefore);
        before.putAll(receiveBefore);
        Map<SecurityAssociation.Id, SecurityAssociation> after = new LinkedHashMap<>(receiveAfter);
        after.putAll(sendAfter);
        Set<Place> taken = after.keySet().stream().map(Place::of).collect(Collectors.toSet());

        List<XfrmChange> steps = new ArrayList<>();
        List<XfrmChange> removals = new ArrayList<>();
        before.forEach((id, found) -> {
            if (!found.equals(after.get(id))) {
                (taken.contains(Place.of(id)) ? steps : removals).add(new XfrmChange.DeleteState(id));
            }
        });
        after.forEach((id, wanted) -> {
            if (!wanted.equals(before.get(id))) {
                steps.add(new XfrmChange.AddState(wanted));
            }
        });
        policiesAfter.forEach((id, wanted) -> {
            if (!wanted.equals(policiesBefore.get(id))) {
                steps.add(new XfrmChange.PutPolicy(wanted));
            }
        });
        policiesBefore.keySet().stream()
                .filter(id -> !policiesAfter.containsKey(id))
                .map(XfrmChange.DeletePolicy::new)
                .forEach(steps::add);
        steps.addAll(removals);
        return steps;
    }

    /** What the kernel tells one state from another by. */
    private record Place(InetAddress destination, int spi) {
        static Place of(SecurityAssociation.Id id) {
            return new Place(id.destination(), id.spi());
        }
    }
}
