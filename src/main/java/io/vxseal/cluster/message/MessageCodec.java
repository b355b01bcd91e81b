package io.vxseal.cluster.message;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.SerializableString;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.exc.StreamConstraintsException;
import com.fasterxml.jackson.core.io.SerializedString;
import com.fasterxml.jackson.databind.DeserializationContext;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.ObjectWriter;
import com.fasterxml.jackson.databind.SerializerProvider;
import com.fasterxml.jackson.databind.deser.std.StdScalarDeserializer;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.module.SimpleModule;
import com.fasterxml.jackson.databind.ser.std.StdScalarSerializer;
import com.fasterxml.jackson.databind.ser.std.StdSerializer;
import io.vxseal.address.Cidr;
import io.vxseal.address.IpAddress;
import io.vxseal.address.MacAddress;
import io.vxseal.cluster.record.NodeRecord;
import io.vxseal.cluster.refusal.Refusal;
import io.vxseal.cluster.refusal.RefusedException;
import java.io.IOException;
import java.net.InetAddress;
import java.util.Optional;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * A message's octets: a JSON object with one field, which names the kind and holds the message.
 *
 * <p>The caller has checked the number of octets. What is read from them takes memory in proportion: JSON announces no lengths,
 * and numbers, names, texts, depth and the count of all of them are bounded.
 */
public final class MessageCodec {
    private static final int DEEPEST = 16;
    private static final int LONGEST_NUMBER = 20;
    private static final int LONGEST_NAME = 64;
    /** Beyond those of the largest message that a hub sends: 8 octets or more of a record make a token. */
    private static final long MOST_TOKENS = 100_000;
    /** Of a ring in base64. */
    private static final int LONGEST_TEXT = Message.Ring.LIMIT * 4 / 3 + 4;

    private static final JsonMapper JSON = mapper().build();
    private static final ObjectReader READER = JSON.readerFor(Envelope.class);
    private static final ObjectWriter RECORD_WRITER = JSON.writerFor(NodeRecord.class);
    private static final ObjectWriter WRITER = mapper()
            .addModule(new SimpleModule("records").addSerializer(NodeRecord.class, new RecordSerializer()))
            .build()
            .writerFor(Envelope.class);

    private MessageCodec() {}

    private static JsonMapper.Builder mapper() {
        return JsonMapper.builder(JsonFactory.builder()
                    .streamReadConstraints(StreamReadConstraints.builder()
                            .maxNestingDepth(DEEPEST)
                            .maxTokenCount(MOST_TOKENS)
                            .maxNumberLength(LONGEST_NUMBER)
                            .maxNameLength(LONGEST_NAME)
                            .maxStringLength(LONGEST_TEXT)
                            .build())
                    .build())
            .disable(MapperFeature.USE_ANNOTATIONS)
            .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .enable(DeserializationFeature.READ_UNKNOWN_ENUM_VALUES_AS_NULL)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .defaultPropertyInclusion(JsonInclude.Value.construct(JsonInclude.Include.NON_DEFAULT, JsonInclude.Include.ALWAYS))
            .addModule(new SimpleModule()
                    .addSerializer(InetAddress.class, new TextSerializer<>(InetAddress.class, InetAddress::getHostAddress))
                    .addSerializer(Cidr.class, new TextSerializer<>(Cidr.class, Cidr::toString))
                    .addSerializer(MacAddress.class, new TextSerializer<>(MacAddress.class, MacAddress::toString))
                    .addDeserializer(InetAddress.class, new TextDeserializer<>(InetAddress.class, IpAddress::parse))
                    .addDeserializer(Cidr.class, new TextDeserializer<>(Cidr.class, Cidr::parse))
                    .addDeserializer(MacAddress.class, new TextDeserializer<>(MacAddress.class, MacAddress::parse)));
    }

