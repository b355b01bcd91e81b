package io.vxseal.cluster.link;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class MemoryBudgetTest {
    private static final int LIMIT = 16 << 20;
    private static final int STEP = 64 << 10;

    private final MeasuredBudget budget = new MeasuredBudget(LIMIT);

    /** Takes what it gets, and returns how much that is. */
    private long takeAll() {
        long held = 0;
        while (budget.tryReserve(STEP, held)) {
            held += STEP;
        }
        return held;
    }

    @Test
    void oneSourceTakesNoMoreThanItsShare() {
        assertThat(takeAll()).isPositive().isLessThanOrEqualTo(LIMIT / 4);
        assertThat(budget.tryReserve(1 << 20, 0)).as("the largest message of another").isTrue();
    }

    @Test
    void manySourcesLeaveRoomForOneMore() {
        for (int source = 0; source < 16; source++) {
            assertThat(takeAll()).isPositive();
        }
        assertThat(budget.tryReserve(STEP, 0)).as("a message of another").isTrue();
        assertThat(budget.reserved()).isLessThan(LIMIT);
    }

    @Test
    void littleIsAssuredWhateverOthersHold() {
        for (int source = 0; source < 200; source++) {
            takeAll();
        }
        assertThat(budget.tryReserve(STEP, 0)).isFalse();
        for (int source = 0; source < 100; source++) {
            assertThat(budget.tryReserve(MemoryBudget.ASSURED, 0)).isTrue();
            assertThat(budget.tryReserve(STEP, MemoryBudget.ASSURED)).isFalse();
        }
    }

    @Test
    void messagesThatWaitCountBesideIncompleteOnes() {
        int sessions = 0;
        for (; sessions < 100 && budget.reserved() < LIMIT; sessions++) {
            HeldMessages held = new HeldMessages(budget);
            while (!held.mustWait()) {
                held.hold(100 << 10);
            }
        }
        assertThat(budget.reserved()).as("held by %d sessions", sessions).isBetween(LIMIT / 2L, LIMIT + 100L * (100 << 10));
        assertThat(budget.tryReserve(STEP, 0)).isFalse();
        HeldMessages small = new HeldMessages(budget);
        assertThat(small.mustWait()).as("one is always read").isFalse();
        small.hold(STEP);
        assertThat(small.mustWait()).isTrue();
        assertThat(small.release(STEP)).as("goes on").isTrue();
    }

    @Test
    void callsOneThatWaitsAsSoonAsAnEighthIsFree() {
        List<Long> held = new ArrayList<>();
        while (LIMIT - budget.reserved() > LIMIT / 16) {
            held.add(takeAll());
        }
        List<String> called = new ArrayList<>();
        budget.callWhenFree(() -> called.add("first"));
        budget.callWhenFree(() -> called.add("second"));
        budget.callNext();
        assertThat(called).isEmpty();
        budget.release(held.getFirst());
        assertThat(called).containsExactly("first");
    }
}
