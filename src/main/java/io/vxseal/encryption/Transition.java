package io.vxseal.encryption;

import io.vxseal.kernel.SecurityAssociation;
import io.vxseal.kernel.SecurityPolicy;
import io.vxseal.kernel.XfrmChange;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * The way from the plans in the kernel to the plans wanted, collected over any number of nodes, in an order that is
 * safe at every step: what can arrive is accepted before anything is sent under it, a policy names a state that is
 * there, and what nobody uses any more goes last.
 *
 * <p>One exception cannot be helped: a key replaced by another under the same tag has the same SPI, and the kernel
 * holds one state per SPI. Such a state is removed and added again.
 */
public final class Transition {
    private final List<XfrmChange> makeWay = new ArrayList<>();
    private final List<XfrmChange> addReceive = new ArrayList<>();
    private final List<XfrmChange> addSend = new ArrayList<>();
    private final List<XfrmChange> putPolicies = new ArrayList<>();
    private final List<XfrmChange> deletePolicies = new ArrayList<>();
    private final List<XfrmChange> deleteSend = new ArrayList<>();
    private final List<XfrmChange> deleteReceive = new ArrayList<>();

    /** Adds the difference between what stands for a node and what should. */
    public Transition add(NodePlan before, NodePlan after) {
        states(before.receive(), after.receive(), addReceive, deleteReceive);
        states(before.send(), after.send(), addSend, deleteSend);
        policies(before.policies(), after.policies());
        return this;
    }

    /** The steps, in the order to take them. */
    public List<XfrmChange> steps() {
        List<XfrmChange> steps = new ArrayList<>();
        for (List<XfrmChange> phase :
                List.of(makeWay, addReceive, addSend, putPolicies, deletePolicies, deleteSend, deleteReceive)) {
            steps.addAll(phase);
        }
        return steps;
    }

    private void states(
            Map<SecurityAssociation.Id, SecurityAssociation> before,
            Map<SecurityAssociation.Id, SecurityAssociation> after,
            List<XfrmChange> add,
            List<XfrmChange> delete) {
        after.forEach((id, wanted) -> {
            SecurityAssociation found = before.get(id);
            if (wanted.equals(found)) {
                return;
            }
            if (found != null) {
                makeWay.add(new XfrmChange.DeleteState(id));
            }
            add.add(new XfrmChange.AddState(wanted));
        });
        before.keySet().stream()
                .filter(id -> !after.containsKey(id))
                .map(XfrmChange.DeleteState::new)
                .forEach(delete::add);
    }

    private void policies(
            Map<SecurityPolicy.Id, SecurityPolicy> before, Map<SecurityPolicy.Id, SecurityPolicy> after) {
        after.values().stream()
                .filter(wanted -> !wanted.equals(before.get(wanted.id())))
                .map(XfrmChange.PutPolicy::new)
                .forEach(putPolicies::add);
        before.keySet().stream()
                .filter(id -> !after.containsKey(id))
                .map(XfrmChange.DeletePolicy::new)
                .forEach(deletePolicies::add);
    }
}
