package io.vxseal.cluster.link;

import io.vxseal.text.Line;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.OptionalLong;

/**
 * Framing of messages inside the body of a session's request and response: an octet with the type, three with the length,
 * the payload. A receiver skips types that it does not know.
 */
final class Frame {
    static final int HEADER = 4;

    /** The payload is a message. */
    static final int MESSAGE = 0;

    /** Shows that the sender lives; no payload. */
    static final int KEEP_ALIVE = 1;

    /** The last frame; the payload is the reason in UTF-8. */
    static final int CLOSE = 2;

    /** The payload is the sender's wall clock, epoch milliseconds in eight octets. */
    static final int CLOCK = 3;

    private static final int LAST_KNOWN = CLOCK;

    private static final int MAX_REASON = 200;

    private Frame() {}

    /** Writes a header. */
    static void putHeader(ByteBuffer to, int type, int length) {
        to.putInt(type << 24 | length);
    }

    static int type(int header) {
        return header >>> 24;
    }

    static int length(int header) {
        return header & 0xFFFFFF;
    }

    /** Returns whether a receiver takes frames of this type, and does not skip them. */
    static boolean isKnown(int type) {
        return type <= LAST_KNOWN;
    }

    /** Returns the longest payload of a type. */
    static int maxOctets(int type, int messageOctets) {
        return switch (type) {
            case KEEP_ALIVE -> 0;
            case CLOCK -> Long.BYTES;
            default -> messageOctets;
        };
    }

    /**
     * Returns two frames, a keep-alive and the clock: receivers without the second take the first.
     *
     * @param wallClock epoch milliseconds
     */
    static ByteBuffer keepAlive(long wallClock) {
        ByteBuffer frames = ByteBuffer.allocate(HEADER + HEADER + Long.BYTES);
        putHeader(frames, KEEP_ALIVE, 0);
        putHeader(frames, CLOCK, Long.BYTES);
        return frames.putLong(wallClock).flip();
    }

    /** Returns the wall clock in a frame's payload, epoch milliseconds; empty if it is too short. */
    static OptionalLong wallClock(byte[] payload) {
        return payload.length < Long.BYTES ? OptionalLong.empty() : OptionalLong.of(ByteBuffer.wrap(payload).getLong());
    }

    static ByteBuffer close(String reason) {
        byte[] text = reason.substring(0, Math.min(reason.length(), MAX_REASON)).getBytes(StandardCharsets.UTF_8);
        return of(CLOSE, text);
    }

    /** Returns the reason of a close frame, without what could forge log lines. */
    static String reason(byte[] payload) {
        String text = Line.visible(new String(payload, StandardCharsets.UTF_8));
        return text.substring(0, Math.min(text.length(), MAX_REASON));
    }

    private static ByteBuffer of(int type, byte[] payload) {
        ByteBuffer frame = ByteBuffer.allocate(HEADER + payload.length);
        putHeader(frame, type, payload.length);
        return frame.put(payload).flip();
    }
}
