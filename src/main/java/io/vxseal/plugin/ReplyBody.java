package io.vxseal.plugin;

import com.fasterxml.jackson.core.JsonProcessingException;
import io.javalin.http.Context;

/** The body of a reply in Docker's form. */
final class ReplyBody {
    private static final String MEDIA_TYPE = "application/vnd.docker.plugins.v1.2+json";

    private ReplyBody() {}

    /** Writes a reply as JSON. */
    static void write(Context context, Object reply) throws JsonProcessingException {
        context.contentType(MEDIA_TYPE).result(Json.PROTOCOL.writeValueAsBytes(reply));
    }
}
