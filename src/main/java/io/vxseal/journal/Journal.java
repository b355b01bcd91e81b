package io.vxseal.journal;

import io.vxseal.text.Line;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Deque;
import java.util.EnumMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The last events of this node, in memory. If there are too many, the oldest goes of the kind that has most, so that a flood of one kind
 * leaves the others. Those that follow it keep the number of the last event they have seen and nothing else, so a
 * slow one costs no memory: it learns how many events it missed. Safe for use by several threads.
 */
public final class Journal {
    /** Events kept. */
    public static final int CAPACITY = 1000;

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition added = lock.newCondition();
    private final Deque<Event> events = new ArrayDeque<>();
    private final Map<Event.Kind, Integer> kept = new EnumMap<>(Event.Kind.class);
    private final String id = Long.toString(Instant.now().toEpochMilli(), Character.MAX_RADIX);
    private long newest;

    /**
     * Events in their order.
     *
     * @param missed how many there were between the last one seen and these
     */
    public record Batch(long missed, List<Event> events) {}

    /** Adds an event. */
    public void add(Event.Kind kind, String subject, String text) {
        String line = Line.of(text);
        lock.lock();
        try {
            newest++;
            events.add(new Event(newest, Instant.now(), kind, subject, line));
            kept.merge(kind, 1, Integer::sum);
            if (events.size() > CAPACITY) {
                removeOne();
            }
            added.signalAll();
        } finally {
            lock.unlock();
        }
    }

    private void removeOne() {
        Event.Kind most = Collections.max(kept.entrySet(), Map.Entry.comparingByValue()).getKey();
        Iterator<Event> oldest = events.iterator();
        while (oldest.hasNext()) {
            if (oldest.next().kind() == most) {
                oldest.remove();
                kept.merge(most, -1, Integer::sum);
                return;
            }
        }
    }

    /** Returns what distinguishes this journal from those of other processes, whose events have the same numbers. */
    public String id() {
        return id;
    }

    /** Returns the last events, the newest last. */
    public List<Event> last() {
        lock.lock();
        try {
            return List.copyOf(events);
        } finally {
            lock.unlock();
        }
    }

    /** Returns the number of the newest event; 0 before the first. */
    public long newest() {
        lock.lock();
        try {
            return newest;
        } finally {
            lock.unlock();
        }
    }

    /**
     * Waits for events after the one with this number.
     *
     * @param number of the last event seen; one that is not there yet is an earlier process's, and all events come after it
     * @param patience longest wait
     * @return no events if there were none for so long
     */
    public Batch awaitAfter(long number, Duration patience) throws InterruptedException {
        long left = patience.toNanos();
        lock.lockInterruptibly();
        try {
            long seen = number > newest ? 0 : number;
            while (newest == seen && left > 0) {
                left = added.awaitNanos(left);
            }
            List<Event> later = new ArrayList<>();
            events.stream().filter(event -> event.number() > seen).forEach(later::add);
            return new Batch(newest - seen - later.size(), later);
        } finally {
            lock.unlock();
        }
    }
}
