package io.vxseal.kernel.netlink;

import java.nio.ByteBuffer;

/**
 * Requests that go to the kernel in one send. The kernel processes them in order, continues after one that it refuses, and
 * answers that one. Only the last asks for an acknowledgement, which confirms that all were processed: each
 * acknowledgement is a datagram for the kernel to make and for us to read.
 *
 * <p>The answers limit the size, not the requests: the kernel queues every refusal before the send returns and drops what
 * does not fit the receive buffer. A refusal takes at most about 2.3 kB of it, so {@value #MAX_MESSAGES} fit even
 * the default buffer of 212,992 octets. Larger batches gained nothing.
 */
public final class Batch {
    public static final int MAX_MESSAGES = 64;

    /** Octets for one message; the largest here, a link's or a state's, take less than half. */
    private static final int MAX_MESSAGE = 1024;

    static final int MAX_OCTETS = MAX_MESSAGES * MAX_MESSAGE;

    private final byte[] octets = new byte[MAX_OCTETS];
    private int length;
    private int size;

    /** The last request, which may still be written to. The same object serves all requests in turn. */
    private final NetlinkMessage last = new NetlinkMessage(octets);

    /** Begins the next request and ends the one before. Its sequence number is its index in the batch. */
    public NetlinkMessage add(int type, int flags) {
        if (isFull()) {
            throw new IllegalStateException("a batch takes " + MAX_MESSAGES + " messages");
        }
        end();
        return last.begin(length, type, flags | NetlinkMessage.NLM_F_REQUEST, size++);
    }

    private void end() {
        if (size > 0) {
            length = last.end();
        }
    }

    boolean isFull() {
        return size == MAX_MESSAGES;
    }

    int size() {
        return size;
    }

    /**
     * Moves all requests to the start of the buffer and empties the batch.
     *
     * @return their length in octets
     */
    int moveTo(ByteBuffer buffer) {
        if (size > 0) {
            last.requestAcknowledgement();
        }
        end();
        int moved = length;
        buffer.put(0, octets, 0, moved);
        clear();
        return moved;
    }

    /** Empties the batch and overwrites it: states carry keys, and a message begins on zeros. */
    void clear() {
        end();
        Zeros.over(octets, length);
        length = 0;
        size = 0;
    }
}
