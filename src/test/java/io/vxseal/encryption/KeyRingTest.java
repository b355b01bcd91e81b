package io.vxseal.encryption;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.function.Supplier;
import java.util.stream.Stream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import net.jqwik.api.constraints.UniqueElements;
import org.junit.jupiter.api.Test;

/**
 * Updates of the ring are those of moby's updateKeys, with its errors. A ring is immutable: an update answers another
 * ring or throws, so one that is refused changes nothing.
 */
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
    void rotationAddsAKeyAndDropsTheOldest() {
        KeyRing next = RING.update(Optional.of(key(4)), OptionalInt.of(3), OptionalInt.of(2));
        assertThat(next.keys()).containsExactly(key(3), key(1), key(4));
    }

    @Test
    void prunesAFormerPrimary() {
        KeyRing next = RING.update(NO_KEY, OptionalInt.of(2), OptionalInt.of(1));
        assertThat(next.keys()).containsExactly(key(2), key(3));
    }

    @Test
    void makesANewKeyThePrimary() {
        assertThat(RING.update(Optional.of(key(9)), OptionalInt.of(9), NONE).primary()).contains(key(9));
    }

    @Test
    void rejectsAnUnknownPrimary() {
        assertThatThrownBy(() -> RING.update(NO_KEY, OptionalInt.of(7), NONE)).hasMessageContaining("primary").hasMessageContaining("7");
    }

    @Test
    void rejectsPruningAnUnknownKey() {
        assertThatThrownBy(() -> RING.update(NO_KEY, NONE, OptionalInt.of(-1)))
                .hasMessageContaining("prune")
                .hasMessageContaining("4294967295");
    }

    @Test
    void rejectsMakingAKeyPrimaryAndPruningIt() {
        assertThatThrownBy(() -> RING.update(NO_KEY, OptionalInt.of(2), OptionalInt.of(2)))
                .hasMessageContaining("primary and pruned");
    }

    @Test
    void rejectsPruningThePrimaryWithoutASuccessor() {
        assertThatThrownBy(() -> RING.update(NO_KEY, NONE, OptionalInt.of(1))).hasMessageContaining("another primary");
    }

    @Test
    void rejectsAnEmptyUpdate() {
        assertThatThrownBy(() -> RING.update(NO_KEY, NONE, NONE)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void rejectsATagInUse() {
        assertThatThrownBy(() -> RING.update(Optional.of(key(2)), NONE, NONE)).hasMessageContaining("2");
    }

    @Property
    void updateDropsOnlyThePrunedKey(
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

    /** Against the plainest model: which updates are refused, and what the others make of the ring. */
    @Property
    void appliesOrRejectsAnyUpdateAndLeavesTheOldRingUnchanged(
            @ForAll @Size(min = 1, max = 4) @UniqueElements List<@IntRange(min = 1, max = 6) Integer> tags,
            @ForAll Optional<@IntRange(min = 1, max = 6) Integer> added,
            @ForAll Optional<@IntRange(min = 1, max = 6) Integer> primary,
            @ForAll Optional<@IntRange(min = 1, max = 6) Integer> prune) {
        KeyRing ring = new KeyRing(tags.stream().map(KeyRingTest::key).toList());
        List<Integer> known = Stream.concat(tags.stream(), added.stream()).toList();
        int next = primary.orElse(tags.getFirst());
        boolean valid = (added.isPresent() || primary.isPresent() || prune.isPresent())
                && added.filter(tags::contains).isEmpty()
                && known.contains(next)
                && known.containsAll(prune.stream().toList())
                && !prune.equals(Optional.of(next));

        Supplier<KeyRing> update = () -> ring.update(added.map(KeyRingTest::key), tag(primary), tag(prune));

        if (valid) {
            KeyRing updated = update.get();
            assertThat(updated.primary()).contains(key(next));
            assertThat(updated.keys()).containsExactlyInAnyOrderElementsOf(known.stream()
                    .filter(tag -> !prune.equals(Optional.of(tag)))
                    .map(KeyRingTest::key)
                    .toList());
        } else {
            assertThatThrownBy(update::get).isInstanceOf(IllegalArgumentException.class);
        }
        assertThat(ring.keys()).isEqualTo(tags.stream().map(KeyRingTest::key).toList());
    }

    private static OptionalInt tag(Optional<Integer> tag) {
        return tag.isPresent() ? OptionalInt.of(tag.get()) : OptionalInt.empty();
    }

    @Property
    void rejectsKeysOfOtherLengthsWithoutPrintingThem(@ForAll @IntRange(max = 64) int octets) {
        byte[] material = new byte[octets];
        Arrays.fill(material, (byte) 0x5e);
        if (List.of(16, 24, 32).contains(octets)) {
            assertThat(new Key(material, 1).octets()).isEqualTo(material);
        } else {
            assertThatThrownBy(() -> new Key(material, 1))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("key with tag 1 has " + octets + " octets, want 16, 24 or 32");
        }
    }

    @Test
    void distinguishesKeysByReplayWindow() {
        byte[] octets = key(1).octets();
        assertThat(new Key(octets, 1, 0)).isEqualTo(key(1)).isNotEqualTo(new Key(octets, 1, 32));
        for (int packets : List.of(-1, 1, 31, 4097)) {
            assertThatThrownBy(() -> new Key(octets, 1, packets)).hasMessageContaining("want 0 or 32 to 4096");
        }
    }

    @Test
    void printsOnlyTheTagOfAKey() {
        assertThat(new Key("0123456789abcdef".getBytes(java.nio.charset.StandardCharsets.US_ASCII), 0x10))
                .hasToString("(key with tag 0x10)");
    }
}
