package io.vxseal;

import io.vxseal.overlay.DriverException;
import io.vxseal.overlay.ErrorLog;
import java.time.Duration;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What the plugin does unasked: it keeps the kernel right, and forgets nodes that are gone. A failure, of whatever kind, is
 * told, and the same is tried again; the kernel's state is as safe as before meanwhile.
 */
final class Housekeeper {
    private static final Logger log = LoggerFactory.getLogger(Housekeeper.class);

    private final Duration pause;
    private final ErrorLog errors;
    private String told = "";

    /** Waits for something to happen, for so long at most. */
    interface Waiting {
        void await() throws InterruptedException;
    }

    /** What may be refused. */
    interface Step {
        void run() throws DriverException;
    }

    /**
     * How long the nodes of an earlier process stay sealed to.
     *
     * @param least in any case
     * @param inGroup since this node has last been alone
     * @param most in any case
     */
    record Linger(Duration least, Duration inGroup, Duration most) {}

    /**
     * @param pause between two rounds
     * @param errors where failures are kept for people to read
     */
    Housekeeper(Duration pause, ErrorLog errors) {
        this.pause = pause;
        this.errors = errors;
    }

    /**
     * Makes rounds until it is interrupted.
     *
     * @param waiting before each round
     * @param repair in each round
     * @param trim at the end of each round
     */
    void keepRight(Waiting waiting, Runnable repair, Runnable trim) throws InterruptedException {
        while (true) {
            try {
                waiting.await();
                repair.run();
                trim.run();
                told = "";
            } catch (InterruptedException stopped) {
                throw stopped;
            } catch (Throwable failure) {
                tell("repair", failure);
            }
            Thread.sleep(pause);
        }
    }

    /** Waits until whoever lingers has had its time, then forgets those that do. */
    void forgetLingering(BooleanSupplier alone, Linger linger, Step forget) throws InterruptedException {
        long start = System.nanoTime();
        long joined = start;
        while (true) {
            Thread.sleep(pause);
            try {
                if (alone.getAsBoolean()) {
                    joined = System.nanoTime();
                }
                boolean due = passed(linger.least, start) && (passed(linger.inGroup, joined) || passed(linger.most, start));
                if (due) {
                    forget.run();
                    return;
                }
            } catch (Throwable failure) {
                tell("forgetting nodes that are gone", failure);
            }
        }
    }

    private static boolean passed(Duration time, long since) {
        return System.nanoTime() - since >= time.toNanos();
    }

    /** Once in the log, as long as the same goes on. */
    private void tell(String what, Throwable failure) {
        errors.add(what, failure.toString());
        if (!told.equals(failure.toString())) {
            told = failure.toString();
            if (failure instanceof DriverException) {
                log.error("{} is tried again: {}", what, failure.getMessage());
            } else {
                log.error("{} goes on after an unexpected failure", what, failure);
            }
        }
    }
}
