package io.vxseal.page;

import io.vxseal.journal.Event;
import io.vxseal.journal.Journal;
import io.vxseal.metrics.Recent;
import io.vxseal.plugin.EventReply;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Semaphore;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.io.Content;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.BufferUtil;
import org.eclipse.jetty.util.Callback;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Streams of server-sent events that keep pages current: {@code history}, the last events of the journal, which replace those that a page
 * has; {@code events}, later ones; {@code state}, what the page shows beside them.
 *
 * <p>A stream is a virtual thread that waits for the journal. All streams share one state, so many of them read the kernel as often as one.
 */
final class LiveStreams {
    private static final Logger log = LoggerFactory.getLogger(LiveStreams.class);

    /** Streams at one time. */
    static final int MAX_STREAMS = 16;

    /** Events that a page gets first. */
    static final int HISTORY = 200;

    /** Time without an event after which the state is sent again. */
    private static final Duration INTERVAL = Duration.ofSeconds(4);

    /** Age at which a stream ends, and a page that is still there opens another: so one to nobody does not last. */
    private static final Duration MAX_AGE = Duration.ofMinutes(10);

    private final Recent state;
    private final Journal journal;
    private final Semaphore free = new Semaphore(MAX_STREAMS);
    private volatile boolean closed;

    LiveStreams(Recent state, Journal journal) {
        this.state = state;
        this.journal = journal;
    }

    /** Begins to answer with a stream; returns false, having written nothing, if there are too many. */
    boolean open(Response response, Callback callback) {
        if (!free.tryAcquire()) {
            return false;
        }
        response.getHeaders().put(HttpHeader.CONTENT_TYPE, "text/event-stream; charset=utf-8");
        Thread.ofVirtual().name("vxseal-page").start(() -> {
            try {
                follow(response);
                response.write(true, BufferUtil.EMPTY_BUFFER, callback);
            } catch (Throwable end) {
                // A client that is gone is no failure; that of the state is logged.
                callback.failed(end);
            } finally {
                free.release();
            }
        });
        return true;
    }

    /** Ends the streams, within seconds. From now on the state may fail, because what it comes from is being closed. */
    void close() {
        closed = true;
    }

    private void follow(Response response) throws IOException, InterruptedException {
        long end = System.nanoTime() + MAX_AGE.toNanos();
        long seen = sendHistory(response);
        send(response, "state", state());
        while (!closed && System.nanoTime() < end) {
            journal.awaitAfter(seen, INTERVAL);
            // Events often come together. After this pause the state is one that was made after them, see Recent.
            Thread.sleep(Recent.FRESH);
            Journal.Batch batch = journal.awaitAfter(seen, Duration.ZERO);
            if (batch.missed() > 0) {
                seen = sendHistory(response);
            } else if (!batch.events().isEmpty()) {
                send(response, "events", EventReply.json(batch.events()));
                seen = batch.events().getLast().number();
            }
            send(response, "state", state());
        }
    }

    /** Sends the last events, and returns the number of the newest. */
    private long sendHistory(Response response) throws IOException {
        List<Event> all = journal.last();
        send(response, "history", EventReply.json(all.subList(Math.max(0, all.size() - HISTORY), all.size())));
        return all.isEmpty() ? 0 : all.getLast().number();
    }

    private byte[] state() throws IOException {
        try {
            return state.call();
        } catch (Exception | Error failure) {
            if (!closed) {
                log.error("the page's view of this node failed", failure);
            }
            throw new IOException(failure);
        }
    }

    /** Sends a message, JSON on one line, and waits until the connection has taken it. */
    private static void send(Response response, String event, byte[] json) throws IOException {
        ByteArrayOutputStream message = new ByteArrayOutputStream(json.length + 32);
        message.writeBytes(("event: " + event + "\ndata: ").getBytes(StandardCharsets.US_ASCII));
        message.writeBytes(json);
        message.writeBytes("\n\n".getBytes(StandardCharsets.US_ASCII));
        Content.Sink.write(response, false, ByteBuffer.wrap(message.toByteArray()));
    }
}
