package io.vxseal.lab;

import java.time.Duration;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;

/** Waits for something that becomes true by itself, for a bounded time. */
public final class Await {

    private static final Duration PAUSE = Duration.ofMillis(300);

    private Await() {}

    /** The first value that {@code attempt} yields. */
    public static <T> T value(String what, Duration limit, Supplier<Optional<T>> attempt) {
        return value(() -> what, limit, attempt);
    }

    private static <T> T value(Supplier<String> what, Duration limit, Supplier<Optional<T>> attempt) {
        long end = System.nanoTime() + limit.toNanos();
        while (true) {
            Optional<T> found = attempt.get();
            if (found.isPresent()) {
                return found.get();
            }
            if (System.nanoTime() >= end) {
                throw new LabException("waited " + limit.toSeconds() + " s in vain for " + what.get());
            }
            pause(PAUSE);
        }
    }

    public static void until(String what, Duration limit, BooleanSupplier condition) {
        until(() -> what, limit, condition);
    }

    /** @param what in words that are found when it was in vain */
    public static void until(Supplier<String> what, Duration limit, BooleanSupplier condition) {
        value(what, limit, () -> condition.getAsBoolean() ? Optional.of(true) : Optional.empty());
    }

    /** For moments that are to be random. What can be waited for is waited for. */
    public static void pause(Duration time) {
        try {
            Thread.sleep(time);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new LabException("interrupted while waiting", e);
        }
    }
}
