package io.vxseal.kernel.ruleset;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Set;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;

/**
 * What is known of an item of a packet, as octets in the kernel's order.
 *
 * @param octets what it may be, or, if {@code excluded}, the only ones that it is not
 * @param hidden how many octets at the beginning are not known
 */
record Value(Set<ByteBuffer> octets, boolean excluded, int hidden) {
    /** A value of which nothing is known. */
    static final Value UNKNOWN = new Value(Set.of(), true);

    Value(Set<ByteBuffer> octets, boolean excluded) {
        this(octets, excluded, 0);
    }

    Value {
        octets = Set.copyOf(octets);
    }

    static Value of(byte[]... some) {
        return new Value(Arrays.stream(some).map(ByteBuffer::wrap).collect(Collectors.toSet()), false);
    }

    /** Returns the value of an item that has any octets but these. */
    static Value not(byte[] octets) {
        return new Value(Set.of(ByteBuffer.wrap(octets)), true);
    }

    /** Returns this value after as many octets of which nothing is known. */
    Value after(int more) {
        return map(octets -> ByteBuffer.allocate(more + octets.remaining()).put(more, octets, 0, octets.remaining())).hiding(more);
    }

    private Value hiding(int more) {
        return excluded ? UNKNOWN : new Value(octets, false, more);
    }

    /** Returns whether it may be one of several values. */
    boolean isListed() {
        return !excluded && hidden == 0;
    }

    /** Returns whether a condition is true of all that it may be, of none, or of some. */
    Match test(Predicate<ByteBuffer> condition) {
        if (!isListed()) {
            return Match.MAYBE;
        }
        return share(condition);
    }

    private Match share(Predicate<ByteBuffer> condition) {
        long matching = octets.stream().filter(condition).count();
        return matching == octets.size() ? Match.YES : matching == 0 ? Match.NO : Match.MAYBE;
    }

    /** Returns whether it begins with the octets. */
    Match startsWith(ByteBuffer prefix) {
        if (excluded) {
            return isExcluded(prefix) ? Match.NO : Match.MAYBE;
        }
        int compared = prefix.remaining() - hidden;
        if (compared <= 0) {
            return Match.MAYBE;
        }
        Match rest = share(some -> some.remaining() >= prefix.remaining()
                && some.slice(hidden, compared).equals(prefix.slice(hidden, compared)));
        return hidden == 0 ? rest : rest.and(Match.MAYBE);
    }

    /** Returns whether a prefix is of one of the excluded only: the whole of it, or a name with the NUL at its end. */
    private boolean isExcluded(ByteBuffer prefix) {
        int length = prefix.remaining();
        boolean whole = length > 0 && prefix.get(length - 1) == 0;
        return octets.stream().anyMatch(some -> some.remaining() >= length && some.slice(0, length).equals(prefix)
                && (whole || some.remaining() == length));
    }

    /** Returns what becomes of it by an operation. */
    Value map(UnaryOperator<ByteBuffer> operation) {
        return !isListed() ? UNKNOWN : new Value(octets.stream().map(operation).collect(Collectors.toSet()), false);
    }
}
