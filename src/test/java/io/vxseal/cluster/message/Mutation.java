package io.vxseal.cluster.message;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.random.RandomGenerator;

/** Changes of octets such as a hostile peer makes: few, anywhere, so that most of the rest still reads as it did. */
public final class Mutation {
    private static final int MOST = 4;
    private static final int LONGEST_PIECE = 40;

    /** What JSON and its readers treat in a way of its own. */
    private static final List<String> PIECES = List.of("null", "[]", "{}", "[null]", "\"\"", "0", "-1", "1e9", "9223372036854775807",
            "4611686018427387904", "99999999999999999999", "true", "\"\\u0000\"", "\"\\ud800\"", "::", "0.0.0.0", "ff02::1", ",", "\"", "}", "]");

    private Mutation() {}

    /**
     * Returns the octets with some changes; sometimes with none.
     *
     * @param other octets of which a part may come in
     */
    public static byte[] of(byte[] octets, byte[] other, RandomGenerator random) {
        byte[] changed = octets;
        for (int left = random.nextInt(MOST + 1); left > 0; left--) {
            changed = change(changed, other, random);
        }
        return changed;
    }

    private static byte[] change(byte[] octets, byte[] other, RandomGenerator random) {
        int from = random.nextInt(octets.length + 1);
        int to = Math.min(octets.length, from + random.nextInt(LONGEST_PIECE));
        return switch (random.nextInt(7)) {
            case 0 -> flip(octets, from, random);
            case 1 -> replace(octets, from, to, new byte[0]);
            case 2 -> replace(octets, from, from, Arrays.copyOfRange(octets, from, to));
            case 3 -> replace(octets, from, to, piece(random));
            case 4 -> replace(octets, from, from, piece(random));
            case 5 -> scalar(octets, from, random);
            default -> {
                int start = random.nextInt(other.length + 1);
                yield replace(octets, from, to, Arrays.copyOfRange(other, start, Math.min(other.length, start + LONGEST_PIECE)));
            }
        };
    }

    private static byte[] flip(byte[] octets, int at, RandomGenerator random) {
        byte[] changed = octets.clone();
        if (at < changed.length) {
            changed[at] ^= (byte) (1 << random.nextInt(Byte.SIZE));
        }
        return changed;
    }

    /** Replaces the value after the next colon, as far as it goes to the next comma or bracket. */
    private static byte[] scalar(byte[] octets, int from, RandomGenerator random) {
        int at = from;
        while (at < octets.length && octets[at] != ':') {
            at++;
        }
        int end = Math.min(octets.length, at + 1);
        while (end < octets.length && ",]}".indexOf(octets[end]) < 0) {
            end++;
        }
        return replace(octets, Math.min(octets.length, at + 1), end, piece(random));
    }

    private static byte[] piece(RandomGenerator random) {
        return PIECES.get(random.nextInt(PIECES.size())).getBytes(StandardCharsets.UTF_8);
    }

    private static byte[] replace(byte[] octets, int from, int to, byte[] by) {
        ByteArrayOutputStream changed = new ByteArrayOutputStream();
        changed.write(octets, 0, from);
        changed.writeBytes(by);
        changed.write(octets, to, octets.length - to);
        return changed.toByteArray();
    }
}
