package io.vxseal.cluster.link;

/**
 * Messages of one session that its listener has not handled yet. Bounded, and together with those of the other sessions, too: with too many,
 * reading waits. One is always read, whose memory was reserved as it came.
 */
final class HeldMessages {
    /** Limits in messages and octets: more than a busy member has waiting of an honest peer. */
    static final int MAX_MESSAGES = 64;
    static final int MAX_OCTETS = 2 << 20;

    private final MemoryBudget budget;
    private int messages;
    private int octets;

    /** Whether reading waits for a release. */
    private boolean waits;

    /** @param budget of all sessions */
    HeldMessages(MemoryBudget budget) {
        this.budget = budget;
    }

    synchronized void hold(int size) {
        messages++;
        octets += size;
        budget.add(size);
    }

    /** Returns whether reading, which waited, can go on. */
    synchronized boolean release(int size) {
        messages--;
        octets -= size;
        budget.release(size);
        boolean goOn = waits && !isFull();
        waits &= !goOn;
        return goOn;
    }

    /** Returns whether reading must wait; if so, a later {@link #release} returns true. */
    synchronized boolean mustWait() {
        waits = isFull();
        return waits;
    }

    private boolean isFull() {
        return messages >= MAX_MESSAGES || octets >= MAX_OCTETS || messages > 0 && budget.isExceeded(octets);
    }
}
