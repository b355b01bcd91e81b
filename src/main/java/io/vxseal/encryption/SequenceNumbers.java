package io.vxseal.encryption;

import io.vxseal.kernel.xfrm.InstalledState;

/** When a key has sealed so many packets that the next should take its place. */
public final class SequenceNumbers {
    /**
     * Packets sealed by one state: half of the numbers there are without ESN, where sending stops after 2<sup>32</sup> -
     * 1. At 10 million packets a second the other half lasts for three and a half minutes. A rotation takes seconds,
     * and may have to wait a minute for the one before.
     *
     * <p>With ESN nothing stops there. But the high half of the number is not in the packet: an end whose state was made
     * anew, after a flush or a reboot, takes it for 0 and can follow only as long as it is.
     */
    static final long WORN = 1L << 31;

    private SequenceNumbers() {}

    /** Whether a state asks for other keys. One that only receives never does. */
    public static boolean worn(InstalledState state) {
        return Long.compareUnsigned(state.sent(), WORN) >= 0;
    }
}
