package io.vxseal.kernel.libc;

import java.io.IOException;
import java.util.Set;

/** A step that the kernel refused. The message names the object, the errno and the kernel's own explanation. */
public final class KernelException extends IOException {
    private static final Set<Integer> INTERRUPTIONS = Set.of(Errno.EAGAIN, Errno.EINTR, Errno.ENOBUFS);

    private final int errno;

    /**
     * @param what the step and its object, as in {@code "add link vx-001001-abcde"}
     * @param errno positive, as in {@code asm-generic/errno-base.h}
     * @param detail the errno's text, and the kernel's extended acknowledgement if it gave one
     */
    public KernelException(String what, int errno, String detail) {
        super(what + ": " + detail);
        this.errno = errno;
    }

    /** Returns the positive error number. */
    public int errno() {
        return errno;
    }

    /** Returns whether the kernel refused nothing: its list changed while it was read, or some of its answers were lost. */
    public boolean isInterruption() {
        return INTERRUPTIONS.contains(errno);
    }
}
