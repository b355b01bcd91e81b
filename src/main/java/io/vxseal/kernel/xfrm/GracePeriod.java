package io.vxseal.kernel.xfrm;

import io.vxseal.kernel.libc.LibC;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * The time that the kernel takes to let go of what was in force before a change. It chooses a packet's policy and state
 * and then seals it in one go (under rcu_read_lock_bh() of dev_queue_xmit()); but when another processor deletes the state
 * in between, it drops the packet (xfrm_output_one() in {@code net/xfrm/xfrm_output.c}, counted as XfrmOutStateInvalid).
 * Once each processor has been through a quiescent state of RCU, there is no such packet any more.
 */
final class GracePeriod {
    /** {@code linux/membarrier.h}: a synchronize_rcu() (kernel/sched/membarrier.c), which takes some tens of milliseconds. */
    private static final int MEMBARRIER_CMD_GLOBAL = 1;

    /** Number of the call: {@code asm/unistd_64.h} of x86, {@code asm-generic/unistd.h} of all younger ones. */
    private static final long MEMBARRIER = System.getProperty("os.arch").equals("amd64") ? 324 : 283;

    /** Where the kernel will not say when: it has no such call, or processors that it leaves alone (nohz_full). */
    private static final long LONG_ENOUGH = TimeUnit.MILLISECONDS.toNanos(100);

    private GracePeriod() {}

    /** Begins one. It takes its time while other things are done, and is over when the future is complete. */
    static CompletableFuture<Void> begin() {
        return CompletableFuture.runAsync(() -> {
            if (LibC.INSTANCE.syscall(MEMBARRIER, MEMBARRIER_CMD_GLOBAL, 0, 0) < 0) {
                LockSupport.parkNanos(LONG_ENOUGH);
            }
        }, Thread.ofPlatform().daemon().name("vxseal-grace-period")::start);
    }
}
