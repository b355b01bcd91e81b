package io.vxseal.encryption;

import io.vxseal.kernel.xfrm.InstalledState;

/** Limit of sequence numbers at which a key should be replaced. */
public final class SequenceNumbers {
    /**
     * Packets sealed by one state: half of the sequence numbers without ESN, where sending stops after 2<sup>32</sup> - 1.
     * At 10 million packets a second the other half lasts for three and a half minutes. A rotation takes seconds, and may
     * have to wait a minute after the one before.
     *
     * <p>With ESN sending does not stop there. But the high half of the number is not in the packet: a receiver whose state
     * was added anew, after a flush or a reboot, takes it for 0, and can follow only while it is.
     */
    static final long HALF = 1L << 31;

    private SequenceNumbers() {}

    /** Returns whether a state has used half of its sequence numbers. One that only receives never has. */
    public static boolean areHalfUsed(InstalledState state) {
        return Long.compareUnsigned(state.sent(), HALF) >= 0;
    }
}
