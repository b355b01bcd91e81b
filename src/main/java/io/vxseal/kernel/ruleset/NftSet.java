package io.vxseal.kernel.ruleset;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * A set or map of nf_tables.
 *
 * @param plain whether the keys are single values or intervals of them; how keys of several values are compared is not known here
 * @param intervals whether an element begins an interval, or ends one
 * @param elements by key; of an element that ends an interval, empty
 * @param others what is done with a key that is not in it, if it says so
 */
record NftSet(boolean plain, boolean intervals, NavigableMap<ByteBuffer, Optional<Verdict>> elements, Optional<Verdict> others) {
    /** Creates an empty collection of elements. Keys are in the order of their octets without signs. */
    static NavigableMap<ByteBuffer, Optional<Verdict>> noElements() {
        return new TreeMap<>((one, other) -> Arrays.compareUnsigned(octets(one), octets(other)));
    }

    private static byte[] octets(ByteBuffer key) {
        byte[] octets = new byte[key.remaining()];
        key.duplicate().get(octets);
        return octets;
    }

    /** Returns what the set has for a key; empty if it is not in it. */
    Optional<Verdict> get(ByteBuffer key) {
        Optional<Verdict> found = Optional.empty();
        if (!intervals) {
            found = elements.getOrDefault(key, Optional.empty());
        } else if (elements.floorEntry(key) != null) {
            found = elements.floorEntry(key).getValue();
        }
        return found.isPresent() ? found : others;
    }

    /** Returns whether a value may be a key of it. */
    boolean isComparable(Value value) {
        int length = elements.isEmpty() ? 0 : elements.firstKey().remaining();
        return plain && value.isListed() && value.octets().stream().allMatch(octets -> length == 0 || octets.remaining() == length);
    }

    /** Returns all that it has for any key. */
    Collection<Verdict> verdicts() {
        List<Verdict> all = elements.values().stream().flatMap(Optional::stream).distinct().toList();
        return others.isEmpty() || all.contains(others.get()) ? all
                : Stream.concat(all.stream(), others.stream()).toList();
    }
}
