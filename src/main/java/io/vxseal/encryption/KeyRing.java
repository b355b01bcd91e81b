package io.vxseal.encryption;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/**
 * The keys in force, the primary first: it is the one to send with, all of them are accepted.
 *
 * @param keys no two with one tag; empty before any key is known
 */
public record KeyRing(List<Key> keys) {
    /** The ring before any key is known. */
    public static final KeyRing EMPTY = new KeyRing(List.of());

    /** @throws IllegalArgumentException if two keys have one tag */
    public KeyRing {
        keys = List.copyOf(keys);
        Set<Integer> tags = new HashSet<>();
        for (Key key : keys) {
            if (!tags.add(key.tag())) {
                throw new IllegalArgumentException(
                        "two keys with tag " + Integer.toUnsignedString(key.tag()) + " in one ring");
            }
        }
    }

    /** Whether no key is known. */
    public boolean isEmpty() {
        return keys.isEmpty();
    }

    /** The key to send with. */
    public Optional<Key> primary() {
        return keys.stream().findFirst();
    }

    /** The key with this tag. */
    public Optional<Key> byTag(int tag) {
        return keys.stream().filter(key -> key.tag() == tag).findFirst();
    }

    /** This ring, made of those keys where they are equal: they are then seen to be at once. */
    KeyRing with(List<Key> others) {
        return new KeyRing(keys.stream()
                .map(key -> others.stream().filter(key::equals).findFirst().orElse(key))
                .toList());
    }

    /**
     * The ring after an update: a key added, another made primary, one forgotten, in any mix (moby, {@code updateKeys}).
     * The primary changes places with the one before it; the order of the others stays.
     *
     * @throws IllegalArgumentException saying which tag is unknown, taken, or asked to be two things at once; the same
     *     if there is nothing to do
     */
    public KeyRing update(Optional<Key> added, OptionalInt primary, OptionalInt prune) {
        if (added.isEmpty() && primary.isEmpty() && prune.isEmpty()) {
            throw new IllegalArgumentException("want a new key, a primary key or a key to prune");
        }
        List<Key> next = new ArrayList<>(keys);
        added.ifPresent(key -> {
            if (byTag(key.tag()).isPresent()) {
                throw new IllegalArgumentException("new key: one with tag %s is in the ring already".formatted(print(key.tag())));
            }
            next.add(key);
        });
        int primaryIndex = primary.isPresent() ? index(next, "primary", primary.getAsInt()) : 0;
        if (prune.isPresent()) {
            int pruned = index(next, "prune", prune.getAsInt());
            if (primary.isPresent() && pruned == primaryIndex) {
                throw new IllegalArgumentException(
                        "key with tag %s cannot be made primary and pruned at once".formatted(print(prune.getAsInt())));
            }
            if (primary.isEmpty() && pruned == 0) {
                throw new IllegalArgumentException(
                        "key with tag %s is the primary: name another primary to prune it".formatted(print(prune.getAsInt())));
            }
        }
        Collections.swap(next, 0, primaryIndex);
        prune.ifPresent(tag -> next.removeIf(key -> key.tag() == tag));
        return new KeyRing(next);
    }

    private static int index(List<Key> keys, String role, int tag) {
        for (int i = 0; i < keys.size(); i++) {
            if (keys.get(i).tag() == tag) {
                return i;
            }
        }
        throw new IllegalArgumentException(
                "cannot find %s key: no key with tag %s in the ring".formatted(role, print(tag)));
    }

    private static String print(int tag) {
        return Integer.toUnsignedString(tag);
    }
}
