package io.vxseal.cluster.link;

import io.vxseal.cluster.refusal.Refusal;
import io.vxseal.cluster.refusal.RefusedException;
import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * Decoder of {@link Frame}s. A length is checked before memory is taken, and memory grows with what has arrived, not with
 * what was announced. Not thread-safe.
 */
final class FrameReader {
    private static final int FIRST_OCTETS = 4096;
    private static final byte[] NOTHING = new byte[0];

    /** Receives the frames. */
    interface Receiver {
        /**
         * Takes a frame.
         *
         * @param octets of the whole frame
         * @param payload empty if the type is unknown
         */
        void frame(int type, int octets, byte[] payload) throws RefusedException;
    }

    private final int maxOctets;
    private final MemoryBudget budget;

    private int header;
    private int headerOctets;
    private byte[] payload = NOTHING;
    private int payloadOctets;

    /** Octets of {@link #payload} that are reserved in the budget. */
    private int reserved;

    /**
     * Reads a stream from its start.
     *
     * @param maxOctets largest payload
     * @param budget of the incomplete messages of all sessions
     */
    FrameReader(int maxOctets, MemoryBudget budget) {
        this.maxOctets = maxOctets;
        this.budget = budget;
    }

    /** Reads all of the buffer and hands on each frame that is complete. */
    void read(ByteBuffer octets, Receiver receiver) throws RefusedException {
        while (octets.hasRemaining() || isWhole()) {
            if (headerOctets < Frame.HEADER) {
                header = header << 8 | octets.get() & 0xFF;
                if (++headerOctets == Frame.HEADER) {
                    check();
                }
            } else if (isWhole()) {
                byte[] whole = payload;
                int frame = header;
                reset();
                receiver.frame(Frame.type(frame), Frame.HEADER + Frame.length(frame), whole);
            } else {
                collect(octets);
            }
        }
    }

    /** Gives back what an incomplete frame holds. */
    void release() {
        reset();
    }

    private void check() throws RefusedException {
        int length = Frame.length(header);
        int type = Frame.type(header);
        int most = Frame.maxOctets(type, maxOctets);
        if (length > most) {
            throw new RefusedException(Refusal.FRAME, "frame of type %d and %d octets, at most %d are allowed".formatted(type, length, most));
        }
    }

    private boolean isWhole() {
        return headerOctets == Frame.HEADER && payloadOctets == Frame.length(header);
    }

    private void collect(ByteBuffer octets) throws RefusedException {
        int take = Math.min(octets.remaining(), Frame.length(header) - payloadOctets);
        if (!Frame.isKnown(Frame.type(header))) {
            octets.position(octets.position() + take);
        } else {
            grow(payloadOctets + take);
            octets.get(payload, payloadOctets, take);
        }
        payloadOctets += take;
    }

    private void grow(int needed) throws RefusedException {
        if (payload.length >= needed) {
            return;
        }
        int length = Frame.length(header);
        int size = needed == length ? length : Math.min(length, Math.max(FIRST_OCTETS, Integer.highestOneBit(needed) * 2));
        if (!budget.tryReserve(size - reserved, reserved)) {
            throw new RefusedException(Refusal.MEMORY, "message of %d octets".formatted(length));
        }
        reserved = size;
        payload = Arrays.copyOf(payload, size);
    }

    private void reset() {
        header = 0;
        headerOctets = 0;
        payload = NOTHING;
        payloadOctets = 0;
        if (reserved > 0) {
            budget.release(reserved);
            reserved = 0;
        }
    }
}
