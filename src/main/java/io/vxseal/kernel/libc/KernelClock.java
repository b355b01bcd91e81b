package io.vxseal.kernel.libc;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** The kernel's clock as adjtimex(2) describes it. */
public final class KernelClock {
    /*
     * struct timex {              // linux/timex.h, on x86-64
     *     unsigned int modes;     //  0: what to set, nothing here
     *     int status;             // 40
     * };                          // 208
     */
    private static final int STATUS = 40;
    private static final int TIMEX_LENGTH = 208;
    private static final int STA_UNSYNC = 0x0040;

    private KernelClock() {}

    /** Returns whether a program keeps the clock in step with another clock, and told the kernel so. */
    public static boolean isSynchronised() throws KernelException {
        ByteBuffer timex = ByteBuffer.allocateDirect(TIMEX_LENGTH).order(ByteOrder.nativeOrder());
        if (LibC.INSTANCE.adjtimex(timex) < 0) {
            throw LibC.failure("ask the kernel for its clock");
        }
        return (timex.getInt(STATUS) & STA_UNSYNC) == 0;
    }
}
