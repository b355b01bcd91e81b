package io.vxseal;

import io.vxseal.kernel.monitor.KernelMonitor;
import io.vxseal.overlay.Driver;
import io.vxseal.overlay.DriverException;
import io.vxseal.overlay.ErrorLog;
import java.time.Duration;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Periodic work of the plugin: repairs, watching of the node and its paths, trimming of the heap, and forgetting the nodes of a previous process
 * that are gone. A failure of any kind is logged, and the work is retried.
 */
final class Housekeeper {
    private static final Logger log = LoggerFactory.getLogger(Housekeeper.class);

    /**
     * Interval of repairs when the kernel reports no change. It reports none of the rules of iptables-legacy. Comparing takes a fraction of
     * a second.
     */
    private static final Duration REPAIR_INTERVAL = Duration.ofSeconds(4);

    /** Pause between repairs, however often the kernel reports a change. */
    private static final Duration REPAIR_PAUSE = Duration.ofMillis(500);

    /** Pause between looks whether large packets pass. */
    private static final Duration PATH_MTU_PAUSE = Duration.ofSeconds(10);

    /** Pause between looks whether a node may be forgotten. */
    private static final Duration LINGER_PAUSE = Duration.ofSeconds(1);

    /** Nodes find each other within seconds after a restart. */
    private static final Linger LINGER = new Linger(Duration.ofSeconds(90), Duration.ofSeconds(60), Duration.ofMinutes(10));

    private final Duration pause;
    private final ErrorLog errors;
    private String logged = "";

    /** Wait for an event, or for an interval at most. */
    interface Waiting {
        void await() throws InterruptedException;
    }

    /** Work that may be refused. */
    interface Step {
        void run() throws DriverException;
    }

    /**
     * Times for which IPsec states and entries for the nodes of a previous process are kept.
     *
     * @param minimum in any case
     * @param inGroup since this node was last alone
     * @param maximum in any case
     */
    record Linger(Duration minimum, Duration inGroup, Duration maximum) {}

    /**
     * @param pause between two rounds
     * @param errors where failures are kept for status
     */
    Housekeeper(Duration pause, ErrorLog errors) {
        this.pause = pause;
        this.errors = errors;
    }

    /** Starts the threads that do the work for a driver until the process ends. */
    static void start(Driver driver, KernelMonitor monitor) {
        Housekeeper linger = new Housekeeper(LINGER_PAUSE, driver.errors());
        Thread.ofVirtual().name("vxseal-linger").start(() -> untilInterrupted(() ->
                linger.forgetLingering(driver::isAlone, LINGER, driver::forgetLingering)));
        Housekeeper repair = new Housekeeper(REPAIR_PAUSE, driver.errors());
        HeapTrim heap = new HeapTrim();
        // Both wait in the kernel, where a virtual thread would block its carrier.
        Thread.ofPlatform().daemon().name("vxseal-repair").start(() -> untilInterrupted(() ->
                repair.repeat("repair", () -> monitor.await(REPAIR_INTERVAL), () -> repairAndWatch(driver), heap::trim)));
        Housekeeper mtus = new Housekeeper(PATH_MTU_PAUSE, driver.errors());
        Thread.ofPlatform().daemon().name("vxseal-path-mtu").start(() -> untilInterrupted(() ->
                mtus.repeat("watching the paths", () -> { }, driver::watchMtus, () -> { })));
    }

    private static void repairAndWatch(Driver driver) {
        driver.repair();
        driver.watch();
    }

    private static void untilInterrupted(Waiting work) {
        try {
            work.await();
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
        }
    }

    /**
     * Does work again and again, until the thread is interrupted.
     *
     * @param what it is, for the log
     * @param waiting before each round
     * @param work in each round
     * @param end of each round
     */
    void repeat(String what, Waiting waiting, Runnable work, Runnable end) throws InterruptedException {
        while (true) {
            try {
                waiting.await();
                work.run();
                end.run();
                logged = "";
            } catch (InterruptedException stopped) {
                throw stopped;
            } catch (Throwable failure) {
                log(what, failure);
            }
            Thread.sleep(pause);
        }
    }

    /**
     * Waits until the nodes of a previous process have had time to announce themselves, then forgets those that have not.
     *
     * @param alone returns whether this node is in no group
     */
    void forgetLingering(BooleanSupplier alone, Linger linger, Step forget) throws InterruptedException {
        long start = System.nanoTime();
        long joined = start;
        while (true) {
            Thread.sleep(pause);
            try {
                if (alone.getAsBoolean()) {
                    joined = System.nanoTime();
                }
                if (hasPassed(linger.minimum, start) && (hasPassed(linger.inGroup, joined) || hasPassed(linger.maximum, start))) {
                    forget.run();
                    return;
                }
            } catch (Throwable failure) {
                log("forgetting nodes that are gone", failure);
            }
        }
    }

    private static boolean hasPassed(Duration time, long since) {
        return System.nanoTime() - since >= time.toNanos();
    }

    /** Logs a failure, once as long as the same one repeats. */
    private void log(String what, Throwable failure) {
        errors.add(what, failure.toString());
        if (!logged.equals(failure.toString())) {
            logged = failure.toString();
            if (failure instanceof DriverException) {
                log.error("{} failed, retrying: {}", what, failure.getMessage());
            } else {
                log.error("unexpected error in {}, retrying", what, failure);
            }
        }
    }
}
