package io.vxseal.plugin;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.channels.Channels;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import jnr.unixsocket.UnixSocketAddress;
import jnr.unixsocket.UnixSocketChannel;

/** Posts to the plugin's socket as the engine does, and asks as an operator does, a connection per call. */
public final class EngineClient {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Path socket;

    public EngineClient(Path socket) {
        this.socket = socket;
    }

    /** An answer: HTTP's status, its head and the body. */
    public record Answer(int status, String head, String text) {
        JsonNode body() {
            try {
                return JSON.readTree(text);
            } catch (IOException notJson) {
                throw new UncheckedIOException(notJson);
            }
        }

        String error() {
            return body().path("Err").asText();
        }
    }

    public Answer call(String method, String body) throws IOException {
        return post("/NetworkDriver." + method, body.replace('\'', '"') + "\n");
    }

    Answer get(String path, String accept) throws IOException {
        return ask("GET", path, "plugin", accept, "");
    }

    Answer post(String path, String body) throws IOException {
        return postAs("plugin", path, body);
    }

    Answer postAs(String host, String path, String body) throws IOException {
        return ask("POST", path, host, "application/vnd.docker.plugins.v1.2+json", body);
    }

    Answer ask(String method, String path, String host, String accept, String body) throws IOException {
        byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
        String head = method + " " + path + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n"
                + "Accept: " + accept + "\r\nContent-Length: " + bytes.length + "\r\n\r\n";
        try (UnixSocketChannel channel = UnixSocketChannel.open(new UnixSocketAddress(socket.toFile()))) {
            var out = Channels.newOutputStream(channel);
            out.write(head.getBytes(StandardCharsets.US_ASCII));
            try {
                out.write(bytes);
            } catch (IOException refusedEarly) {
                // the answer to a body that is too long may come before all of it was sent
            }
            InputStream in = Channels.newInputStream(channel);
            String all = new String(in.readAllBytes(), StandardCharsets.UTF_8);
            int split = all.indexOf("\r\n\r\n");
            return new Answer(
                    Integer.parseInt(all.substring("HTTP/1.1 ".length(), "HTTP/1.1 200".length())),
                    all.substring(0, split),
                    all.substring(split + 4));
        }
    }
}
