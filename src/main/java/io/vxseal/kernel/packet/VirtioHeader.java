package io.vxseal.kernel.packet;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The header in front of frames by which a packet socket and the kernel tell each other whose work a frame's checksum is.
 *
 * <pre>{@code
 * struct virtio_net_hdr {           // linux/virtio_net.h
 *     __u8 flags;                   // 0
 *     __u8 gso_type;                // 1
 *     __virtio16 hdr_len;           // 2
 *     __virtio16 gso_size;          // 4
 *     __virtio16 csum_start;        // 6
 *     __virtio16 csum_offset;       // 8
 * };                                // 10
 * }</pre>
 */
final class VirtioHeader {
    private static final byte VIRTIO_NET_HDR_F_NEEDS_CSUM = 1;
    private static final int FLAGS = 0;
    private static final int CSUM_START = 6;
    private static final int CSUM_OFFSET = 8;
    static final int LENGTH = 10;

    private VirtioHeader() {}

    /** Returns a frame behind a header that asks for nothing. */
    static byte[] complete(byte[] frame) {
        byte[] octets = new byte[LENGTH + frame.length];
        System.arraycopy(frame, 0, octets, LENGTH, frame.length);
        return octets;
    }

    /**
     * Returns a frame behind a header that leaves a checksum to whoever sends the frame: it covers all from {@code start} on, and goes
     * {@code offset} octets behind that, where the sum of the pseudo-header is.
     */
    static byte[] leavingChecksum(byte[] frame, int start, int offset) {
        // Of packet sockets the fields have the processor's order.
        return ByteBuffer.wrap(complete(frame)).order(ByteOrder.nativeOrder())
                .put(FLAGS, VIRTIO_NET_HDR_F_NEEDS_CSUM)
                .putShort(CSUM_START, (short) start)
                .putShort(CSUM_OFFSET, (short) offset)
                .array();
    }

    /** Returns the frame behind a header. */
    static ByteBuffer frame(ByteBuffer received) {
        int length = Math.max(0, received.limit() - LENGTH);
        return received.slice(received.limit() - length, length).order(ByteOrder.BIG_ENDIAN);
    }
}
