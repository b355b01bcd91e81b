package io.vxseal.cluster.link;

import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Queue;
import org.jspecify.annotations.Nullable;

/** Messages that wait to be written to one session, bounded in number and octets. Not thread-safe. */
final class OutgoingQueue {
    /** A TLS record's worth: smaller messages are written together, larger ones without a copy. */
    private static final int BATCH_OCTETS = 16 << 10;

    private final int maxOctets;
    private final int maxMessages;
    private final MemoryBudget budget;
    private final Queue<byte[]> messages = new ArrayDeque<>();
    private int octets;

    /** Octets that were taken out and are being written. */
    private int inFlight;

    /** The payload that follows a header written alone. */
    private @Nullable ByteBuffer rest;

    private boolean refused;

    OutgoingQueue(int maxOctets, int maxMessages, MemoryBudget budget) {
        this.maxOctets = maxOctets;
        this.maxMessages = maxMessages;
        this.budget = budget;
    }

    /** Adds a message unless the queue is full; an empty queue has room for one of any size that the budget has. */
    boolean offer(byte[] message) {
        int size = message.length + Frame.HEADER;
        boolean empty = octets == 0;
        if (!empty && (messages.size() >= maxMessages || octets + size > maxOctets) || !budget.tryReserve(size, octets)) {
            refused = true;
            return false;
        }
        messages.add(message);
        octets += size;
        return true;
    }

    /** Returns the next octets to write, until none are left: null. What it returned before is taken as written. */
    @Nullable ByteBuffer next() {
        if (rest != null) {
            ByteBuffer next = rest;
            rest = null;
            return next;
        }
        written();
        byte[] first = messages.peek();
        if (first == null) {
            return null;
        }
        if (first.length + Frame.HEADER > BATCH_OCTETS) {
            messages.remove();
            inFlight = first.length + Frame.HEADER;
            rest = ByteBuffer.wrap(first);
            ByteBuffer header = ByteBuffer.allocate(Frame.HEADER);
            Frame.putHeader(header, Frame.MESSAGE, first.length);
            return header.flip();
        }
        return batch();
    }

    private ByteBuffer batch() {
        int size = 0;
        int count = 0;
        for (byte[] message : messages) {
            if (size + message.length + Frame.HEADER > BATCH_OCTETS) {
                break;
            }
            size += message.length + Frame.HEADER;
            count++;
        }
        ByteBuffer batch = ByteBuffer.allocate(size);
        for (int i = 0; i < count; i++) {
            byte[] message = messages.remove();
            Frame.putHeader(batch, Frame.MESSAGE, message.length);
            batch.put(message);
        }
        inFlight = size;
        return batch.flip();
    }

    private void written() {
        if (inFlight > 0) {
            octets -= inFlight;
            budget.release(inFlight);
            inFlight = 0;
        }
    }

    /** Returns once, after a refusal, that half of the queue is free. */
    boolean takeDrained() {
        if (!refused || octets > maxOctets / 2 || messages.size() > maxMessages / 2) {
            return false;
        }
        refused = false;
        return true;
    }

    /** Returns whether nothing is queued or being written. */
    boolean isEmpty() {
        return octets == 0;
    }

    /** Drops all messages, and returns whether what was written so far ends with a whole frame. */
    boolean clear() {
        boolean whole = rest == null;
        messages.clear();
        rest = null;
        inFlight = 0;
        refused = false;
        budget.release(octets);
        octets = 0;
        return whole;
    }
}
