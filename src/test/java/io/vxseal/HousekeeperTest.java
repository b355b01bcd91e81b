package io.vxseal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vxseal.journal.Journal;
import io.vxseal.overlay.DriverException;
import io.vxseal.overlay.ErrorLog;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class HousekeeperTest {
    private final ErrorLog errors = new ErrorLog(new Journal());
    private final Housekeeper housekeeper = new Housekeeper(Duration.ofMillis(1), errors);
    private final AtomicInteger rounds = new AtomicInteger();

    private final StandardError log = new StandardError();

    @AfterEach
    void closeLog() {
        log.close();
    }

    /** Ends the rounds after so many, as an interrupt does. */
    private void await(int most) throws InterruptedException {
        if (rounds.incrementAndGet() > most) {
            throw new InterruptedException();
        }
    }

    @Test
    void continuesRepairAfterFailuresOfEveryKind() {
        List<String> done = new ArrayList<>();
        assertThatThrownBy(() -> housekeeper.repeat("repair",
                        () -> {
                            await(7);
                            if (rounds.get() == 1) {
                                throw new IllegalStateException("waiting");
                            }
                        },
                        () -> {
                            done.add("repair");
                            if (rounds.get() < 4) {
                                throw new StackOverflowError("repairing");
                            }
                        },
                        () -> {
                            done.add("trim");
                            throw new AssertionError("trimming");
                        }))
                .isInstanceOf(InterruptedException.class);
        assertThat(done).containsExactly(
                "repair", "repair", "repair", "trim", "repair", "trim", "repair", "trim", "repair", "trim");
        assertThat(errors.last()).extracting(ErrorLog.Entry::what).containsExactly(
                "java.lang.AssertionError: trimming",
                "java.lang.StackOverflowError: repairing",
                "java.lang.IllegalStateException: waiting");
        assertThat(errors.last()).extracting(ErrorLog.Entry::times).containsExactly(4L, 2L, 1L);
        assertThat(log.said())
                .contains("at io.vxseal.HousekeeperTest")
                .containsOnlyOnce("java.lang.StackOverflowError: repairing")
                .containsOnlyOnce("java.lang.AssertionError: trimming");
    }

    @Test
    void forgetsLingeringNodesDespiteErrors() throws Exception {
        AtomicInteger asked = new AtomicInteger();
        AtomicInteger forgotten = new AtomicInteger();
        housekeeper.forgetLingering(
                () -> {
                    if (asked.incrementAndGet() == 2) {
                        throw new StackOverflowError("asking");
                    }
                    return asked.get() < 4;
                },
                new Housekeeper.Linger(Duration.ZERO, Duration.ofMillis(1), Duration.ofHours(1)),
                () -> {
                    if (forgotten.incrementAndGet() < 3) {
                        throw DriverException.system("forget", new IOException("refused"));
                    }
                });
        assertThat(forgotten).hasValue(3);
        assertThat(asked.get()).isGreaterThan(4);
        assertThat(errors.last()).hasSize(2);
    }

    @Test
    void endsLingeringOfNodeThatStaysAlone() throws Exception {
        AtomicInteger forgotten = new AtomicInteger();
        housekeeper.forgetLingering(
                () -> true,
                new Housekeeper.Linger(Duration.ofMillis(5), Duration.ofHours(1), Duration.ofMillis(20)),
                forgotten::incrementAndGet);
        assertThat(forgotten).hasValue(1);
    }

    @Test
    void keepsLingeringWhileNodeIsAlone() {
        AtomicInteger forgotten = new AtomicInteger();
        assertThatThrownBy(() -> housekeeper.forgetLingering(
                        () -> {
                            if (rounds.incrementAndGet() > 20) {
                                Thread.currentThread().interrupt();
                            }
                            return true;
                        },
                        new Housekeeper.Linger(Duration.ZERO, Duration.ofHours(1), Duration.ofHours(2)),
                        forgotten::incrementAndGet))
                .isInstanceOf(InterruptedException.class);
        assertThat(forgotten).hasValue(0);
    }
}
