package io.vxseal.cluster.link;

import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Octets that all sessions of a process may hold together. One session gets at most a quarter of what the others leave, so some is left
 * however many hold all they can; and a little whatever is left, so hostile peers delay no ordinary message of others.
 */
class MemoryBudget {
    /** Octets that a session may hold whatever the others do: a ring, a record of some hundred endpoints. */
    static final int ASSURED = 16 << 10;

    private static final int SHARE = 4;

    /** One that waits is called when such a part of the limit is free. */
    private static final int CALLED = 8;

    private final long limit;
    private final AtomicLong used = new AtomicLong();
    private final Queue<Runnable> waiting = new ConcurrentLinkedQueue<>();

    MemoryBudget(long limit) {
        this.limit = limit;
    }

    /**
     * Reserves octets for a session if it has room for them.
     *
     * @param held octets that it has reserved already
     */
    boolean tryReserve(long octets, long held) {
        long free = limit - used.addAndGet(octets) + octets;
        if (held + octets <= Math.max(ASSURED, free / SHARE)) {
            return true;
        }
        used.addAndGet(-octets);
        return false;
    }

    /** Counts octets that a session holds already. */
    void add(long octets) {
        used.addAndGet(octets);
    }

    /** Returns whether a session that holds so much has its share or more. */
    boolean isExceeded(long held) {
        return held > Math.max(ASSURED, (limit - used.get() + held) / SHARE);
    }

    /** Gives octets back, and calls the one that has waited for longest if enough is free. */
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
        if (limit - used.get() >= limit / CALLED) {
            Runnable next = waiting.poll();
            if (next != null) {
                next.run();
            }
        }
    }
}
