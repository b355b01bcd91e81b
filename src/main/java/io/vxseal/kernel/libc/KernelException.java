package io.vxseal.kernel.libc;

import java.io.IOException;

/** The kernel refused a step. The message says which object, the errno's name and what the kernel added to it. */
public final class KernelException extends IOException {
    private final int errno;

    /**
     * @param what the object and the step, as in {@code "add link vx-001001-abcde"}
     * @param errno positive, as in {@code asm-generic/errno-base.h}
     * @param detail the errno's text and the kernel's extended acknowledgement where it gave one
     */
    public KernelException(String what, int errno, String detail) {
        super(what + ": " + detail);
        this.errno = errno;
    }

    /** Positive error number. */
    public int errno() {
        return errno;
    }
}
