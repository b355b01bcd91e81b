package io.vxseal.services;

import java.time.Duration;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Work that is tried again after a pause while it fails. The log has one line when failures begin and one when they have ended.
 *
 * <p>Time is a parameter, in nanoseconds. For one thread at a time.
 */
final class Retry {
    private static final Logger log = LoggerFactory.getLogger(Retry.class);

    static final long PAUSE = Duration.ofSeconds(1).toNanos();

    /** Time without a failure after which failures have ended. Work may fail only where it has something to do. */
    private static final long CALM = Duration.ofMinutes(1).toNanos();

    private final String what;
    private Optional<Long> lastFailure = Optional.empty();

    /** The work. */
    interface Work {
        void run() throws Exception;
    }

    /** @param what the work, as in "cannot ..." */
    Retry(String what) {
        this.what = what;
    }

    /**
     * Does the work, unless it failed a moment ago.
     *
     * @return whether it was done
     */
    boolean attempt(Work work, long now) {
        if (lastFailure.isPresent() && now - lastFailure.get() < PAUSE) {
            return false;
        }
        try {
            work.run();
        } catch (Throwable failure) {
            if (lastFailure.isEmpty()) {
                log.error("cannot {}, retrying", what, failure);
            }
            lastFailure = Optional.of(now);
            return false;
        }
        if (lastFailure.isPresent() && now - lastFailure.get() >= CALM) {
            lastFailure = Optional.empty();
            log.info("can {} again", what);
        }
        return true;
    }

    /** Returns when to try next. After a failure that is at the end of the pause, otherwise at a regular time. */
    long due(long regular, long now) {
        return lastFailure.map(at -> at + PAUSE).filter(at -> at > now).orElse(regular);
    }

    /** Returns whether there was a failure a short time ago. */
    boolean isFailing() {
        return lastFailure.isPresent();
    }
}
