package io.vxseal.plugin;

import com.fasterxml.jackson.core.JsonProcessingException;
import io.javalin.http.ContentType;
import io.javalin.http.Context;
import io.javalin.http.sse.SseClient;
import io.vxseal.journal.Event;
import io.vxseal.journal.Journal;
import io.vxseal.overlay.Driver;
import io.vxseal.overlay.DriverException;
import java.time.Duration;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Answers to {@code GET /events}: the journal as a JSON list, or, for a client that accepts them, as server-sent events that go on until
 * the client ends the connection.
 */
record EventStream(Pending<Driver> driver) {
    private static final String MEDIA_TYPE = "text/event-stream";

    /** Name of the message with how many events a slow client missed. */
    private static final String MISSED = "missed";

    /** Time without an event after which a comment is sent: only what is sent shows that a client is gone. */
    private static final Duration HEARTBEAT = Duration.ofSeconds(10);

    private record Missed(long missed) {}

    void answer(Context context) throws DriverException {
        Journal journal = driver.get().journal();
        if (String.valueOf(context.header("Accept")).contains(MEDIA_TYPE)) {
            long seen = seen(context, journal);
            context.contentType(MEDIA_TYPE).header("Cache-Control", "no-cache");
            follow(new SseClient(context), journal, seen);
        } else {
            context.contentType(ContentType.APPLICATION_JSON)
                    .result(EventReply.json(journal.last()));
        }
    }

    /** Returns the number of the event after which a client wants all: the last that it has seen, or one before the newest. */
    private static long seen(Context context, Journal journal) {
        String last = context.header("Last-Event-ID");
        if (last != null) {
            // All events come after one of another process.
            String own = journal.id() + "-";
            return last.startsWith(own) ? number(last.substring(own.length())).orElse(0L) : 0;
        }
        return Math.max(0, journal.newest() - number(context.queryParam("last")).orElse(0L));
    }

    private static Optional<Long> number(@Nullable String text) {
        return Optional.ofNullable(text).filter(digits -> digits.matches("\\d{1,18}")).map(Long::valueOf);
    }

    /**
     * Sends events until the client is gone. It occupies the request's virtual thread: a handler that goes on after the request's end
     * would write to a response that is no longer there.
     */
    private static void follow(SseClient client, Journal journal, long from) {
        long seen = from;
        try {
            // The head goes out at once, so that a client sees that its request arrived.
            client.sendComment("");
            while (!client.terminated()) {
                Journal.Batch batch = journal.awaitAfter(seen, HEARTBEAT);
                if (batch.missed() > 0) {
                    client.sendEvent(MISSED, json(new Missed(batch.missed())));
                }
                for (Event event : batch.events()) {
                    client.sendEvent("event", json(EventReply.of(event)), journal.id() + "-" + event.number());
                    seen = event.number();
                }
                if (batch.events().isEmpty()) {
                    client.sendComment("");
                }
            }
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
        }
    }

    private static String json(Object value) {
        try {
            return Json.Own.MAPPER.writeValueAsString(value);
        } catch (JsonProcessingException impossible) {
            throw new IllegalStateException(impossible);
        }
    }
}
