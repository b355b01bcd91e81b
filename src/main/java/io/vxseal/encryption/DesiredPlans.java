package io.vxseal.encryption;

import io.vxseal.address.IpAddress;
import io.vxseal.address.NodeAddresses;
import io.vxseal.kernel.xfrm.SecurityPolicy;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.util.Optional;
import java.util.Set;

/** Plans that the kernel should hold under the current ring, for the current addresses of this node. */
final class DesiredPlans {
    private final SealedNodes nodes;
    private final int port;
    private Optional<NodeAddresses> local = Optional.empty();
    private KeyRing ring = KeyRing.EMPTY;
    private boolean sealing;

    DesiredPlans(SealedNodes nodes, int port) {
        this.nodes = nodes;
        this.port = port;
    }

    /** Returns this node's addresses; empty before the engine has named them. */
    Optional<NodeAddresses> local() {
        return local;
    }

    /** Sets this node's addresses. */
    void local(NodeAddresses now) {
        local = Optional.of(now);
        nodes.all().forEach(node -> node.plan = Optional.empty());
    }

    /** Returns the keys in force. */
    KeyRing ring() {
        return ring;
    }

    /** Sets the keys in force. */
    void ring(KeyRing now) {
        KeyRing before = ring;
        ring = now.with(before.keys());
        for (SealedNode node : nodes.all()) {
            node.plan = nodes.sharesSpis(node) || ring.isEmpty()
                    ? Optional.empty()
                    : node.plan.map(plan -> plan.rekeyed(before, ring, local.orElseThrow(), node.address, port));
        }
    }

    /** Returns whether an encrypted network is up here. */
    boolean sealing() {
        return sealing;
    }

    /** Sets whether an encrypted network is up here. */
    void sealing(boolean now) {
        sealing = now;
    }

    /** Returns whether the primary key of a ring has a replay window. */
    static boolean isGuarded(KeyRing ring) {
        return ring.primary().filter(primary -> primary.replayWindow() > 0).isPresent();
    }

    /** Returns the policy that blocks, or none while no encrypted network is up. */
    Set<SecurityPolicy> block(NodeAddresses own) {
        return sealing ? Set.of(NodePlan.block(own.bind(), port)) : Set.of();
    }

    /** Returns the plan for a node. */
    NodePlan of(NodeAddresses own, SealedNode node) {
        if (ring.isEmpty() && (node.wanted || sealing && nodes.sharesSpis(node))) {
            // Until this process knows a key, what the previous one left stays in use.
            return node.held().underOurMark();
        }
        if (!isOfFamily(own, node)) {
            return NodePlan.EMPTY;
        }
        if (node.wanted) {
            NodePlan plan = node.plan.orElseGet(() -> sealedPlan(own, node));
            node.plan = Optional.of(plan);
            return plan;
        }
        if (!sealing || !node.held().isRetainable()) {
            return NodePlan.EMPTY;
        }
        NodePlan plan = NodePlan.of(own, node.address, ring, port);
        return plan.retained(node.held(plan));
    }

    /** Returns how much the kernel should hold. */
    Tally tally(NodeAddresses own) {
        int states = 0;
        int policies = block(own).size();
        for (SealedNode node : nodes.all()) {
            NodePlan plan = of(own, node);
            states += plan.states();
            policies += plan.policies.length;
        }
        return new Tally(states, policies);
    }

    private NodePlan sealedPlan(NodeAddresses own, SealedNode node) {
        NodePlan plan = NodePlan.of(own, node.address, ring, port);
        return otherReceiver(own, node).isEmpty() ? plan : plan.withoutReceiving();
    }

    /** Returns why a node cannot have a complete plan; empty if it can. */
    Optional<String> obstacle(NodeAddresses own, SealedNode node) {
        if (!isOfFamily(own, node)) {
            return Optional.of("its address is %s, and that of this node, %s, is %s: give both addresses of one kind".formatted(
                    family(node.address), own.bind().getHostAddress(), family(own.bind())));
        }
        // One window for two senders takes the numbers of one for repetitions of the other's.
        return isGuarded(ring)
                ? otherReceiver(own, node).map(other ->
                        "its SPIs are those of node %s, and a replay window is for one sender: give one of them another address"
                                .formatted(other.address.getHostAddress()))
                : Optional.empty();
    }

    /** Returns the node whose states open what this one sends, if it is another with the same SPIs. */
    private Optional<SealedNode> otherReceiver(NodeAddresses own, SealedNode node) {
        if (nodes.sharesSpis(node)) {
            for (SealedNode other : nodes.all()) {
                if (other.wanted && other.source == node.source && isOfFamily(own, other)) {
                    return other == node ? Optional.empty() : Optional.of(other);
                }
            }
        }
        return Optional.empty();
    }

    private static String family(InetAddress address) {
        return address instanceof Inet4Address ? "IPv4" : "IPv6";
    }

    private static boolean isOfFamily(NodeAddresses own, SealedNode node) {
        return IpAddress.haveSameVersion(own.bind(), node.address);
    }
}
