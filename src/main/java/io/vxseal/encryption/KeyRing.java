package io.vxseal.encryption;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/**
 * Keys in force. All are accepted; the first one, the primary, is used to send.
 *
 * @param keys each with another tag; empty before any key is known
 */
public record KeyRing(List<Key> keys) {
    /** The ring before any key is known. */
    public static final KeyRing EMPTY = new KeyRing(List.of());

    /** @throws IllegalArgumentException if two keys have the same tag */
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

    /** Returns whether no key is known. */
    public boolean isEmpty() {
        return keys.isEmpty();
    }

    /** Returns the key to send with. */
    public Optional<Key> primary() {
        return keys.stream().findFirst();
    }

    /** Returns the key with this tag. */
    public Optional<Key> byTag(int tag) {
        return keys.stream().filter(key -> key.tag() == tag).findFirst();
    }

    /** Returns this ring with the given key objects where they are equal, which makes comparison fast. */
    KeyRing with(List<Key> others) {
        return new KeyRing(keys.stream()
                .map(key -> others.stream().filter(key::equals).findFirst().orElse(key))
                .toList());
    }

    /**
     * Returns the ring after an update (moby, {@code updateKeys}): a key is added, another becomes the primary, one is removed,
     * or any of these. The new primary key and the old one change places; the order of the others stays.
     *
     * @throws IllegalArgumentException naming the tag that is unknown, in use, or to be made primary and removed at once;
     *     also if there is nothing to do
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
