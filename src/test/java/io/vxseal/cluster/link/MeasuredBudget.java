package io.vxseal.cluster.link;

/** A budget that counts what is reserved of it. */
final class MeasuredBudget extends MemoryBudget {
    private long reserved;

    MeasuredBudget(long limit) {
        super(limit);
    }

    @Override
    boolean tryReserve(long octets, long held) {
        boolean taken = super.tryReserve(octets, held);
        reserved += taken ? octets : 0;
        return taken;
    }

    @Override
    void add(long octets) {
        reserved += octets;
        super.add(octets);
    }

    @Override
    void release(long octets) {
        reserved -= octets;
        super.release(octets);
    }

    /** Returns the octets that are reserved. */
    long reserved() {
        return reserved;
    }
}
