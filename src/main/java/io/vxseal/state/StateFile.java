package io.vxseal.state;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationContext;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializerProvider;
import com.fasterxml.jackson.databind.deser.std.FromStringDeserializer;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.module.SimpleModule;
import com.fasterxml.jackson.databind.ser.std.StdScalarSerializer;
import io.vxseal.address.Cidr;
import io.vxseal.address.MacAddress;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Optional;
import java.util.function.Function;

/**
 * Value in a JSON file that is replaced as a whole: after a crash the file holds the value before or the value after.
 *
 * @param <T> a record of records, collections, addresses, {@link Cidr}s and {@link MacAddress}es
 */
public final class StateFile<T> {
    private final Path file;
    private final Class<T> type;
    private final ObjectMapper json = JsonMapper.builder()
            .disable(MapperFeature.USE_ANNOTATIONS)
            .addModule(addresses())
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    /**
     * @param file its folder is created at the first write
     * @param type of the value
     */
    public StateFile(Path file, Class<T> type) {
        this.file = file;
        this.type = type;
    }

    /**
     * Returns the value last written; empty if there is none.
     *
     * @throws IOException if the file holds something else
     */
    public Optional<T> read() throws IOException {
        try {
            T value = json.readValue(Files.readAllBytes(file), type);
            if (value == null) {
                throw new IOException("state file " + file + " cannot be read: it is null");
            }
            return Optional.of(value);
        } catch (NoSuchFileException none) {
            return Optional.empty();
        } catch (JsonProcessingException torn) {
            throw new IOException("state file " + file + " cannot be read: " + torn.getOriginalMessage(), torn);
        }
    }

    /**
     * Moves a file that cannot be read aside, for an operator to look at. {@link #read} finds no value then.
     *
     * @return its new path; a file that was moved aside before is replaced
     */
    public Path setAside() throws IOException {
        Path aside = file.resolveSibling(file.getFileName() + ".damaged");
        return Files.move(file, aside, StandardCopyOption.REPLACE_EXISTING);
    }

    /** Replaces the value. The file has mode 0600, and is on the disk when this returns. */
    public void write(T value) throws IOException {
        WholeFile.replace(file, json.writeValueAsBytes(value));
    }

    /** Writes addresses as text, and reads them without asking a name server. */
    private static SimpleModule addresses() {
        SimpleModule module = new SimpleModule();
        text(module, InetAddress.class, InetAddress::getHostAddress, InetAddress::ofLiteral);
        text(module, Cidr.class, Cidr::toString, Cidr::parse);
        text(module, MacAddress.class, MacAddress::toString, MacAddress::parse);
        return module;
    }

    private static <V> void text(
            SimpleModule module, Class<V> type, Function<V, String> print, Function<String, V> parse) {
        module.addSerializer(type, new StdScalarSerializer<V>(type) {
            @Override
            public void serialize(V value, JsonGenerator out, SerializerProvider provider) throws IOException {
                out.writeString(print.apply(value));
            }
        });
        module.addDeserializer(type, new FromStringDeserializer<V>(type) {
            @Override
            protected V _deserialize(String text, DeserializationContext context) {
                return parse.apply(text);
            }
        });
    }
}
