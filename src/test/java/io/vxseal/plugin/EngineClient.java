package io.vxseal.plugin;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeoutException;
import org.eclipse.jetty.client.ContentResponse;
import org.eclipse.jetty.client.HttpClient;
import org.eclipse.jetty.client.StringRequestContent;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.io.Transport;
import org.eclipse.jetty.util.thread.QueuedThreadPool;
import org.eclipse.jetty.util.thread.ScheduledExecutorScheduler;

/** A client of the plugin's socket: posts as the engine does and asks as an operator does. */
public final class EngineClient {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String HOST = "plugin";
    private static final String ENGINE = "application/vnd.docker.plugins.v1.2+json";

    /** One client for the process, with daemon threads. */
    private static final HttpClient HTTP = start();

    private final Transport socket;
    private final boolean keepsConnection;

    /** Creates a client that opens a connection per call, so that the server may be another one each time. */
    public EngineClient(Path socket) {
        this(socket, false);
    }

    private EngineClient(Path socket, boolean keepsConnection) {
        this.socket = new Transport.TCPUnix(socket);
        this.keepsConnection = keepsConnection;
    }

    /** Returns a client that keeps its connection, as the engine does. */
    public static EngineClient keepingConnection(Path socket) {
        return new EngineClient(socket, true);
    }

    private static HttpClient start() {
        var client = new HttpClient();
        var threads = new QueuedThreadPool();
        threads.setDaemon(true);
        client.setExecutor(threads);
        client.setScheduler(new ScheduledExecutorScheduler("engine client", true));
        client.setUserAgentField(null);
        try {
            client.start();
        } catch (Exception e) {
            throw new IllegalStateException("no HTTP client", e);
        }
        client.getContentDecoderFactories().clear();
        return client;
    }

    /** An answer: HTTP's status, the header's lines and the body. */
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

    /**
     * Makes a call of the driver protocol.
     *
     * @param body JSON with apostrophes in place of quotation marks
     */
    public Answer call(String method, String body) throws IOException {
        return post("/NetworkDriver." + method, body.replace('\'', '"') + "\n");
    }

    Answer get(String path, String accept) throws IOException {
        return ask("GET", path, HOST, accept, "");
    }

    Answer post(String path, String body) throws IOException {
        return postAs(HOST, path, body);
    }

    Answer postAs(String host, String path, String body) throws IOException {
        return ask("POST", path, host, ENGINE, body);
    }

    Answer ask(String method, String path, String host, String accept, String body) throws IOException {
        try {
            ContentResponse response = HTTP.newRequest("http://" + HOST).transport(socket).method(method).path(path)
                    .headers(headers -> {
                        headers.put(HttpHeader.HOST, host).put(HttpHeader.ACCEPT, accept);
                        if (!keepsConnection) {
                            headers.put(HttpHeader.CONNECTION, "close");
                        }
                    })
                    .body(new StringRequestContent(null, body))
                    .send();
            return new Answer(response.getStatus(), response.getHeaders().asString(), response.getContentAsString());
        } catch (ExecutionException | TimeoutException e) {
            throw new IOException("%s %s: %s".formatted(method, path, e.getMessage()), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
    }
}
