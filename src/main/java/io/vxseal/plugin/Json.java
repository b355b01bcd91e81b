package io.vxseal.plugin;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;

/**
 * JSON of the protocol and of this program's own replies. Null values are omitted.
 *
 * <p>Apart from the server, so that both can be loaded in parallel: each takes a fifth of a start.
 */
public final class Json {
    /** Writes names as the protocol spells them. */
    static final ObjectMapper PROTOCOL = mapper().propertyNamingStrategy(new ProtocolNames()).build();

    private Json() {}

    /** Mapper that writes names as Java spells them, for operators. */
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

    /** Loads the classes that writing a reply needs. */
    public static void preload() {
        try {
            PROTOCOL.writeValueAsBytes(new Replies.Capabilities("", "", true));
        } catch (JsonProcessingException impossible) {
            throw new IllegalStateException(impossible);
        }
    }
}
