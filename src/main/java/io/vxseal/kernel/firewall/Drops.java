package io.vxseal.kernel.firewall;

/**
 * Packets that rules dropped because they would have entered or left in clear, or could not be judged.
 *
 * @param incoming packets from outside
 * @param outgoing packets for outside
 */
public record Drops(long incoming, long outgoing) {
    public static final Drops NONE = new Drops(0, 0);

    public Drops plus(Drops other) {
        return new Drops(incoming + other.incoming, outgoing + other.outgoing);
    }

    /** Returns what was counted since an earlier reading. A counter that is lower than it was has begun anew. */
    Drops since(Drops earlier) {
        return new Drops(since(incoming, earlier.incoming), since(outgoing, earlier.outgoing));
    }

    private static long since(long now, long earlier) {
        return now < earlier ? now : now - earlier;
    }
}
