package io.vxseal.lab;

import java.time.Duration;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import org.awaitility.Awaitility;
import org.awaitility.core.ConditionTimeoutException;
import org.awaitility.pollinterval.FixedPollInterval;
import org.awaitility.pollinterval.PollInterval;

/**
 * Bounded waits for conditions in guests, by Awaitility. Conditions run in the caller's thread, because they may ask a guest,
 * and an interrupted question would leave its answer to the next one.
 */
public final class Await {

    private static final PollInterval INTERVAL = FixedPollInterval.fixed(Duration.ofMillis(300));

    /** Extra time for an evaluation that began within the limit: Awaitility counts its end, and emulated hosts are slow. */
    private static final Duration LAST_EVALUATION = Duration.ofSeconds(10);

    private Await() {}

    /** Returns the first value that {@code attempt} yields. */
    public static <T> T value(String what, Duration limit, Supplier<Optional<T>> attempt) {
        return value(() -> what, limit, INTERVAL, attempt);
    }

    /** Returns the first value that {@code attempt} yields at the given intervals. */
    static <T> T value(String what, Duration limit, PollInterval interval, Supplier<Optional<T>> attempt) {
        return value(() -> what, limit, interval, attempt);
    }

    /** Waits until the condition is true. */
    public static void until(String what, Duration limit, BooleanSupplier condition) {
        until(() -> what, limit, condition);
    }

    /**
     * Waits until the condition is true.
     *
     * @param what described when the wait has timed out
     */
    public static void until(Supplier<String> what, Duration limit, BooleanSupplier condition) {
        value(what, limit, INTERVAL, () -> condition.getAsBoolean() ? Optional.of(true) : Optional.empty());
    }

    private static <T> T value(Supplier<String> what, Duration limit, PollInterval interval, Supplier<Optional<T>> attempt) {
        try {
            return Awaitility.await().pollInSameThread().pollDelay(Duration.ZERO).pollInterval(interval)
                    .atMost(limit.plus(LAST_EVALUATION))
                    .until(attempt::get, found -> found.isPresent()).orElseThrow();
        } catch (ConditionTimeoutException e) {
            throw new LabException("timed out after %d s waiting for %s".formatted(limit.toSeconds(), what.get()), e);
        }
    }

    /** Sleeps. For random moments and for what cannot be observed. */
    public static void pause(Duration time) {
        try {
            Thread.sleep(time);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new LabException("interrupted while waiting", e);
        }
    }
}
