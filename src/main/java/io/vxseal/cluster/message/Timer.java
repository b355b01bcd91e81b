package io.vxseal.cluster.message;

import java.time.Duration;
import java.time.Instant;

/** Time for what decides: the clocks, and tasks for later on the same thread. */
public interface Timer {
    /** Returns nanoseconds since some fixed moment; never steps. */
    long nanoTime();

    /** Returns the wall clock's time; may step. */
    Instant wallTime();

    /** Runs a task later, on the cluster's thread. */
    void after(Duration delay, Runnable task);
}
