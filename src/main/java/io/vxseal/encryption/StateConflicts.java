package io.vxseal.encryption;

import io.vxseal.kernel.xfrm.SecurityAssociation;
import io.vxseal.kernel.xfrm.XfrmChange;
import io.vxseal.kernel.xfrm.XfrmRefusal;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Resolution of refusals where two nodes need a state with the same SPI under different keys, of which the kernel holds
 * one. The node that was there first gets it, so that no node can choose an address to displace another.
 *
 * @param steps what gives the older nodes their states
 * @param displaced the reasons of the younger nodes, which are without a state then
 * @param unresolved the refusals that have another cause
 */
record StateConflicts(List<XfrmChange> steps, Map<InetAddress, String> displaced, List<XfrmRefusal> unresolved) {

    /** @param own addresses of this node */
    static StateConflicts of(List<XfrmRefusal> refused, SealedNodes nodes, Set<InetAddress> own) {
        StateConflicts conflicts = new StateConflicts(new ArrayList<>(), new HashMap<>(), new ArrayList<>());
        for (XfrmRefusal failure : refused) {
            if (failure.isSlotTaken() && failure.change() instanceof XfrmChange.AddState(var wanted)) {
                Optional<SealedNode> older = nodes.find(RemoteEnd.of(wanted.id(), own));
                Optional<SecurityAssociation.Id> younger = older.flatMap(node -> ofYounger(node, wanted.id(), nodes));
                if (younger.isPresent()) {
                    conflicts.displace(younger.get(), failure.change(), older.get(), own);
                    continue;
                }
            }
            conflicts.unresolved.add(failure);
        }
        return conflicts;
    }

    private void displace(
            SecurityAssociation.Id younger, XfrmChange addition, SealedNode older, Set<InetAddress> own) {
        steps.add(new XfrmChange.DeleteState(younger));
        steps.add(addition);
        displaced.put(RemoteEnd.of(younger, own),
                "%s is in the place of one of node %s, which was here before: give it another address"
                        .formatted(younger, older.address.getHostAddress()));
    }

    /** Returns the state in that place, if it is of a node that came later. */
    private static Optional<SecurityAssociation.Id> ofYounger(
            SealedNode than, SecurityAssociation.Id place, SealedNodes nodes) {
        for (SealedNode node : nodes.all()) {
            if (node.arrival > than.arrival) {
                for (SecurityAssociation state : node.held().receive) {
                    if (state.id().sharesSlotWith(place)) {
                        return Optional.of(state.id());
                    }
                }
            }
        }
        return Optional.empty();
    }
}
