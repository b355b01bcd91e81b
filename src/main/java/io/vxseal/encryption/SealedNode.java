package io.vxseal.encryption;

import java.net.InetAddress;
import java.util.Optional;

/** Plan for one remote node, and what the kernel holds for it. */
final class SealedNode {
    final InetAddress address;
    /** The part of its SPIs that depends on the source ({@link Spi#ofSource}). */
    final int source;
    /** Number of the call that added it, so that nodes added together are of one age; 0 if a previous process did. */
    long arrival;
    /** Whether an encrypted network has endpoints there. */
    boolean wanted;
    /** Under the current ring and addresses; empty until first needed, and while no key is known. */
    Optional<NodePlan> plan = Optional.empty();
    /** After the change in progress. */
    NodePlan next = NodePlan.EMPTY;

    private NodePlan held = NodePlan.EMPTY;
    private boolean redacted;

    SealedNode(InetAddress address) {
        this.address = address;
        this.source = Spi.ofSource(address);
    }

    /** Returns the plan that the kernel holds, with zeros for keys if it does not show them. */
    NodePlan held() {
        return held;
    }

    /** Returns the plan that the kernel holds, with the planned keys where it does not show its own. */
    NodePlan held(NodePlan planned) {
        return redacted ? held.withKeysOf(planned) : held;
    }

    /** Sets the plan that was read from the kernel. */
    void read(NodePlan listed) {
        held = listed;
        redacted = listed.hasRedactedKeys();
    }

    /** Sets the plan that a change has led to. */
    void applied(NodePlan now) {
        held = now;
        redacted = false;
    }
}
