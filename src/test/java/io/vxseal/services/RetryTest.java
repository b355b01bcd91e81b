package io.vxseal.services;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.StandardError;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class RetryTest {
    private static final long SECOND = Duration.ofSeconds(1).toNanos();

    private final StandardError log = new StandardError();
    private final Retry retry = new Retry("do the work");
    private int done;

    @AfterEach
    void closeLog() {
        log.close();
    }

    private boolean failsAt(long now) {
        return retry.attempt(() -> {
            done++;
            throw new IllegalStateException("broken");
        }, now);
    }

    private boolean succeedsAt(long now) {
        return retry.attempt(() -> done++, now);
    }

    private long lines(String what) {
        return log.said().lines().filter(line -> line.contains(what)).count();
    }

    @Test
    void lastingFailureIsOneLineAndItsEndAnother() {
        for (int n = 0; n < 100; n++) {
            assertThat(failsAt(n * SECOND)).isFalse();
        }
        assertThat(done).isEqualTo(100);
        assertThat(lines("cannot do the work, retrying")).isOne();
        for (int n = 100; n < 300; n++) {
            assertThat(succeedsAt(n * SECOND)).isTrue();
        }
        assertThat(lines("can do the work again")).isOne();
        failsAt(300 * SECOND);
        assertThat(lines("cannot do the work")).isEqualTo(2);
    }

    @Test
    void failureThatComesAndGoesIsOneLine() {
        for (int n = 0; n < 100; n++) {
            failsAt(2L * n * SECOND);
            succeedsAt((2L * n + 1) * SECOND);
        }
        assertThat(done).isEqualTo(200);
        assertThat(lines("do the work")).isOne();
    }

    @Test
    void triesAgainAfterPause() {
        assertThat(retry.due(5, 0)).isEqualTo(5);
        failsAt(0);
        assertThat(retry.due(5, 0)).isEqualTo(SECOND);
        assertThat(succeedsAt(SECOND - 1)).isFalse();
        assertThat(done).isOne();
        assertThat(succeedsAt(SECOND)).isTrue();
        assertThat(retry.due(5 * SECOND, SECOND)).isEqualTo(5 * SECOND);
    }
}
