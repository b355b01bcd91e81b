package io.vxseal.kernel.netlink;

import java.nio.ByteBuffer;

/**
 * Overwrites memory in large steps: one octet after the other, as Arrays.fill() does where only the first compiler is, would
 * take a fair part of the kernel's own time for a message.
 */
public final class Zeros {
    private static final byte[] SOME = new byte[1 << 12];

    private Zeros() {}

    /** Over the first octets of the array. */
    public static void over(byte[] octets, int length) {
        for (int at = 0; at < length; at += SOME.length) {
            System.arraycopy(SOME, 0, octets, at, Math.min(SOME.length, length - at));
        }
    }

    /** Over the first octets of the buffer. */
    public static void over(ByteBuffer buffer, int length) {
        for (int at = 0; at < length; at += SOME.length) {
            buffer.put(at, SOME, 0, Math.min(SOME.length, length - at));
        }
    }
}
