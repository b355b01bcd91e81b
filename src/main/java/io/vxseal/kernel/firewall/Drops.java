package io.vxseal.kernel.firewall;

/**
 * Packets that rules dropped because they would have entered or left in clear, or could not be judged.
 *
 * @param incoming packets from outside
 * @param outgoing packets for outside
 * @param known whether the rules count; a kernel may lack counters
 */
public record Drops(long incoming, long outgoing, boolean known) {
    public static final Drops NONE = new Drops(0, 0);

    /** Drops of rules that count. */
    public Drops(long incoming, long outgoing) {
        this(incoming, outgoing, true);
    }

    /** Returns the sum, which is known if both are. */
    public Drops plus(Drops other) {
        return new Drops(incoming + other.incoming, outgoing + other.outgoing, known && other.known);
    }

    /** Returns the same of rules of which not all count. */
    Drops unknown() {
        return new Drops(incoming, outgoing, false);
    }

    /** Returns what was counted since an earlier reading. A counter that is lower than it was has begun anew. */
    Drops since(Drops earlier) {
        return new Drops(since(incoming, earlier.incoming), since(outgoing, earlier.outgoing));
    }

    private static long since(long now, long earlier) {
        return now < earlier ? now : now - earlier;
    }
}
