package io.vxseal.encryption;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;

/** Nodes that go from ring to ring a step apart open what the others send. */
class HandoverTest {
    private static final KeyRing OLD = ring(2, 1, 3);
    private static final KeyRing ROTATED = ring(3, 2, 4);
    private static final KeyRing STRANGE = ring(12, 11, 13);
    private static final long START = 1_000;

    private static KeyRing ring(int... tags) {
        return new KeyRing(Arrays.stream(tags).mapToObj(KeyRingTest::key).toList());
    }

    private static long after(Duration time) {
        return START + time.toNanos();
    }

    @Test
    void rotatesInOneStep() {
        Handover handover = new Handover();
        assertThat(handover.start(OLD, ROTATED, START)).isEqualTo(ROTATED);
        assertThat(handover.advance(after(Handover.DRAIN.multipliedBy(2)))).isEmpty();
        assertThat(handover.dueIn(START)).isEmpty();
    }

    @Test
    void appliesTheFirstRingAtOnce() {
        assertThat(new Handover().start(KeyRing.EMPTY, OLD, START)).isEqualTo(OLD);
    }

    @Test
    void acceptsAnUnknownRingThenSendsWithItThenDropsTheOld() {
        Handover handover = new Handover();
        assertThat(handover.start(OLD, STRANGE, START)).isEqualTo(ring(2, 12, 11, 13, 1, 3));
        assertThat(handover.dueIn(START)).contains(Handover.PROPAGATION);
        assertThat(handover.advance(after(Handover.PROPAGATION) - 1)).isEmpty();
        assertThat(handover.advance(after(Handover.PROPAGATION))).contains(ring(12, 11, 13, 2, 1, 3));
        assertThat(handover.advance(after(Handover.DRAIN))).isEmpty();
        assertThat(handover.advance(after(Handover.PROPAGATION.plus(Handover.DRAIN)))).contains(STRANGE);
        assertThat(handover.advance(after(Handover.DRAIN.multipliedBy(9)))).isEmpty();
    }

    @Test
    void secondHandoverReplacesTheFirst() {
        Handover handover = new Handover();
        KeyRing halfway = handover.start(OLD, STRANGE, START);
        assertThat(handover.start(halfway, ROTATED, START)).isEqualTo(ROTATED);
        assertThat(handover.advance(after(Handover.DRAIN.multipliedBy(2)))).isEmpty();
    }

    @Test
    void newProcessBeginsAnewWhereOldKeysWereUsedStill() {
        KeyRing halfway = new Handover().start(OLD, STRANGE, START);
        Handover handover = new Handover();
        assertThat(handover.start(halfway, STRANGE, START).keys()).startsWith(OLD.keys().getFirst()).containsAll(OLD.keys())
                .containsAll(STRANGE.keys());
        assertThat(handover.advance(after(Handover.PROPAGATION)).orElseThrow().primary()).isEqualTo(STRANGE.primary());
        assertThat(handover.advance(after(Handover.PROPAGATION.plus(Handover.DRAIN)))).contains(STRANGE);
    }

    @Test
    void newProcessAcceptsOldKeysForAsLongAsTheOneBeforeWouldHave() {
        Handover first = new Handover();
        first.start(OLD, STRANGE, START);
        KeyRing sending = first.advance(after(Handover.PROPAGATION)).orElseThrow();
        Handover handover = new Handover();
        assertThat(handover.start(sending, STRANGE, START)).isEqualTo(sending);
        assertThat(handover.advance(after(Handover.DRAIN) - 1)).isEmpty();
        assertThat(handover.advance(after(Handover.DRAIN))).contains(STRANGE);
    }

    /** Two authors' keys may have one tag: then there is no place for both. */
    @Test
    void changesAtOnceIfAKeyTakesThePrimarysTag() {
        KeyRing other = new KeyRing(List.of(new Key(new byte[24], 2), KeyRingTest.key(9)));
        assertThat(Handover.rings(OLD, other)).containsExactly(other);
    }

    @Property(tries = 300)
    void eachRingHasThePrimaryOfThePreviousAndTheNext(@ForAll Random random) {
        KeyRing from = Action.ring(random);
        KeyRing to = Action.ring(random);
        List<KeyRing> rings = Stream.concat(Stream.of(from), Handover.rings(from, to).stream()).toList();
        assertThat(rings.getLast()).isEqualTo(to);
        boolean inTheWay = to.byTag(from.keys().getFirst().tag()).filter(key -> !from.keys().contains(key)).isPresent();
        for (int i = 1; i < rings.size() && !inTheWay; i++) {
            assertThat(rings.get(i - 1).keys()).contains(rings.get(i).keys().getFirst());
            assertThat(rings.get(i).keys()).contains(rings.get(i - 1).keys().getFirst());
        }
    }
}
