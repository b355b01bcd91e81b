package io.vxseal.cluster.link;

import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicLong;

/** Octets that all sessions of a process may hold together. */
final class MemoryBudget {
    private final long limit;
    private final AtomicLong used = new AtomicLong();
    private final Queue<Runnable> waiting = new ConcurrentLinkedQueue<>();

    MemoryBudget(long limit) {
        this.limit = limit;
    }

    /** Reserves octets if there is room. */
    boolean tryReserve(long octets) {
        if (used.addAndGet(octets) <= limit) {
            return true;
        }
        used.addAndGet(-octets);
        return false;
    }

    /** Gives octets back, and calls the one that has waited for longest if a quarter is free. */
    void release(long octets) {
        used.addAndGet(-octets);
        callNext();
    }

    /** Calls this once, from any thread, when there is room again. */
    void callWhenFree(Runnable whenFree) {
        waiting.add(whenFree);
    }

    /** Calls one that waits if there is room; for a timer, as nothing is released while nothing is held. */
    void callNext() {
        if (used.get() <= limit / 4 * 3) {
            Runnable next = waiting.poll();
            if (next != null) {
                next.run();
            }
        }
    }
}
