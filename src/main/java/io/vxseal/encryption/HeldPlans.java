package io.vxseal.encryption;

import io.vxseal.kernel.xfrm.SecurityAssociation;
import io.vxseal.kernel.xfrm.SecurityPolicy;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * States and policies listed by the kernel, as plans.
 *
 * @param plans by remote node
 * @param blocks policies that block, each of another port, address or mark
 * @param own addresses that this node seals from, or did
 */
record HeldPlans(Map<InetAddress, NodePlan> plans, Set<SecurityPolicy> blocks, Set<InetAddress> own) {

    private record Lists(
            List<SecurityAssociation> receive, List<SecurityAssociation> send, List<SecurityPolicy> policies) {
        private Lists() {
            this(new ArrayList<>(), new ArrayList<>(), new ArrayList<>());
        }

        private NodePlan plan() {
            return new NodePlan(receive, send, policies);
        }
    }

    /**
     * Sorts states and policies by remote node. A state is for sending if its source is an own address: one that is known,
     * or one that a policy seals from.
     *
     * @param known addresses known to be this node's
     */
    static HeldPlans of(
            Collection<SecurityAssociation> states, Collection<SecurityPolicy> policies, Set<InetAddress> known) {
        Map<InetAddress, Lists> byNode = new LinkedHashMap<>();
        Set<SecurityPolicy> blocks = new HashSet<>();
        Set<InetAddress> own = new HashSet<>(known);
        for (SecurityPolicy policy : policies) {
            if (policy.action() instanceof SecurityPolicy.Action.Block) {
                blocks.add(policy);
            } else {
                own.add(policy.id().source().address());
                byNode.computeIfAbsent(policy.id().destination().address(), _ -> new Lists()).policies.add(policy);
            }
        }
        for (SecurityAssociation state : states) {
            InetAddress node = RemoteEnd.of(state.id(), own);
            Lists lists = byNode.computeIfAbsent(node, _ -> new Lists());
            (own.contains(state.id().source()) ? lists.send : lists.receive).add(state);
        }
        Map<InetAddress, NodePlan> plans = new LinkedHashMap<>();
        byNode.forEach((node, lists) -> plans.put(node, lists.plan()));
        return new HeldPlans(plans, blocks, own);
    }
}
