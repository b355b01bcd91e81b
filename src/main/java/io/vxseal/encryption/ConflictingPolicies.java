package io.vxseal.encryption;

import io.vxseal.address.Cidr;
import io.vxseal.kernel.xfrm.ForeignPolicy;
import io.vxseal.kernel.xfrm.ListedPolicy;
import io.vxseal.kernel.xfrm.SecurityPolicy;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.stream.Stream;

/**
 * Policies of other programs that match a datagram before a policy of this plugin does, or may, and those that drop what this plugin's
 * states have opened.
 */
final class ConflictingPolicies {
    static final ConflictingPolicies NONE = new ConflictingPolicies(List.of());

    private static final int MAX_LINES = 10;

    private final List<ForeignPolicy> policies;

    private ConflictingPolicies(List<ForeignPolicy> policies) {
        this.policies = policies;
    }

    /** Selects from the kernel's list: of the outgoing ones those that may come before the policy that blocks, which is the last of ours. */
    static ConflictingPolicies among(Collection<ListedPolicy> listed) {
        return new ConflictingPolicies(listed.stream()
                .filter(ForeignPolicy.class::isInstance)
                .map(ForeignPolicy.class::cast)
                .filter(policy -> policy.direction() == ForeignPolicy.Direction.IN || policy.mayPrecede(SecurityPolicy.Action.Block.PRIORITY))
                .toList());
    }

    /** Returns a line for each that matches what this node sends; {@value #MAX_LINES} at most. */
    List<String> describe(InetAddress sender, int port, SealedNodes nodes) {
        Stream<String> outgoing = policies.stream()
                .filter(policy -> policy.takesFrom(sender, port, SecurityPolicy.MARK))
                .map(policy -> "%s comes before %s: raise its priority number or remove it"
                        .formatted(policy, overtaken(policy, nodes)));
        return Stream.concat(outgoing, dropping(sender, port, nodes)).limit(MAX_LINES).toList();
    }

    private Stream<String> dropping(InetAddress receiver, int port, SealedNodes nodes) {
        return policies.stream()
                .filter(policy -> policy.dropsAt(receiver, port, policies))
                .flatMap(policy -> {
                    List<String> senders = covered(policy.source(), nodes);
                    return senders.isEmpty() ? Stream.empty() : Stream.of(
                            "%s drops what node %s sends%s: narrow its addresses or remove it".formatted(policy, senders.getFirst(),
                                    senders.size() == 1 ? "" : " and %d more send".formatted(senders.size() - 1)));
                });
    }

    /** Returns the nodes with an address in a prefix. */
    private static List<String> covered(Cidr prefix, SealedNodes nodes) {
        List<String> covered = new ArrayList<>();
        for (SealedNode node : nodes.all()) {
            if (node.wanted && prefix.contains(node.address)) {
                covered.add(node.address.getHostAddress());
            }
        }
        return covered;
    }

    /** Returns which policies of ours it comes before: the one that blocks, and with a low number those that seal. */
    private static String overtaken(ForeignPolicy policy, SealedNodes nodes) {
        List<String> covered = policy.mayPrecede(SecurityPolicy.Action.Seal.PRIORITY) ? covered(policy.destination(), nodes) : List.of();
        return switch (covered.size()) {
            case 0 -> "the one that blocks what is not sealed";
            case 1 -> "those of node " + covered.getFirst();
            default -> "those of node %s and %d more".formatted(covered.getFirst(), covered.size() - 1);
        };
    }
}
