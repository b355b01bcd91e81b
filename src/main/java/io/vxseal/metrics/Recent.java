package io.vxseal.metrics;

import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.locks.ReentrantLock;

/**
 * A value that is made at most once a second, however many ask for it, and by one thread at a time: anybody who reaches the listener may
 * ask as often as they like, and the value comes from the kernel.
 */
public final class Recent implements Callable<byte[]> {
    /** Least time between two makings. */
    public static final Duration FRESH = Duration.ofSeconds(1);

    private final Callable<byte[]> source;

    /** Guards the fields below. */
    private final ReentrantLock lock = new ReentrantLock();

    private byte[] last = new byte[0];
    private long made;

    public Recent(Callable<byte[]> source) {
        this.source = source;
    }

    /** Returns the value, made now or a moment ago. */
    @Override
    public byte[] call() throws Exception {
        lock.lock();
        try {
            if (last.length == 0 || System.nanoTime() - made > FRESH.toNanos()) {
                last = source.call();
                made = System.nanoTime();
            }
            return last;
        } finally {
            lock.unlock();
        }
    }
}
