package io.vxseal.kernel.firewall;

import java.util.Map;

/**
 * Sum of the counters of rules that drop. Counters begin anew with each replacement of their rules, so the differences from one reading
 * to the next are added up. What a rule counts between the last reading and its removal is left out.
 *
 * <p>Safe for use by several threads.
 */
final class DropMeter {
    private Map<?, Drops> last = Map.of();
    private Drops total = Drops.NONE;

    /**
     * Adds what was counted since the last reading.
     *
     * @param counters all that there are, by what has them: a table or a rule
     */
    synchronized void read(Map<?, Drops> counters) {
        for (Map.Entry<?, Drops> counter : counters.entrySet()) {
            Drops before = last.get(counter.getKey());
            total = total.plus(counter.getValue().since(before == null ? Drops.NONE : before));
        }
        last = Map.copyOf(counters);
    }

    /** Returns the sum over all readings. */
    synchronized Drops total() {
        return total;
    }
}
