package io.vxseal.cluster;

import io.vxseal.cluster.message.Timer;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The thread on which everything in the cluster is decided. A task that fails is logged, and the next one runs. */
final class ClusterThread implements Timer, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ClusterThread.class);
    /** The same unexpected failure is logged no more often than this. */
    private static final Duration FAILURE_AGAIN = Duration.ofMinutes(1);

    private final ScheduledThreadPoolExecutor thread =
            new ScheduledThreadPoolExecutor(1, Thread.ofPlatform().daemon().name("vxseal-cluster").factory());
    private String failure = "";
    private long failureLogged = System.nanoTime();

    ClusterThread() {
        thread.setRemoveOnCancelPolicy(true);
    }

    /** Runs a task as soon as those before it have run; drops it after {@link #close}. */
    boolean post(Runnable task) {
        return post(Duration.ZERO, task);
    }

    private boolean post(Duration delay, Runnable task) {
        try {
            ScheduledFuture<?> _ = thread.schedule(() -> guarded(task), delay.toNanos(), TimeUnit.NANOSECONDS);
            return true;
        } catch (RejectedExecutionException _) {
            return false;
        }
    }

    private void guarded(Runnable task) {
        try {
            task.run();
        } catch (Throwable e) {
            // A task that comes every second may fail every second.
            if (!e.toString().equals(failure) || System.nanoTime() - failureLogged > FAILURE_AGAIN.toNanos()) {
                failure = e.toString();
                failureLogged = System.nanoTime();
                LOG.error("unexpected error on the cluster thread, continuing", e);
            }
        }
    }

    /** Runs a task and answers with what it returns. */
    <T> CompletableFuture<T> ask(Supplier<T> task) {
        return CompletableFuture.supplyAsync(task, thread);
    }

    @Override
    public long nanoTime() {
        return System.nanoTime();
    }

    @Override
    public Instant wallTime() {
        return Instant.now();
    }

    @Override
    public void after(Duration delay, Runnable task) {
        post(delay, task);
    }

    boolean isClosed() {
        return thread.isShutdown();
    }

    @Override
    public void close() {
        thread.shutdownNow();
    }
}
