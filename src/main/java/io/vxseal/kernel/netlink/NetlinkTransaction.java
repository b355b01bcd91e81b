package io.vxseal.kernel.netlink;

import io.vxseal.kernel.libc.LibC;
import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * Requests that the kernel carries out all together or not at all, as nf_tables does with what is between
 * NFNL_MSG_BATCH_BEGIN and NFNL_MSG_BATCH_END. They go to the kernel in one send, however many they are. The same object may be
 * sent to several sockets.
 */
public final class NetlinkTransaction {
    /** Octets for one message: the payload of its longest attribute has 16 bits for its length. */
    private static final int MAX_MESSAGE = 1 << 16;

    private static final int FIRST_SIZE = 1 << 12;

    private final byte[] scratch = new byte[MAX_MESSAGE];
    private final NetlinkMessage message = new NetlinkMessage(scratch);
    private byte[] octets = new byte[FIRST_SIZE];
    private int length;
    private int size;
    private boolean open;

    /** Begins the next request and ends the one before. Its sequence number is its index. */
    public NetlinkMessage add(int type, int flags) {
        end();
        open = true;
        return message.begin(0, type, flags | NetlinkMessage.NLM_F_REQUEST, size++);
    }

    private void end() {
        if (!open) {
            return;
        }
        open = false;
        int added = message.end();
        if (length + added > octets.length) {
            octets = Arrays.copyOf(octets, Math.max(2 * octets.length, length + added));
        }
        System.arraycopy(scratch, 0, octets, length, added);
        length += added;
        Zeros.over(scratch, added);
    }

    /** A copy outside of the heap, for one send. */
    record Request(ByteBuffer memory) {
        long address() {
            return LibC.address(memory);
        }

        int length() {
            return memory.capacity();
        }
    }

    /** Returns all requests in memory outside of the heap. */
    Request request() {
        end();
        return new Request(ByteBuffer.allocateDirect(length).put(0, octets, 0, length));
    }
}
