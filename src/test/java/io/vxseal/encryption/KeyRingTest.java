package io.vxseal.encryption;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import net.jqwik.api.constraints.UniqueElements;
import org.junit.jupiter.api.Test;

/** Updates of the ring are those of moby's updateKeys. */
class KeyRingTest {
    private static final KeyRing RING = new KeyRing(List.of(key(1), key(2), key(3)));

    private static final Optional<Key> NO_KEY = Optional.empty();
    private static final OptionalInt NONE = OptionalInt.empty();

    static Key key(int tag) {
        byte[] octets = new byte[16];
        octets[15] = (byte) tag;
        return new Key(octets, tag);
    }

    @Test
    void aRotationAddsAKeyMakesTheNextPrimaryAndForgetsTheOldest() {
        KeyRing next = RING.update(Optional.of(key(4)), OptionalInt.of(3), OptionalInt.of(2));
        assertThat(next.keys()).containsExactly(key(3), key(1), key(4));
    }

    @Test
    void aPrunedKeyMayHaveBeenThePrimaryUntilNow() {
        KeyRing next = RING.update(NO_KEY, OptionalInt.of(2), OptionalInt.of(1));
        assertThat(next.keys()).containsExactly(key(2), key(3));
    }

    @Test
    void theNewKeyMayBeThePrimaryAtOnce() {
        assertThat(RING.update(Optional.of(key(9)), OptionalInt.of(9), NONE).primary()).contains(key(9));
    }

    @Test
    void anUnknownPrimaryIsRefused() {
        assertThatThrownBy(() -> RING.update(NO_KEY, OptionalInt.of(7), NONE)).hasMessageContaining("primary").hasMessageContaining("7");
    }

    @Test
    void anUnknownPruneIsRefused() {
        assertThatThrownBy(() -> RING.update(NO_KEY, NONE, OptionalInt.of(-1)))
                .hasMessageContaining("prune")
                .hasMessageContaining("4294967295");
    }

    @Test
    void oneKeyCannotBeMadePrimaryAndPruned() {
        assertThatThrownBy(() -> RING.update(NO_KEY, OptionalInt.of(2), OptionalInt.of(2)))
                .hasMessageContaining("primary and pruned");
    }

    @Test
    void thePrimaryCannotBePrunedWithoutAnother() {
        assertThatThrownBy(() -> RING.update(NO_KEY, NONE, OptionalInt.of(1))).hasMessageContaining("another primary");
    }

    @Test
    void anEmptyUpdateIsRefused() {
        assertThatThrownBy(() -> RING.update(NO_KEY, NONE, NONE)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void aTagInTheRingIsNotGivenToAnotherKey() {
        assertThatThrownBy(() -> RING.update(Optional.of(key(2)), NONE, NONE)).hasMessageContaining("2");
    }

    @Property
    void anUpdateLosesNoKeyButThePruned(
            @ForAll @Size(min = 2, max = 6) @UniqueElements List<@IntRange(min = 0, max = 100) Integer> tags,
            @ForAll @IntRange(min = 101, max = 200) int added,
            @ForAll @IntRange(max = 5) int primaryAt,
            @ForAll @IntRange(max = 5) int pruneAt) {
        int primary = tags.get(primaryAt % tags.size());
        int prune = tags.get(pruneAt % tags.size());
        net.jqwik.api.Assume.that(primary != prune);
        KeyRing ring = new KeyRing(tags.stream().map(KeyRingTest::key).toList());

        KeyRing next = ring.update(Optional.of(key(added)), OptionalInt.of(primary), OptionalInt.of(prune));

        assertThat(next.primary()).contains(key(primary));
        assertThat(next.keys()).hasSize(tags.size()).contains(key(added)).doesNotContain(key(prune));
        assertThat(next.keys()).containsAll(ring.keys().stream().filter(k -> k.tag() != prune).toList());
    }

    @Test
    void aKeyIsOf16Or24Or32OctetsAndIsNeverPrinted() {
        assertThatThrownBy(() -> new Key(new byte[] {0x5e, 0x5e, 0x5e}, 1))
                .hasMessageContaining("3 octets")
                .hasMessageNotContaining("5e");
        assertThat(new Key("0123456789abcdef".getBytes(java.nio.charset.StandardCharsets.US_ASCII), 0x10))
                .hasToString("(key: 30313, tag: 0x10)");
    }
}
