package io.vxseal.overlay;

import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.monitor.KernelMonitor;
import io.vxseal.kernel.netns.Namespace;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
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

    private static final Duration INTERVAL = Duration.ofSeconds(10);

    private final Path pins;
    private final KernelMonitor monitor;
    private final Map<String, KernelMonitor.Watch> watches = new HashMap<>();

    /** @param pins folder in which the networks' namespaces are mounted */
    MissedAddresses(Path pins) throws IOException {
        this.pins = pins;
        this.monitor = KernelMonitor.open();
    }

    /** Calls {@code missed} after each miss, on a thread of its own, until the process ends. */
    void start(Runnable missed) {
        // It waits in the kernel, where a virtual thread would block its carrier.
        Thread.ofPlatform().daemon().name("vxseal-misses").start(() -> {
            try {
                while (true) {
                    if (monitor.await(INTERVAL)) {
                        missed.run();
                        Thread.sleep(PAUSE);
                    }
                }
            } catch (InterruptedException stopped) {
                Thread.currentThread().interrupt();
            }
        });
    }

    /** Adds a network that has come up. */
    void up(String network) {
        down(network);
        try {
            Optional<Namespace> opened = Namespace.open(pins.resolve(network));
            if (opened.isPresent()) {
                try (Namespace namespace = opened.get()) {
                    watches.put(network, monitor.watchMisses(namespace));
                }
            }
        } catch (KernelException failure) {
            log.warn("cannot watch what containers of network {} look for, relying on questions in turn: {}", network, failure.getMessage());
        }
    }

    /** Removes a network that goes down. */
    void down(String network) {
        KernelMonitor.Watch watch = watches.remove(network);
        if (watch != null) {
            watch.close();
        }
    }

    /** Closes all watches. The thread, if there is one, has nothing to wait for any more. */
    @Override
    public void close() {
        watches.values().forEach(KernelMonitor.Watch::close);
        watches.clear();
    }
}
