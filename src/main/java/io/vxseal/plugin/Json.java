package io.vxseal.plugin;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;

/**
 * The protocol's JSON, and this program's own. Apart from the server, so that one can be loaded beside the other: each takes
 * a fifth of a start. What is null is left out.
 */
public final class Json {
    /** In the protocol's spelling. */
    static final ObjectMapper PROTOCOL = mapper().propertyNamingStrategy(new ProtocolNames()).build();

    private Json() {}

    /** In Java's spelling, which is what operators get. */
    static final class Own {
        static final ObjectMapper MAPPER = mapper().build();

        private Own() {}
    }

    private static JsonMapper.Builder mapper() {
        return JsonMapper.builder()
                .disable(MapperFeature.USE_ANNOTATIONS)
                .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
                .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
                .defaultPropertyInclusion(JsonInclude.Value.construct(JsonInclude.Include.NON_NULL, JsonInclude.Include.ALWAYS));
    }

    /** Loads what it takes to write an answer. */
    public static void practise() {
        try {
            PROTOCOL.writeValueAsBytes(new Replies.Capabilities("", "", true));
        } catch (JsonProcessingException impossible) {
            throw new IllegalStateException(impossible);
        }
    }
}
