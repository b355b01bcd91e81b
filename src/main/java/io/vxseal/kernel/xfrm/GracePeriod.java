package io.vxseal.kernel.xfrm;

import io.vxseal.kernel.libc.LibC;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * An RCU grace period, after which no packet in flight uses policies and states from before it. The kernel chooses a packet's
 * policy and state and then seals it within one RCU read-side section (rcu_read_lock_bh() of dev_queue_xmit()). If another
 * processor deletes the state in between, the packet is dropped (xfrm_output_one() in {@code net/xfrm/xfrm_output.c}, counted
 * as XfrmOutStateInvalid).
 */
final class GracePeriod {
    /** {@code linux/membarrier.h}: synchronize_rcu() (kernel/sched/membarrier.c), which takes some tens of milliseconds. */
    private static final int MEMBARRIER_CMD_GLOBAL = 1;

    /** Number of the system call: {@code asm/unistd_64.h} on x86, {@code asm-generic/unistd.h} on arm64 and later ones. */
    private static final long MEMBARRIER = System.getProperty("os.arch").equals("amd64") ? 324 : 283;

    /** Wait where the kernel refuses the call: it lacks it, or has processors with nohz_full. */
    private static final long FALLBACK_NANOS = TimeUnit.MILLISECONDS.toNanos(100);

    private GracePeriod() {}

    /** Begins a grace period, in a thread of its own. It is over when the future completes. */
    static CompletableFuture<Void> begin() {
        return CompletableFuture.runAsync(() -> {
            if (LibC.INSTANCE.syscall(MEMBARRIER, MEMBARRIER_CMD_GLOBAL, 0, 0) < 0) {
                LockSupport.parkNanos(FALLBACK_NANOS);
            }
        }, Thread.ofPlatform().daemon().name("vxseal-grace-period")::start);
    }
}
