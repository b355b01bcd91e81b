package io.vxseal.kernel.netlink;

import java.nio.ByteBuffer;

/**
 * Overwriting of memory with zeros, in large steps. Under the first compiler Arrays.fill() writes octet by octet, which would
 * take a fair part of the kernel's own time for a message.
 */
final class Zeros {
    private static final byte[] BLOCK = new byte[1 << 12];

    private Zeros() {}

    /** Overwrites the first {@code length} octets of the array. */
    static void over(byte[] octets, int length) {
        for (int at = 0; at < length; at += BLOCK.length) {
            System.arraycopy(BLOCK, 0, octets, at, Math.min(BLOCK.length, length - at));
        }
    }

    /** Overwrites the first {@code length} octets of the buffer. */
    static void over(ByteBuffer buffer, int length) {
        for (int at = 0; at < length; at += BLOCK.length) {
            buffer.put(at, BLOCK, 0, Math.min(BLOCK.length, length - at));
        }
    }
}