    /** A message, in the field that names its kind. */
    private record Envelope(
            Message.@Nullable Hello hello,
            Message.@Nullable Welcome welcome,
            Message.@Nullable Subscribe subscribe,
            Message.@Nullable Announce announce,
            Message.@Nullable Acknowledge acknowledge,
            Message.@Nullable Records records,
            Message.@Nullable Ring ring,
            Message.@Nullable Heartbeat heartbeat,
            Message.@Nullable Revoked revoked,
            Message.@Nullable Ping ping,
            Message.@Nullable RecallRequest recall,
            Message.@Nullable RecallReply recalled,
            Message.@Nullable Goodbye goodbye,
            Message.@Nullable Inquiry inquiry,
            Message.@Nullable ReportRequest reportRequest,
            Message.@Nullable Report report,
            Message.@Nullable Reports reports,
            Message.@Nullable CheckRequest checkRequest,
            Message.@Nullable CheckResult checkResult) {

        static Envelope of(Message message) {
            return new Envelope(
                    as(message, Message.Hello.class),
                    as(message, Message.Welcome.class),
                    as(message, Message.Subscribe.class),
                    as(message, Message.Announce.class),
                    as(message, Message.Acknowledge.class),
                    as(message, Message.Records.class),
                    as(message, Message.Ring.class),
                    as(message, Message.Heartbeat.class),
                    as(message, Message.Revoked.class),
                    as(message, Message.Ping.class),
                    as(message, Message.RecallRequest.class),
                    as(message, Message.RecallReply.class),
                    as(message, Message.Goodbye.class),
                    as(message, Message.Inquiry.class),
                    as(message, Message.ReportRequest.class),
                    as(message, Message.Report.class),
                    as(message, Message.Reports.class),
                    as(message, Message.CheckRequest.class),
                    as(message, Message.CheckResult.class));
        }

        private static <T extends Message> @Nullable T as(Message message, Class<T> kind) {
            return kind.isInstance(message) ? kind.cast(message) : null;
        }

        Optional<Message> message() {
            @Nullable Message found = null;
            for (@Nullable Message each : new @Nullable Message[] {
                hello, welcome, subscribe, announce, acknowledge, records, ring, heartbeat, revoked, ping, recall, recalled, goodbye,
                inquiry, reportRequest, report, reports, checkRequest, checkResult
            }) {
                if (each != null && found != null) {
                    throw new IllegalArgumentException("two kinds in one message");
                }
                found = each == null ? found : each;
            }
            return Optional.ofNullable(found);
        }
    }

    /** Returns the message's octets. */
    public static byte[] encode(Message message) {
        return encode(message, record -> new SerializedString(encode(record)));
    }

    /**
     * Returns the message's octets.
     *
     * @param records returns a record as {@link #encode(NodeRecord)} does
     */
    static byte[] encode(Message message, Function<NodeRecord, SerializableString> records) {
        try {
            return WRITER.withAttribute(RecordSerializer.class, records).writeValueAsBytes(Envelope.of(message));
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("a message that cannot be written", e);
        }
    }

    /** Returns a record as it is in messages. */
    static String encode(NodeRecord record) {
        try {
            return RECORD_WRITER.writeValueAsString(record);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("a record that cannot be written", e);
        }
    }

    /**
     * Reads a message.
     *
     * @return empty for a kind that this version does not know
     * @throws RefusedException if the octets are no message, or one that is out of bounds
     */
    public static Optional<Message> decode(byte[] octets) throws RefusedException {
        try {
            Envelope envelope = READER.readValue(octets);
            if (envelope == null) {
                throw new RefusedException(Refusal.MALFORMED, "message without content");
            }
            return envelope.message();
        } catch (JsonProcessingException e) {
            throw new RefusedException(isOutOfBounds(e) || isOutOfBounds(e.getCause()) ? Refusal.BOUNDS : Refusal.MALFORMED,
                    "message that cannot be read: " + e.getOriginalMessage());
        } catch (IOException | IllegalArgumentException e) {
            throw new RefusedException(Refusal.MALFORMED, "message that cannot be read: " + e.getMessage());
        }
    }

    private static boolean isOutOfBounds(@Nullable Throwable failure) {
        return failure instanceof StreamConstraintsException || failure instanceof IllegalArgumentException;
    }

    /** Writes a record as the function does that is an attribute by this class. */
    private static final class RecordSerializer extends StdSerializer<NodeRecord> {
        private static final long serialVersionUID = 1;

        RecordSerializer() {
            super(NodeRecord.class);
        }

        @Override
        @SuppressWarnings("unchecked") // Set by encode alone.
        public void serialize(NodeRecord record, JsonGenerator out, SerializerProvider provider) throws IOException {
            out.writeRawValue(((Function<NodeRecord, SerializableString>) provider.getAttribute(RecordSerializer.class)).apply(record));
        }
    }

    /** Writes a value as text. */
    private static final class TextSerializer<T> extends StdScalarSerializer<T> {
        private static final long serialVersionUID = 1;
        private final transient Function<T, String> print;

        TextSerializer(Class<T> type, Function<T, String> print) {
            super(type);
            this.print = print;
        }

        @Override
        public void serialize(T value, JsonGenerator out, SerializerProvider provider) throws IOException {
            out.writeString(print.apply(value));
        }
    }

    /** Reads a value from text; asks no name server. */
    private static final class TextDeserializer<T> extends StdScalarDeserializer<T> {
        private static final long serialVersionUID = 1;
        private final transient Function<String, T> parse;

        TextDeserializer(Class<T> type, Function<String, T> parse) {
            super(type);
            this.parse = parse;
        }

        @Override
        public T deserialize(JsonParser in, DeserializationContext context) throws IOException {
            String text = in.getValueAsString();
            if (text == null) {
                throw context.weirdStringException("", handledType(), "want text");
            }
            try {
                return parse.apply(text);
            } catch (IllegalArgumentException e) {
                throw context.weirdStringException(text, handledType(), e.getMessage());
            }
        }
    }
}
