package io.vxseal.cluster.message;

import java.time.Duration;
import java.time.Instant;
import java.util.Comparator;
import java.util.PriorityQueue;

/** Time that passes when a test says so. */
public final class ManualTimer implements Timer {
    private final PriorityQueue<Task> tasks = new PriorityQueue<>(Comparator.comparingLong(Task::when).thenComparingLong(Task::order));
    private long now;
    private Duration offset = Duration.ZERO;
    private long order;

    private record Task(long when, long order, Runnable run) {}

    @Override
    public long nanoTime() {
        return now;
    }

    @Override
    public Instant wallTime() {
        return Instant.ofEpochSecond(1_000_000).plusNanos(now).plus(offset);
    }

    @Override
    public void after(Duration delay, Runnable task) {
        tasks.add(new Task(now + delay.toNanos(), order++, task));
    }

    /** Steps the wall clock. */
    public void step(Duration by) {
        offset = offset.plus(by);
    }

    /** Lets time pass, and runs what is due. */
    public void pass(Duration time) {
        long end = now + time.toNanos();
        while (!tasks.isEmpty() && tasks.peek().when() <= end) {
            Task next = tasks.remove();
            now = next.when();
            next.run().run();
        }
        now = end;
    }
}
