package io.vxseal.overlay;

import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.monitor.KernelMonitor;
import java.time.Duration;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Addresses that containers ask for by ARP and that no VXLAN device of their network has a neighbour of. One may be the VIP of a service
 * whose first task has just become healthy: the engine's name server gives it at once, and a connection to it fails after three seconds
 * without an answer.
 *
 * <p>The driver's lock guards it.
 */
final class MissedAddresses implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(MissedAddresses.class);

    /** Pause after a miss: a container may ask for a host that is gone without end. */
    private static final Duration PAUSE = Duration.ofMillis(400);

    /** Longest wait in the kernel, which an interrupt does not end. */
    private static final Duration INTERVAL = Duration.ofSeconds(10);

    private final KernelMonitor monitor;
    private Optional<Thread> thread = Optional.empty();
    private boolean closed;

    MissedAddresses() throws KernelException {
        this.monitor = KernelMonitor.open();
    }

    /** Calls {@code missed} after each miss, on a thread of its own, until this is closed. */
    void start(Runnable missed) {
        // It waits in the kernel, where a virtual thread would block its carrier.
        thread = Optional.of(Thread.ofPlatform().daemon().name("vxseal-misses").start(() -> {
            try (monitor) {
                while (true) {
                    if (monitor.await(INTERVAL)) {
                        missed.run();
                        Thread.sleep(PAUSE);
                    }
                }
            } catch (InterruptedException stopped) {
                Thread.currentThread().interrupt();
            }
        }));
    }

    /** Adds a network that has come up. Its watch ends with the namespace. */
    void watch(String network, NetworkNamespace namespace) {
        if (closed) {
            return;
        }
        try {
            namespace.watchMisses(monitor);
        } catch (KernelException failure) {
            log.warn("cannot watch what containers of network {} look for, relying on questions in turn: {}", network, failure.getMessage());
        }
    }

    /** Ends the thread, within {@link #INTERVAL}, and with it all watches. */
    @Override
    public void close() {
        closed = true;
        // The thread may wait in the kernel, so it closes the monitor itself.
        thread.ifPresentOrElse(Thread::interrupt, monitor::close);
    }
}
