package io.vxseal.cluster.link;

import io.vxseal.text.Line;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

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

    static ByteBuffer keepAlive() {
        return of(KEEP_ALIVE, new byte[0]);
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
