package io.vxseal.kernel.libc;

import io.vxseal.kernel.netlink.Batch;
import io.vxseal.kernel.netlink.Zeros;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.concurrent.ConcurrentLinkedDeque;

/**
 * Memory for one exchange with the kernel over netlink, outside the heap: a batch of requests, and room for what comes
 * back. There are as many as exchanges go on at once, not as sockets: every network has a socket.
 */
public final class Buffers {
    /** Octets; the kernel fills at most 32 KiB in a dump's part. */
    public static final int RECEIVED = 1 << 16;

    /** Octets: an acknowledgement with the kernel's words on what was wrong. What is longer loses its end. */
    private static final int ANSWER = 512;

    // sys/socket.h on 64 bits: iovec, msghdr, mmsghdr
    private static final int IOVEC_LENGTH = 16;
    private static final int MSGHDR_IOV = 16;
    private static final int MSGHDR_IOVLEN = 24;
    private static final int MMSGHDR_LEN = 56;
    private static final int MMSGHDR_LENGTH = 64;

    private static final ConcurrentLinkedDeque<Buffers> idle = new ConcurrentLinkedDeque<>();

    public final Batch batch = new Batch();

    private final ByteBuffer sent = direct(Batch.MAX_OCTETS);

    /** The batch as {@link #load} left it. */
    public final long request = LibC.address(sent);

    /** One datagram at a time, of any length; or, for {@link #answers}, a short one every {@value #ANSWER} octets. */
    public final ByteBuffer received = direct(RECEIVED);

    public final long receivedMemory = LibC.address(received);

    /** Where recvmmsg(2) puts one answer for each request of a batch. */
    public final long answers;

    /** So much of what was sent may still be there, octets. */
    private int loaded;

    private final ByteBuffer headers = direct(Batch.MAX_MESSAGES * MMSGHDR_LENGTH);
    private final ByteBuffer vectors = direct(Batch.MAX_MESSAGES * IOVEC_LENGTH);

    private Buffers() {
        answers = LibC.address(headers);
        long vector = LibC.address(vectors);
        for (int i = 0; i < Batch.MAX_MESSAGES; i++) {
            vectors.putLong(i * IOVEC_LENGTH, receivedMemory + (long) i * ANSWER).putLong(i * IOVEC_LENGTH + 8, ANSWER);
            headers.putLong(i * MMSGHDR_LENGTH + MSGHDR_IOV, vector + (long) i * IOVEC_LENGTH)
                    .putLong(i * MMSGHDR_LENGTH + MSGHDR_IOVLEN, 1);
        }
    }

    /** Buffers that nobody else has, until they are {@linkplain #giveBack given back}. */
    public static Buffers take() {
        Buffers free = idle.poll();
        return free == null ? new Buffers() : free;
    }

    /** For others to take; nothing of the requests is in them: states carry keys. */
    public void giveBack() {
        batch.clear();
        Zeros.over(sent, loaded);
        loaded = 0;
        idle.push(this);
    }

    /**
     * Gets what is in the batch ready to be sent, and the batch for the next.
     *
     * @return its length, octets
     */
    public int load() {
        int length = batch.moveTo(sent);
        loaded = Math.max(loaded, length);
        return length;
    }

    /** Where in {@link #received} the n-th of the {@link #answers} begins. */
    public static int answer(int n) {
        return n * ANSWER;
    }

    /** Octets that are there of the n-th of the {@link #answers}. */
    public int answerLength(int n) {
        return Math.min(headers.getInt(n * MMSGHDR_LENGTH + MMSGHDR_LEN), ANSWER);
    }

    /** Overwrites what a list of states left. */
    public void wipeReceived() {
        Zeros.over(received, RECEIVED);
    }

    public static ByteBuffer direct(int octets) {
        return ByteBuffer.allocateDirect(octets).order(ByteOrder.nativeOrder());
    }
}
