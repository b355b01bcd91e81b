package io.vxseal.plugin;

import com.fasterxml.jackson.core.JsonProcessingException;
import io.vxseal.journal.Event;
import java.util.List;

/** An event as operators' programs and the page read it. The components' names are documented. */
public record EventReply(long number, String time, String kind, String subject, String text) {
    static EventReply of(Event event) {
        return new EventReply(event.number(), event.time().toString(), event.kind().id(), event.subject(), event.text());
    }

    /** Returns events as a JSON list. */
    public static byte[] json(List<Event> events) {
        try {
            return Json.Own.MAPPER.writeValueAsBytes(events.stream().map(EventReply::of).toList());
        } catch (JsonProcessingException impossible) {
            throw new IllegalStateException(impossible);
        }
    }
}
