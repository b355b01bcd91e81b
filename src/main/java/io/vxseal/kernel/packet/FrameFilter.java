package io.vxseal.kernel.packet;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/**
 * A filter of a packet socket: the frames that have given values at given places, cut to a length (classic BPF).
 *
 * <pre>{@code
 * struct sock_filter {              // linux/filter.h
 *     __u16 code;                   // 0
 *     __u8 jt;                      // 2
 *     __u8 jf;                      // 3
 *     __u32 k;                      // 4
 * };                                // 8
 * }</pre>
 */
public final class FrameFilter {
    /** Loads from a place in the frame, in network byte order. */
    private static final short BPF_LD_B_ABS = 0x30;
    private static final short BPF_LD_H_ABS = 0x28;
    private static final short BPF_JMP_JEQ_K = 0x15;
    /** Returns the number of octets that the socket receives. */
    private static final short BPF_RET_K = 0x06;

    private static final int INSTRUCTION_LENGTH = 8;

    private final int length;
    private final List<Comparison> comparisons = new ArrayList<>();

    private record Comparison(int offset, int octets, int value) {}

    /** @param length to which frames are cut */
    FrameFilter(int length) {
        this.length = length;
    }

    /** Lets only those pass that have this value in one or two octets. */
    FrameFilter equal(int offset, int octets, int value) {
        comparisons.add(new Comparison(offset, octets, value));
        return this;
    }

    int instructions() {
        return 2 * comparisons.size() + 2;
    }

    /** Returns the program, which ends with a return for what passes, and one for what does not. */
    ByteBuffer program() {
        ByteBuffer program = ByteBuffer.allocateDirect(instructions() * INSTRUCTION_LENGTH).order(ByteOrder.nativeOrder());
        for (int n = 0; n < comparisons.size(); n++) {
            Comparison each = comparisons.get(n);
            put(program, each.octets == Byte.BYTES ? BPF_LD_B_ABS : BPF_LD_H_ABS, 0, each.offset);
            // To the last instruction, counted from the next one.
            put(program, BPF_JMP_JEQ_K, 2 * (comparisons.size() - n - 1) + 1, each.value);
        }
        put(program, BPF_RET_K, 0, length);
        put(program, BPF_RET_K, 0, 0);
        return program.flip();
    }

    private static void put(ByteBuffer program, short code, int otherwise, int k) {
        program.putShort(code).put((byte) 0).put((byte) otherwise).putInt(k);
    }
}
