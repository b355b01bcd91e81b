package io.vxseal.overlay;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class ErrorsTest {
    private final Errors errors = new Errors();

    @Test
    void theNewestComesFirstAndTheOldestGoes() {
        for (int i = 1; i <= 25; i++) {
            errors.add("call", "failure " + i);
        }
        assertThat(errors.last()).hasSize(20);
        assertThat(errors.last().getFirst().what()).isEqualTo("failure 25");
        assertThat(errors.last().getLast().what()).isEqualTo("failure 6");
    }

    @Test
    void whatHappensAgainIsCountedAndPushesNothingOut() {
        errors.add("call", "once");
        for (int i = 0; i < 100; i++) {
            errors.add("repair", "again and again");
        }
        assertThat(errors.last()).extracting(Errors.Entry::times).containsExactly(100L, 1L);
        errors.add("call", "once");
        assertThat(errors.last()).extracting(Errors.Entry::what).containsExactly("once", "again and again");
    }

    @Test
    void aLongOneIsCut() {
        errors.add("call", "x".repeat(1 << 20));
        assertThat(errors.last().getFirst().what()).hasSizeLessThan(2000);
    }
}
