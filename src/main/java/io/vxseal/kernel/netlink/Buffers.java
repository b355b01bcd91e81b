package io.vxseal.kernel.netlink;

import io.vxseal.kernel.libc.LibC;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.concurrent.ConcurrentLinkedDeque;

/**
 * Memory for one exchange with the kernel over netlink, outside the heap: a batch of requests, and space for the answers.
 * There are as many as there are concurrent exchanges, not sockets: each network has a socket.
 */
final class Buffers {
    /** Size of the receive buffer in octets; the kernel fills at most 32 KiB in one part of a dump. */
    static final int RECEIVED = 1 << 16;

    /** Octets for one answer, an acknowledgement with the kernel's explanation. A longer one is cut. */
    private static final int ANSWER = 512;

    /*
     * struct iovec {               // bits/types/struct_iovec.h, 64 bits
     *     void *iov_base;          //  0
     *     size_t iov_len;          //  8
     * };                           // 16
     *
     * struct mmsghdr {             // bits/socket.h, 64 bits
     *     struct msghdr {
     *         void *msg_name;      //  0
     *         socklen_t msg_namelen;   // 8
     *         struct iovec *msg_iov;   // 16
     *         size_t msg_iovlen;   // 24
     *         void *msg_control;   // 32
     *         size_t msg_controllen;   // 40
     *         int msg_flags;       // 48
     *     } msg_hdr;
     *     unsigned int msg_len;    // 56: octets received
     * };                           // 64
     */
    private static final int IOV_BASE = 0;
    private static final int IOV_LEN = 8;
    private static final int IOVEC_LENGTH = 16;
    private static final int MSG_IOV = 16;
    private static final int MSG_IOVLEN = 24;
    private static final int MSG_LEN = 56;
    private static final int MMSGHDR_LENGTH = 64;

    private static final ConcurrentLinkedDeque<Buffers> idle = new ConcurrentLinkedDeque<>();

    final Batch batch = new Batch();

    private final ByteBuffer sent = direct(Batch.MAX_OCTETS);

    /** Address of the batch after {@link #load}. */
    final long request = LibC.address(sent);

    /** One datagram of any length; or, for {@link #answers}, a short one every {@value #ANSWER} octets. */
    final ByteBuffer received = direct(RECEIVED);

    final long receivedMemory = LibC.address(received);

    /** Address of the mmsghdr with which recvmmsg(2) receives one answer for each request of a batch. */
    final long answers;

    /** Octets of {@link #sent} that may contain requests. */
    private int loaded;

    private final ByteBuffer headers = direct(Batch.MAX_MESSAGES * MMSGHDR_LENGTH);
    private final ByteBuffer vectors = direct(Batch.MAX_MESSAGES * IOVEC_LENGTH);

    private Buffers() {
        answers = LibC.address(headers);
        long vector = LibC.address(vectors);
        for (int i = 0; i < Batch.MAX_MESSAGES; i++) {
            vectors.putLong(i * IOVEC_LENGTH + IOV_BASE, receivedMemory + answer(i))
                    .putLong(i * IOVEC_LENGTH + IOV_LEN, ANSWER);
            headers.putLong(i * MMSGHDR_LENGTH + MSG_IOV, vector + (long) i * IOVEC_LENGTH)
                    .putLong(i * MMSGHDR_LENGTH + MSG_IOVLEN, 1);
        }
    }

    /** Returns buffers for the caller alone, until {@link #giveBack}. */
    static Buffers take() {
        Buffers free = idle.poll();
        return free == null ? new Buffers() : free;
    }

    /** Makes the buffers available to others. Requests are overwritten first, because states carry keys. */
    void giveBack() {
        batch.clear();
        Zeros.over(sent, loaded);
        loaded = 0;
        idle.push(this);
    }

    /**
     * Moves the batch to {@link #request}, ready to be sent, and empties it.
     *
     * @return its length in octets
     */
    int load() {
        int length = batch.moveTo(sent);
        loaded = Math.max(loaded, length);
        return length;
    }

    /** Returns the offset in {@link #received} of the n-th answer. */
    static int answer(int n) {
        return n * ANSWER;
    }

    /** Returns the octets present of the n-th answer. */
    int answerLength(int n) {
        return Math.min(headers.getInt(n * MMSGHDR_LENGTH + MSG_LEN), ANSWER);
    }

    /** Overwrites received datagrams. */
    void wipeReceived() {
        Zeros.over(received, RECEIVED);
    }

    private static ByteBuffer direct(int octets) {
        return ByteBuffer.allocateDirect(octets).order(ByteOrder.nativeOrder());
    }
}
