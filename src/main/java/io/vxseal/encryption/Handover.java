package io.vxseal.encryption;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Optional;

/**
 * Transition to a ring whose primary key the current ring does not have, as after a network partition that outlasted
 * rotations. Nodes learn of the ring a moment apart. A node that changed everything at once could neither decrypt what the
 * others still send nor send what they can decrypt. So it first accepts the keys of both rings and sends as before, then
 * sends with the new primary key, and drops the old keys when all nodes have had time for the same. Where each ring has
 * the other's primary key, as in every rotation, there is one step. A process that ends in between leaves the ring of its last step;
 * the next one begins with that.
 *
 * <p>Pure: the caller passes the time.
 */
public final class Handover {
    /** Time for all nodes to accept the new keys. A ring is sent to all members at once and applied in less than a second. */
    static final Duration PROPAGATION = Duration.ofSeconds(3);

    /** Time for the last node to stop sending with the old keys. */
    static final Duration DRAIN = Duration.ofSeconds(30);

    private record Step(KeyRing ring, long due) {}

    private final Deque<Step> ahead = new ArrayDeque<>();
    private boolean begun;

    /**
     * Starts a transition, and drops the rest of one in progress.
     *
     * @param from the ring in force; at the first call of a process the one that the process before it left
     * @param now {@link System#nanoTime()}
     * @return the ring to put in force at once
     */
    public KeyRing start(KeyRing from, KeyRing to, long now) {
        List<KeyRing> rings = rings(from, to);
        ahead.clear();
        boolean continues = !begun && isBeforeLastStep(from, to);
        begun = true;
        if (continues) {
            ahead.add(new Step(to, now + DRAIN.toNanos()));
            return from;
        }
        if (rings.size() > 1) {
            ahead.add(new Step(rings.get(1), now + PROPAGATION.toNanos()));
            ahead.add(new Step(to, now + PROPAGATION.plus(DRAIN).toNanos()));
        }
        return rings.getFirst();
    }

    /** Returns whether a ring only lacks the removal of old keys to be the other. */
    private static boolean isBeforeLastStep(KeyRing from, KeyRing to) {
        return from.keys().size() > to.keys().size() && from.keys().containsAll(to.keys()) && from.primary().equals(to.primary());
    }

    /** Returns and removes the next ring if it is due. */
    public Optional<KeyRing> advance(long now) {
        return ahead.isEmpty() || now - ahead.peek().due < 0 ? Optional.empty() : Optional.of(ahead.remove().ring);
    }

    /** Returns the time until {@link #advance} returns a ring; empty if no ring is left. */
    public Optional<Duration> dueIn(long now) {
        return Optional.ofNullable(ahead.peek()).map(step -> Duration.ofNanos(Math.max(0, step.due - now)));
    }

    /** Returns the rings to put in force one after the other, one or three; each has the primary key of the ones before and after it. */
    static List<KeyRing> rings(KeyRing from, KeyRing to) {
        if (from.isEmpty() || to.isEmpty()) {
            return List.of(to);
        }
        Key before = from.keys().getFirst();
        Key after = to.keys().getFirst();
        boolean known = to.keys().contains(before) && from.keys().contains(after);
        // The kernel can hold one of two keys with the same tag.
        boolean replaced = to.byTag(before.tag()).filter(key -> !key.equals(before)).isPresent();
        if (known || replaced) {
            return List.of(to);
        }
        List<Key> old = from.keys().stream().filter(key -> to.byTag(key.tag()).isEmpty()).toList();
        List<Key> accepting = new ArrayList<>(List.of(before));
        to.keys().stream().filter(key -> !key.equals(before)).forEach(accepting::add);
        old.stream().filter(key -> !key.equals(before)).forEach(accepting::add);
        List<Key> sending = new ArrayList<>(to.keys());
        sending.addAll(old);
        return List.of(new KeyRing(accepting), new KeyRing(sending), to);
    }
}
