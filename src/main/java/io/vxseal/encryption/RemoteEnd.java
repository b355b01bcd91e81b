package io.vxseal.encryption;

import io.vxseal.kernel.xfrm.SecurityAssociation;
import io.vxseal.kernel.xfrm.SecurityPolicy;
import io.vxseal.kernel.xfrm.XfrmChange;
import java.net.InetAddress;
import java.util.Optional;
import java.util.Set;

/** The remote node that a state, a policy or a change of either is for. */
final class RemoteEnd {
    private RemoteEnd() {}

    /**
     * Returns the node that a change is for; empty if it is for all, as the policy that blocks is.
     *
     * @param own addresses of this node
     */
    static Optional<InetAddress> of(XfrmChange change, Set<InetAddress> own) {
        return switch (change) {
            case XfrmChange.AddState(var state) -> Optional.of(of(state.id(), own));
            case XfrmChange.DeleteState(var id) -> Optional.of(of(id, own));
            case XfrmChange.PutPolicy(var policy) -> of(policy.id());
            case XfrmChange.DeletePolicy(var id) -> of(id);
            case XfrmChange.Barrier _ -> Optional.empty();
        };
    }

    /** Returns the node that a state is for: its destination if it is sent from an own address, else its source. */
    static InetAddress of(SecurityAssociation.Id id, Set<InetAddress> own) {
        return own.contains(id.source()) ? id.destination() : id.source();
    }

    /** Returns the node that a policy is for; empty if it blocks, which it does for all addresses. */
    private static Optional<InetAddress> of(SecurityPolicy.Id id) {
        return id.destination().prefix() == 0 ? Optional.empty() : Optional.of(id.destination().address());
    }
}
