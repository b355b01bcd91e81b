package io.vxseal.kernel.xfrm;

/**
 * A state of this plugin as the kernel lists it.
 *
 * @param sent sequence number of the last packet that it sealed, 0 before the first; unsigned. Without ESN the kernel seals
 *     no more after 2<sup>32</sup> - 1: sends fail with EOVERFLOW (xfrm_replay_overflow() in
 *     {@code net/xfrm/xfrm_replay.c}).
 */
public record InstalledState(SecurityAssociation association, long sent, StateUsage usage) {
    /** Creates one that was not used since it was added. */
    public InstalledState(SecurityAssociation association, long sent) {
        this(association, sent, StateUsage.NONE);
    }
}
