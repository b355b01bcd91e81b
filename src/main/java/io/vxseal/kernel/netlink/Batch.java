package io.vxseal.kernel.netlink;

import java.nio.ByteBuffer;

/**
 * Requests that go to the kernel in one send. The kernel works through them in order, goes on after one that it refuses,
 * and says so; the last is answered in any case, which tells that all were dealt with. An acknowledgement for each would
 * be a datagram for it to make and for us to read.
 *
 * <p>Its size is bounded by the answers, not the requests: the kernel queues every refusal before the send returns and
 * drops what does not fit the receive buffer. One takes at most about 2.3 kB of it, so {@value #MAX_MESSAGES} fit even
 * the default of 212,992 octets, should raising that be refused. Larger ones gained nothing.
 */
public final class Batch {
    public static final int MAX_MESSAGES = 64;

    /** Octets, room for one message; the largest here, a link's or a state's, stays under half of it. */
    private static final int MAX_MESSAGE = 1024;

    public static final int MAX_OCTETS = MAX_MESSAGES * MAX_MESSAGE;

    private final byte[] octets = new byte[MAX_OCTETS];
    private int length;
    private int size;
    /** The request that may still be written to: one after the other, the same object. */
    private final NetlinkMessage open = new NetlinkMessage(octets);

    /** Starts the next request, which ends the one before; its sequence number is its place in the batch. */
    public NetlinkMessage add(int type, int flags) {
        if (isFull()) {
            throw new IllegalStateException("a batch takes " + MAX_MESSAGES + " messages");
        }
        end();
        return open.begin(length, type, flags | NetlinkMessage.NLM_F_REQUEST, size++);
    }

    /** Has the kernel pass over the request written last: it is answered, and nothing done. */
    public void passOver() {
        open.passedOver();
    }

    private void end() {
        if (size > 0) {
            length = open.end();
        }
    }

    public boolean isFull() {
        return size == MAX_MESSAGES;
    }

    public int size() {
        return size;
    }

    /**
     * Moves all requests to the beginning of the buffer, and is empty then.
     *
     * @return their length, octets
     */
    public int moveTo(ByteBuffer buffer) {
        if (size > 0) {
            open.acknowledged();
        }
        end();
        int moved = length;
        buffer.put(0, octets, 0, moved);
        clear();
        return moved;
    }

    /** Empties the batch and overwrites what was in it: states carry keys, and messages begin with zeros. */
    public void clear() {
        end();
        Zeros.over(octets, length);
        length = 0;
        size = 0;
    }
}
