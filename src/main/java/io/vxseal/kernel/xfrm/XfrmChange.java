package io.vxseal.kernel.xfrm;

/** One step of a change of the kernel's states and policies. */
public sealed interface XfrmChange {

    /** Adds a state. One of ours with the same id is kept, and refuses this one unless it is equal. */
    record AddState(SecurityAssociation association) implements XfrmChange {}

    /** Removes a state; it is no error if it is gone. */
    record DeleteState(SecurityAssociation.Id id) implements XfrmChange {}

    /** Adds a policy, or replaces the one with the same selector atomically. */
    record PutPolicy(SecurityPolicy policy) implements XfrmChange {}

    /** Removes a policy; it is no error if it is gone. */
    record DeletePolicy(SecurityPolicy.Id id) implements XfrmChange {}

    /** A barrier between changes; changes nothing itself. */
    sealed interface Barrier extends XfrmChange {}

    /** Begins a grace period: packets that choose their state from now on do so after the changes before this one. */
    record BeginGracePeriod() implements Barrier {}

    /** Waits until no packet is in flight that chose its state before the grace period began. */
    record EndGracePeriod() implements Barrier {}
}
