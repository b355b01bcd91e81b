package io.vxseal.encryption;

import io.vxseal.kernel.xfrm.ForeignPolicy;
import io.vxseal.kernel.xfrm.OutgoingPolicy;
import io.vxseal.kernel.xfrm.SecurityPolicy;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;

/** Policies of other programs that match a datagram before a policy of this plugin does, or may. */
final class ConflictingPolicies {
    static final ConflictingPolicies NONE = new ConflictingPolicies(List.of());

    private static final int MAX_LINES = 10;

    private final List<ForeignPolicy> policies;

    private ConflictingPolicies(List<ForeignPolicy> policies) {
        this.policies = policies;
    }

    /** Selects from the kernel's list those that may come before the policy that blocks, which is the last of ours. */
    static ConflictingPolicies among(Collection<OutgoingPolicy> listed) {
        return new ConflictingPolicies(listed.stream()
                .filter(ForeignPolicy.class::isInstance)
                .map(ForeignPolicy.class::cast)
                .filter(policy -> policy.mayPrecede(SecurityPolicy.Action.Block.PRIORITY))
                .toList());
    }

    /** Returns a line for each that matches what this node sends; {@value #MAX_LINES} at most. */
    List<String> describe(InetAddress sender, int port, SealedNodes nodes) {
        return policies.stream()
                .filter(policy -> policy.takesFrom(sender, port, SecurityPolicy.MARK))
                .limit(MAX_LINES)
                .map(policy -> "%s comes before %s: raise its priority number or remove it"
                        .formatted(policy, overtaken(policy, nodes)))
                .toList();
    }

    /** Returns which policies of ours it comes before: the one that blocks, and with a low number those that seal. */
    private static String overtaken(ForeignPolicy policy, SealedNodes nodes) {
        List<String> covered = new ArrayList<>();
        if (policy.mayPrecede(SecurityPolicy.Action.Seal.PRIORITY)) {
            for (SealedNode node : nodes.all()) {
                if (node.wanted && policy.destination().contains(node.address)) {
                    covered.add(node.address.getHostAddress());
                }
            }
        }
        return switch (covered.size()) {
            case 0 -> "the one that blocks what is not sealed";
            case 1 -> "those of node " + covered.getFirst();
            default -> "those of node %s and %d more".formatted(covered.getFirst(), covered.size() - 1);
        };
    }
}
