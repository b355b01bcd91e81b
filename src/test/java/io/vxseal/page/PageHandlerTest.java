package io.vxseal.page;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.vxseal.StandardError;
import io.vxseal.journal.Event;
import io.vxseal.journal.Journal;
import io.vxseal.metrics.MetricsServer;
import io.vxseal.metrics.Recent;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What the listener answers about the page, octet for octet. */
@Timeout(60)
class PageHandlerTest {
    private final Journal journal = new Journal();
    private final AtomicInteger states = new AtomicInteger();
    private final List<Stream> streams = new ArrayList<>();
    private volatile boolean failing;
    private MetricsServer server;

    @BeforeEach
    void start() throws IOException {
        server = MetricsServer.start(
                new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
                () -> new byte[] {'\n'},
                new PageHandler(new Recent(this::state), journal));
    }

    @AfterEach
    void stop() throws IOException {
        for (Stream stream : streams) {
            stream.close();
        }
        server.close();
    }

    private byte[] state() {
        if (failing) {
            throw new IllegalStateException("closed");
        }
        return "{\"made\":%d}".formatted(states.incrementAndGet()).getBytes(StandardCharsets.UTF_8);
    }

    private String host() {
        return "127.0.0.1:" + server.port();
    }

    private Socket send(String method, String path, String host, String headers) throws IOException {
        Socket socket = new Socket(InetAddress.getLoopbackAddress(), server.port());
        socket.setSoTimeout(20_000);
        socket.getOutputStream().write("%s %s HTTP/1.1\r\nHost: %s\r\n%s\r\n".formatted(method, path, host, headers)
                .getBytes(StandardCharsets.US_ASCII));
        return socket;
    }

    /** Returns the whole answer to a request. */
    private String ask(String method, String path, String host, String headers) throws IOException {
        try (Socket socket = send(method, path, host, "Connection: close\r\n" + headers)) {
            return new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    private String get(String path) throws IOException {
        return ask("GET", path, host(), "");
    }

    /** A stream of server-sent events, after its head. */
    private final class Stream implements AutoCloseable {
        private final Socket socket;
        private final BufferedReader lines;
        final String head;

        Stream() throws IOException {
            streams.add(this);
            socket = send("GET", "/live", host(), "");
            lines = new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.UTF_8));
            StringBuilder read = new StringBuilder();
            for (String line = lines.readLine(); line != null && !line.isEmpty(); line = lines.readLine()) {
                read.append(line).append('\n');
            }
            head = read.toString();
        }

        /** Returns the data of the next message of a kind, and passes over others. */
        JsonNode next(String event) throws IOException {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                if (line.equals("event: " + event)) {
                    return new ObjectMapper().readTree(lines.readLine().substring("data: ".length()));
                }
            }
            throw new IOException("the stream has ended");
        }

