package io.vxseal.kernel.xfrm;

/** One step of a change of the kernel's security associations and policies. */
public sealed interface XfrmChange {

    /** Adds a state that is not there yet. One with the same id that this plugin labelled as its own stands. */
    record AddState(SecurityAssociation association) implements XfrmChange {}

    /** Removes a state; one that is gone already is no error. */
    record DeleteState(SecurityAssociation.Id id) implements XfrmChange {}

    /** Adds a policy or replaces the one with the same selector, in one step of the kernel. */
    record PutPolicy(SecurityPolicy policy) implements XfrmChange {}

    /** None that is made to anything, but a moment among the others. */
    sealed interface Moment extends XfrmChange {}

    /** From now on a packet that chooses its state does so after the changes so far. */
    record BeginGracePeriod() implements Moment {}

    /** Waits until no packet is under way any more that may have chosen its state before the grace period began. */
    record EndGracePeriod() implements Moment {}

    /** Removes a policy; one that is gone already is no error. */
    record DeletePolicy(SecurityPolicy.Id id) implements XfrmChange {}
}
