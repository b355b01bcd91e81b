package io.vxseal.encryption;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Optional;

/**
 * From one ring to another whose primary key nobody knew before, as after a cut that outlasted rotations. Nodes that go
 * there learn of it a moment apart, and one that changed everything at once would neither open what the others still send
 * nor be opened by them. So it first accepts both rings' keys and sends as before, then sends with the new, and forgets
 * the old when all have had the time to do the same. Where the rings know each other's primaries, as in every rotation,
 * there is only one step.
 *
 * <p>Pure: the time is the caller's.
 */
public final class Handover {
    /** For all nodes to accept the new keys. A ring is told to all members at once, and taken up in less than a second. */
    static final Duration SPREAD = Duration.ofSeconds(3);

    /** For the last of them to have stopped sending with the old. */
    static final Duration AFTERGLOW = Duration.ofSeconds(30);

    private record Step(KeyRing ring, long due) {}

    private final Deque<Step> ahead = new ArrayDeque<>();

    /**
     * Sets out for another ring, from wherever the way so far has come to.
     *
     * @param from the ring in force
     * @param now {@link System#nanoTime()}
     * @return the ring to have in force at once
     */
    public KeyRing begin(KeyRing from, KeyRing to, long now) {
        List<KeyRing> way = way(from, to);
        ahead.clear();
        if (way.size() > 1) {
            ahead.add(new Step(way.get(1), now + SPREAD.toNanos()));
            ahead.add(new Step(to, now + SPREAD.plus(AFTERGLOW).toNanos()));
        }
        return way.getFirst();
    }

    /** The ring whose time has come, if one's has. */
    public Optional<KeyRing> next(long now) {
        return ahead.isEmpty() || now - ahead.peek().due < 0 ? Optional.empty() : Optional.of(ahead.remove().ring);
    }

    /** How long until there is a {@link #next} step; empty if there is none. */
    public Optional<Duration> due(long now) {
        return Optional.ofNullable(ahead.peek()).map(step -> Duration.ofNanos(Math.max(0, step.due - now)));
    }

    /** One ring or three, each of whose primaries the rings before and after it have. */
    static List<KeyRing> way(KeyRing from, KeyRing to) {
        if (from.isEmpty() || to.isEmpty()) {
            return List.of(to);
        }
        Key before = from.keys().getFirst();
        Key after = to.keys().getFirst();
        boolean known = to.keys().contains(before) && from.keys().contains(after);
        // Of two keys with one tag the kernel can hold one.
        boolean inTheWay = to.byTag(before.tag()).filter(key -> !key.equals(before)).isPresent();
        if (known || inTheWay) {
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
