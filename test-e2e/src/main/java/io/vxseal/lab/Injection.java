package io.vxseal.lab;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;

/** Frames that are sent on the wire repeatedly, until it is closed. */
public final class Injection implements AutoCloseable {

    private final AtomicLong rounds = new AtomicLong();
    private final Thread thread;
    private volatile boolean over;
    private volatile RuntimeException failure;

    Injection(List<byte[]> frames, int perSecond) {
        thread = Thread.ofVirtual().start(() -> run(frames, Duration.ofSeconds(1).dividedBy(perSecond)));
    }

    private void run(List<byte[]> frames, Duration pause) {
        try (RawSocket socket = RawSocket.open(Network.NAMESPACE, Network.BRIDGE)) {
            while (!over) {
                frames.forEach(socket::send);
                rounds.incrementAndGet();
                Await.pause(pause);
            }
        } catch (RuntimeException e) {
            failure = e;
        }
    }

    /** Waits until all frames have been sent so many more times. */
    public void awaitRounds(int more) {
        long enough = rounds.get() + more;
        Await.until(more + " more rounds of frames", Duration.ofSeconds(60), () -> rounds.get() >= enough || failure != null);
        check();
    }

    private void check() {
        if (failure != null) {
            throw new LabException("frames were not injected: " + failure.getMessage(), failure);
        }
    }

    /** Ends the injection; fails if it has failed before. */
    @Override
    public void close() {
        over = true;
        try {
            thread.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        check();
    }
}
