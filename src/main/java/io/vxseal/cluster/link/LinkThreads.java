package io.vxseal.cluster.link;

import java.util.concurrent.TimeUnit;
import org.eclipse.jetty.io.ArrayByteBufferPool;
import org.eclipse.jetty.io.ByteBufferPool;
import org.eclipse.jetty.util.component.LifeCycle;
import org.eclipse.jetty.util.thread.QueuedThreadPool;
import org.eclipse.jetty.util.thread.ScheduledExecutorScheduler;
import org.eclipse.jetty.util.thread.Scheduler;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Threads, timer and buffers that the hub and the sessions of a process share. */
public final class LinkThreads implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(LinkThreads.class);

    /** A selector for the hub and one for the client, an acceptor, and what works off handshakes and reads. */
    private static final int MAX_THREADS = 12;

    private static final int MAX_POOLED_OCTETS = 4 << 20;

    private final QueuedThreadPool pool;
    private final Scheduler scheduler;
    private final ByteBufferPool buffers =
            new ArrayByteBufferPool(0, -1, -1, 64, MAX_POOLED_OCTETS, MAX_POOLED_OCTETS);

    /** Starts threads as they are needed. */
    public LinkThreads() {
        this(MAX_THREADS);
    }

    /**
     * Starts threads as they are needed.
     *
     * @param maxThreads more than the default where a process plays many nodes, each with a selector of its own
     */
    public LinkThreads(int maxThreads) {
        pool = new QueuedThreadPool(maxThreads, 1, 30_000);
        pool.setName("vxseal-link");
        pool.setDaemon(true);
        scheduler = new ScheduledExecutorScheduler("vxseal-link-timer", true);
        try {
            LifeCycle.start(pool);
            LifeCycle.start(scheduler);
        } catch (Exception e) {
            throw new IllegalStateException("threads for sessions cannot be started: " + e.getMessage(), e);
        }
    }

    QueuedThreadPool pool() {
        return pool;
    }

    Scheduler scheduler() {
        return scheduler;
    }

    ByteBufferPool buffers() {
        return buffers;
    }

    /** Runs the task again and again, this long after it ended; what it throws is logged. */
    Timer every(long millis, Runnable task) {
        Timer timer = new Timer(millis, task);
        timer.schedule();
        return timer;
    }

    /** Periodic task. */
    final class Timer implements AutoCloseable {
        private final long millis;
        private final Runnable task;
        private volatile boolean closed;

        private Timer(long millis, Runnable task) {
            this.millis = millis;
            this.task = task;
        }

        private void schedule() {
            scheduler.schedule(this::run, millis, TimeUnit.MILLISECONDS);
        }

        private void run() {
            if (closed) {
                return;
            }
            try {
                task.run();
            } catch (Throwable failure) {
                log.error("unexpected error in a periodic task of the sessions, continuing", failure);
            }
            schedule();
        }

        @Override
        public void close() {
            closed = true;
        }
    }

    @Override
    public void close() {
        LifeCycle.stop(scheduler);
        LifeCycle.stop(pool);
    }
}