        @Override
        public void close() throws IOException {
            socket.close();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"/", "/page.css", "/page.js", "/icon.svg"})
    void filesForbidOutsideResourcesGuessedTypesAndReferrers(String path) throws IOException {
        assertThat(get(path))
                .startsWith("HTTP/1.1 200 ")
                .contains("Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self';")
                .contains("frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'", "require-trusted-types-for 'script'")
                .doesNotContain("unsafe-inline", "unsafe-eval")
                .contains("X-Content-Type-Options: nosniff", "Referrer-Policy: no-referrer", "Cache-Control: no-store")
                .contains("Cross-Origin-Resource-Policy: same-origin")
                .doesNotContain("Access-Control-Allow");
    }

    @Test
    void filesHaveTheirTypesAndNameNoOtherServer() throws IOException {
        assertThat(get("/")).contains("Content-Type: text/html; charset=utf-8", "<html lang=\"en\">").doesNotContain("//", "style=");
        assertThat(get("/page.css")).contains("Content-Type: text/css; charset=utf-8").doesNotContain("url(", "@import");
        assertThat(get("/page.js")).contains("Content-Type: text/javascript; charset=utf-8")
                .doesNotContain("http", "innerHTML", "insertAdjacentHTML", "document.write", "eval(");
        assertThat(get("/icon.svg")).contains("Content-Type: image/svg+xml");
    }

    @Test
    void metricsAreServedBesideThePageAndNothingElseIs() throws IOException {
        assertThat(get("/metrics")).startsWith("HTTP/1.1 200 ");
        for (String path : List.of("/status", "/swarm", "/events", "/keys/rotate", "/page.html", "/page.js/", "/../page.js", "/live/")) {
            assertThat(get(path)).as(path).containsPattern("^HTTP/1.1 40[04] ");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"POST", "PUT", "DELETE", "OPTIONS", "HEAD", "TRACE"})
    void nothingButGetIsAnswered(String method) throws IOException {
        for (String path : List.of("/", "/page.js", "/live")) {
            assertThat(ask(method, path, host(), "Content-Length: 0\r\n")).startsWith("HTTP/1.1 405 ").contains("Allow: GET\r\n");
        }
        assertThat(states.get()).isZero();
    }

    @ParameterizedTest
    @ValueSource(strings = {"rebound.example", "rebound.example:9494", "localhost.example", "127.0.0.1.example", "x"})
    void namesThatOthersMayOwnGetNothing(String host) throws IOException {
        for (String path : List.of("/", "/page.js", "/live")) {
            assertThat(ask("GET", path, host, "")).startsWith("HTTP/1.1 421 ").contains("under the node's IP address or as localhost");
        }
        assertThat(states.get()).isZero();
    }

    @ParameterizedTest
    @ValueSource(strings = {"localhost", "LOCALHOST:9494", "192.0.2.7:9494", "[2001:db8::7]:9494", "[::1]"})
    void addressesAndLocalhostAreServed(String host) throws IOException {
        assertThat(ask("GET", "/", host, "")).startsWith("HTTP/1.1 200 ");
    }

    @Test
    void otherSitesInABrowserGetNoStream() throws IOException {
        assertThat(ask("GET", "/live", host(), "Sec-Fetch-Site: cross-site\r\n")).startsWith("HTTP/1.1 403 ");
        assertThat(ask("GET", "/live", host(), "Sec-Fetch-Site: same-site\r\n")).startsWith("HTTP/1.1 403 ");
        assertThat(states.get()).isZero();
    }

    @Test
    void streamBeginsWithHistoryAndStateAndGoesOnWithEvents() throws IOException {
        for (int i = 1; i <= LiveStreams.HISTORY + 3; i++) {
            journal.add(Event.Kind.REPAIRED, "host", "repair " + i);
        }
        Stream stream = new Stream();
        assertThat(stream.head).startsWith("HTTP/1.1 200 ").contains("Content-Type: text/event-stream; charset=utf-8", "nosniff");
        JsonNode history = stream.next("history");
        assertThat(history).hasSize(LiveStreams.HISTORY);
        assertThat(history.path(0).path("text").asText()).isEqualTo("repair 4");
        assertThat(stream.next("state").path("made").asInt()).isEqualTo(1);

        journal.add(Event.Kind.ERROR, "here", "one line\nand \"another\"");
        journal.add(Event.Kind.ERROR, "here", "two");
        JsonNode events = stream.next("events");
        assertThat(events).extracting(event -> event.path("text").asText()).containsExactly("one line and \"another\"", "two");
        assertThat(events.path(0).path("number").asLong()).isEqualTo(LiveStreams.HISTORY + 4);
        assertThat(events.path(0).path("kind").asText()).isEqualTo("error");
        assertThat(stream.next("state").path("made").asInt()).as("made after the events").isEqualTo(2);
    }

    @Test
    void stateComesAgainWithoutEvents() throws IOException {
        Stream stream = new Stream();
        stream.next("state");
        assertThat(stream.next("state").path("made").asInt()).isEqualTo(2);
    }

    @Test
    void clientThatMissedEventsGetsHistoryAnew() throws IOException {
        journal.add(Event.Kind.STARTED, "", "up");
        Stream stream = new Stream();
        assertThat(stream.next("history")).hasSize(1);
        stream.next("state");
        for (int i = 1; i <= 1500; i++) {
            journal.add(Event.Kind.REPAIRED, "host", "repair " + i);
        }
        JsonNode history = stream.next("history");
        assertThat(history).hasSize(LiveStreams.HISTORY);
        assertThat(history.path(LiveStreams.HISTORY - 1).path("text").asText()).isEqualTo("repair 1500");
    }

    @Test
    void streamsAreBoundedAndOneThatEndsMakesRoom() throws IOException {
        for (int i = 0; i < LiveStreams.MAX_STREAMS; i++) {
            assertThat(new Stream().head).startsWith("HTTP/1.1 200 ");
        }
        assertThat(get("/live")).startsWith("HTTP/1.1 503 ").contains("Retry-After: 30", "too many are watching");
        assertThat(get("/")).as("the page itself").startsWith("HTTP/1.1 200 ");
        assertThat(get("/metrics")).as("a scrape").startsWith("HTTP/1.1 200 ");
        streams.getFirst().close();
        await("room").atMost(Duration.ofSeconds(20)).until(() -> new Stream().head.startsWith("HTTP/1.1 200 "));
    }

    @Test
    void manyStreamsReadTheKernelAsOftenAsOne() throws IOException {
        for (int i = 0; i < LiveStreams.MAX_STREAMS; i++) {
            new Stream();
        }
        int before = states.get();
        journal.add(Event.Kind.STARTED, "", "up");
        for (Stream stream : streams) {
            stream.next("events");
            stream.next("state");
        }
        assertThat(states.get() - before).isLessThanOrEqualTo(3);
    }

    @Test
    void streamsEndWithTheServerWithoutAWordInTheLog() throws Exception {
        try (StandardError log = new StandardError()) {
            Stream stream = new Stream();
            stream.next("state");
            failing = true;
            server.close();
            assertThatThrownBy(() -> stream.next("state")).isInstanceOf(IOException.class);
            journal.add(Event.Kind.STARTED, "", "wakes the stream");
            Thread.sleep(2500);
            assertThat(log.said()).doesNotContain("Exception", "failed");
        }
    }

    @Test
    void clientThatLeavesIsNoError() throws Exception {
        try (StandardError log = new StandardError()) {
            Stream stream = new Stream();
            stream.next("state");
            stream.close();
            for (int i = 0; i < 4; i++) {
                journal.add(Event.Kind.REPAIRED, "", "written to nobody");
                Thread.sleep(1200);
            }
            assertThat(log.said()).doesNotContain("Exception", "failed");
        }
    }
}
