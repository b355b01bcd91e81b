package io.vxseal.plugin;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonMappingException;
import io.javalin.http.Context;
import io.javalin.http.HttpStatus;
import java.io.IOException;
import java.io.InputStream;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The body of a request. */
final class RequestBody {
    private static final Logger log = LoggerFactory.getLogger(RequestBody.class);

    private static final int MAX_BODY = 1 << 20;

    private RequestBody() {}

    /** Reads a request from JSON. */
    static <Q> Q read(Context context, Class<Q> type) throws BadRequest, IOException {
        byte[] body;
        try (InputStream in = context.bodyInputStream()) {
            body = in.readNBytes(MAX_BODY + 1);
        }
        if (body.length > MAX_BODY) {
            throw new BadRequest(HttpStatus.CONTENT_TOO_LARGE, "request body is over 1 MiB");
        }
        if (body.length == 0) {
            // Engines do that to a call whose connection broke (moby #39331).
            throw new BadRequest(
                    HttpStatus.BAD_REQUEST, "the request has no body, as when the engine repeats a call that was interrupted: call again");
        }
        try {
            Q request = Json.PROTOCOL.readValue(body, type);
            if (request == null) {
                throw new BadRequest(HttpStatus.BAD_REQUEST, "request body \"null\": want a JSON object");
            }
            return request;
        } catch (JsonMappingException wrong) {
            throw new BadRequest(HttpStatus.BAD_REQUEST, "invalid %s: %s".formatted(field(wrong), reason(wrong)));
        } catch (JsonProcessingException malformed) {
            throw new BadRequest(
                    HttpStatus.BAD_REQUEST, "malformed JSON in the request body: " + malformed.getOriginalMessage());
        }
    }

    private static String field(JsonMappingException wrong) {
        String path = wrong.getPath().stream()
                .map(step -> step.getFieldName() == null ? "[" + step.getIndex() + "]" : step.getFieldName())
                .collect(Collectors.joining("."));
        return path.isEmpty() ? "request body" : path;
    }

    private static String reason(JsonMappingException wrong) {
        // Jackson's message contains the value, and a key must not be shown.
        String field = field(wrong);
        return field.contains("Key") || field.contains("Prim") || field.contains("Prune")
                ? "want base64 of a key or a tag of 32 bits"
                : wrong.getOriginalMessage();
    }

    /** Reads and discards a body. A connection that is closed with unread data is reset, and the answer is lost. */
    static void discard(Context context) {
        try (InputStream in = context.bodyInputStream()) {
            in.readNBytes(MAX_BODY);
        } catch (IOException gone) {
            log.debug("{}: {}", context.path(), gone.getMessage());
        }
    }
}
