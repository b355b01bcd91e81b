package io.vxseal.cluster.link;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;

class OutgoingQueueTest {
    private static final long BUDGET = 1_000_000;

    private final MeasuredBudget budget = new MeasuredBudget(BUDGET);
    private final OutgoingQueue queue = new OutgoingQueue(50_000, 10, budget);

    @Property(tries = 200)
    void writesAcceptedMessagesInOrder(@ForAll @Size(max = 20) List<@IntRange(max = 40_000) Integer> sizes) throws Exception {
        MeasuredBudget shared = new MeasuredBudget(BUDGET);
        OutgoingQueue any = new OutgoingQueue(50_000, 10, shared);
        List<Integer> accepted = new ArrayList<>();
        for (int size : sizes) {
            if (any.offer(new byte[size])) {
                accepted.add(size);
            }
        }
        List<Integer> written = new ArrayList<>();
        FrameReader reader = new FrameReader(50_000, new MemoryBudget(BUDGET));
        for (ByteBuffer next = any.next(); next != null; next = any.next()) {
            reader.read(next, (_, _, payload) -> written.add(payload.length));
        }
        assertThat(written).isEqualTo(accepted);
        assertThat(any.isEmpty()).isTrue();
        assertThat(shared.reserved()).isZero();
    }

    @Test
    void refusesBeyondItsBoundsAndReportsRoomOnce() {
        for (int i = 0; i < 10; i++) {
            assertThat(queue.offer(new byte[100])).isTrue();
        }
        assertThat(queue.offer(new byte[100])).as("the eleventh message").isFalse();
        assertThat(queue.takeDrained()).isFalse();
        assertThat(queue.next().remaining()).as("small messages are written together").isEqualTo(1040);
        assertThat(queue.next()).isNull();
        assertThat(queue.takeDrained()).isTrue();
        assertThat(queue.takeDrained()).isFalse();
        assertThat(queue.offer(new byte[60_000])).as("one of any size where there is none").isTrue();
        assertThat(queue.offer(new byte[1])).isFalse();
    }

    @Test
    void sharesItsBudgetWithOthers() {
        List<String> called = new ArrayList<>();
        List<OutgoingQueue> others = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            OutgoingQueue other = new OutgoingQueue(1_000_000, 10, budget);
            others.add(other);
            other.offer(new byte[20_000]);
        }
        assertThat(queue.offer(new byte[20_000])).isFalse();
        budget.callWhenFree(() -> called.add("free"));
        assertThat(called).isEmpty();
        assertThat(others).allMatch(OutgoingQueue::clear, "nothing was written yet");
        assertThat(called).containsExactly("free");
        assertThat(queue.offer(new byte[20_000])).isTrue();
    }

    @Test
    void reportsWhetherItStoppedInsideFrame() {
        queue.offer(new byte[30_000]);
        queue.next();
        assertThat(queue.clear()).isFalse();
        assertThat(budget.reserved()).isZero();
    }
}
