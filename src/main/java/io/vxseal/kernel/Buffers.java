package io.vxseal.kernel;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.concurrent.ConcurrentLinkedDeque;
import jnr.ffi.Pointer;

/**
 * Memory for one exchange with the kernel over netlink, outside the heap: a batch of requests, and room for what comes
 * back. There are as many as exchanges go on at once, not as sockets: every network has a socket.
 */
final class Buffers {
    /** Octets; the kernel fills at most 32 KiB in a dump's part. */
    static final int RECEIVED = 1 << 16;

    /** Octets: an acknowledgement with the kernel's words on what was wrong. What is longer loses its end. */
    private static final int ANSWER = 512;

    // sys/socket.h on 64 bits: iovec, msghdr, mmsghdr
    private static final int IOVEC_LENGTH = 16;
    private static final int MSGHDR_IOV = 16;
    private static final int MSGHDR_IOVLEN = 24;
    private static final int MMSGHDR_LEN = 56;
    private static final int MMSGHDR_LENGTH = 64;

    private static final byte[] ZEROS = new byte[1 << 12];

    private static final ConcurrentLinkedDeque<Buffers> idle = new ConcurrentLinkedDeque<>();

    final Batch batch = new Batch();

    private final ByteBuffer sent = direct(Batch.MAX_OCTETS);

    /** The batch as {@link #load} left it. */
    final Pointer request = Pointer.wrap(LibC.RUNTIME, sent);

    /** One datagram at a time, of any length; or, for {@link #answers}, a short one every {@value #ANSWER} octets. */
    final ByteBuffer received = direct(RECEIVED);

    final Pointer receivedMemory = Pointer.wrap(LibC.RUNTIME, received);

    /** Where recvmmsg(2) puts one answer for each request of a batch. */
    final Pointer answers;

    private int loaded;

    private final ByteBuffer headers = direct(Batch.MAX_MESSAGES * MMSGHDR_LENGTH);
    private final ByteBuffer vectors = direct(Batch.MAX_MESSAGES * IOVEC_LENGTH);

    private Buffers() {
        answers = Pointer.wrap(LibC.RUNTIME, headers);
        long octets = receivedMemory.address();
        long vector = Pointer.wrap(LibC.RUNTIME, vectors).address();
        for (int i = 0; i < Batch.MAX_MESSAGES; i++) {
            vectors.putLong(i * IOVEC_LENGTH, octets + (long) i * ANSWER).putLong(i * IOVEC_LENGTH + 8, ANSWER);
            headers.putLong(i * MMSGHDR_LENGTH + MSGHDR_IOV, vector + (long) i * IOVEC_LENGTH)
                    .putLong(i * MMSGHDR_LENGTH + MSGHDR_IOVLEN, 1);
        }
    }

    /** Buffers that nobody else has, until they are {@linkplain #giveBack given back}. */
    static Buffers take() {
        Buffers free = idle.poll();
        return free == null ? new Buffers() : free;
    }

    /** For others to take; nothing of the requests is in them. */
    void giveBack() {
        unload();
        idle.push(this);
    }

    /**
     * Gets the batch ready to be sent.
     *
     * @return its length, octets
     */
    int load() {
        loaded = batch.copyTo(sent);
        return loaded;
    }

    /** Empties the batch and overwrites it: states carry keys. */
    void unload() {
        batch.clear();
        wipe(sent, loaded);
        loaded = 0;
    }

    /** Where in {@link #received} the n-th of the {@link #answers} begins. */
    static int answer(int n) {
        return n * ANSWER;
    }

    /** Octets that are there of the n-th of the {@link #answers}. */
    int answerLength(int n) {
        return Math.min(headers.getInt(n * MMSGHDR_LENGTH + MMSGHDR_LEN), ANSWER);
    }

    /** Overwrites what a list of states left. */
    void wipeReceived() {
        wipe(received, RECEIVED);
    }

    /** In large steps: one octet after the other would take as long as the kernel's work, before it is compiled. */
    static void wipe(ByteBuffer buffer, int length) {
        for (int at = 0; at < length; at += ZEROS.length) {
            buffer.put(at, ZEROS, 0, Math.min(ZEROS.length, length - at));
        }
    }

    static ByteBuffer direct(int octets) {
        return ByteBuffer.allocateDirect(octets).order(ByteOrder.nativeOrder());
    }
}
