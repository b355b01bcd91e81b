package io.vxseal.cluster.link;

/** Messages of one session that its listener has not handled yet. Bounded: with too many, reading waits. */
final class HeldMessages {
    /** Limits in messages and octets: more than a busy member has waiting of an honest peer. */
    static final int MAX_MESSAGES = 64;
    static final int MAX_OCTETS = 2 << 20;

    private int messages;
    private int octets;

    /** Whether reading waits for a release. */
    private boolean waits;

    synchronized void hold(int size) {
        messages++;
        octets += size;
    }

    /** Returns whether reading, which waited, can go on. */
    synchronized boolean release(int size) {
        messages--;
        octets -= size;
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
        return messages >= MAX_MESSAGES || octets >= MAX_OCTETS;
    }
}
