package io.vxseal.kernel.xfrm;

/** One step of a change of the kernel's states and policies. */
public sealed interface XfrmChange {

    /** Addition of a state. One of ours with the same id is kept, and this one is refused unless it is equal. */
    record AddState(SecurityAssociation association) implements XfrmChange {}

    /** Removal of a state. It is no error if it is gone. */
    record DeleteState(SecurityAssociation.Id id) implements XfrmChange {}

    /** Addition of a policy, or atomic replacement of the one with the same selector. */
    record PutPolicy(SecurityPolicy policy) implements XfrmChange {}

    /** Removal of a policy. It is no error if it is gone. */
    record DeletePolicy(SecurityPolicy.Id id) implements XfrmChange {}

    /** A barrier between changes. It changes nothing itself. */
    sealed interface Barrier extends XfrmChange {}

    /** Beginning of a grace period. Packets that choose their state from now on do so after the changes before this one. */
    record BeginGracePeriod() implements Barrier {}

    /** Wait until no packet is in flight that chose its state before the grace period began. */
    record EndGracePeriod() implements Barrier {}
}
