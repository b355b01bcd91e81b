package io.vxseal.page;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Debian's Chromium, without a window, which {@code test-e2e/prepare} installs. It is asked by its own protocol, DevTools. */
final class Chromium implements AutoCloseable {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Pattern LISTENING = Pattern.compile("DevTools listening on (ws://\\S+)");
    private static final long PATIENCE = 60;

    private final Process process;
    private final HttpClient client;
    private final WebSocket socket;
    private final AtomicInteger asked = new AtomicInteger();
    private final Map<Integer, CompletableFuture<JsonNode>> answers = new ConcurrentHashMap<>();
    private final List<JsonNode> events = new CopyOnWriteArrayList<>();

    private Chromium(Process process, URI devTools) throws Exception {
        this.process = process;
        client = HttpClient.newHttpClient();
        socket = client.newWebSocketBuilder().buildAsync(devTools, new Reader()).get(PATIENCE, TimeUnit.SECONDS);
    }

    /**
     * Starts it.
     *
     * @param folder for its profile and its log
     */
    static Chromium start(Path folder) throws Exception {
        Path log = folder.resolve("chromium.log");
        ProcessBuilder builder = new ProcessBuilder(
                "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                "--disable-background-networking", "--hide-scrollbars", "--remote-debugging-port=0",
                "--user-data-dir=" + folder.resolve("profile"), "about:blank");
        builder.environment().putAll(Map.of("TZ", "UTC", "TMPDIR", folder.toString()));
        Process process = builder.redirectErrorStream(true).redirectOutput(log.toFile()).start();
        for (int i = 0; i < PATIENCE * 10 && process.isAlive(); i++) {
            Matcher listening = LISTENING.matcher(Files.readString(log));
            if (listening.find()) {
                return new Chromium(process, URI.create(listening.group(1)));
            }
            Thread.sleep(100);
        }
        end(process);
        throw new IOException("chromium does not start: " + Files.readString(log));
    }

    /** Collects messages, which may come in parts. */
    private final class Reader implements WebSocket.Listener {
        private final StringBuilder message = new StringBuilder();

        @Override
        public CompletionStage<?> onText(WebSocket from, CharSequence data, boolean last) {
            message.append(data);
            if (last) {
                take(message.toString());
                message.setLength(0);
            }
            from.request(1);
            return CompletableFuture.completedFuture(null);
        }
    }

    private void take(String message) {
        try {
            JsonNode read = JSON.readTree(message);
            if (read.has("id")) {
                answers.remove(read.path("id").asInt()).complete(read);
            } else {
                events.add(read);
            }
        } catch (IOException impossible) {
            throw new IllegalStateException(impossible);
        }
    }

    private JsonNode ask(String session, String method, ObjectNode parameters) throws Exception {
        int id = asked.incrementAndGet();
        ObjectNode request = JSON.createObjectNode().put("id", id).put("method", method);
        request.set("params", parameters);
        if (!session.isEmpty()) {
            request.put("sessionId", session);
        }
        CompletableFuture<JsonNode> answer = new CompletableFuture<>();
        answers.put(id, answer);
        socket.sendText(request.toString(), true).get(PATIENCE, TimeUnit.SECONDS);
        JsonNode read = answer.get(PATIENCE, TimeUnit.SECONDS);
        if (read.has("error")) {
            throw new IOException(method + ": " + read.path("error"));
        }
        return read.path("result");
    }

    /** Opens a tab of a size, in the light colours or the dark ones, and what it is to show. */
    Tab open(String url, int width, int height, boolean dark) throws Exception {
        String target = ask("", "Target.createTarget", JSON.createObjectNode().put("url", "about:blank")).path("targetId").asText();
        String session = ask("", "Target.attachToTarget", JSON.createObjectNode().put("targetId", target).put("flatten", true))
                .path("sessionId").asText();
        Tab tab = new Tab(target, session);
        for (String domain : List.of("Page", "Runtime", "Log", "Network", "Accessibility")) {
            tab.ask(domain + ".enable", JSON.createObjectNode());
        }
        tab.resize(width, height);
        ObjectNode media = JSON.createObjectNode();
        media.putArray("features").addObject()
                .put("name", "prefers-color-scheme").put("value", dark ? "dark" : "light");
        tab.ask("Emulation.setEmulatedMedia", media);
        tab.ask("Page.navigate", JSON.createObjectNode().put("url", url));
        return tab;
    }

    /** A tab. */
    final class Tab implements AutoCloseable {
        private final String target;
        private final String session;

        private Tab(String target, String session) {
            this.target = target;
            this.session = session;
        }

        private JsonNode ask(String method, ObjectNode parameters) throws Exception {
            return Chromium.this.ask(session, method, parameters);
        }

        void resize(int width, int height) throws Exception {
            ask("Emulation.setDeviceMetricsOverride", JSON.createObjectNode()
                    .put("width", width).put("height", height).put("deviceScaleFactor", 1).put("mobile", width < 600));
        }

        /** Returns the value of an expression of JavaScript, waiting for a promise. */
        JsonNode evaluate(String expression) throws Exception {
            JsonNode answer = ask("Runtime.evaluate", JSON.createObjectNode()
                    .put("expression", expression).put("returnByValue", true).put("awaitPromise", true));
            if (answer.has("exceptionDetails")) {
                throw new IOException(answer.path("exceptionDetails").toString());
            }
            return answer.path("result").path("value");
        }

        /** Returns the text of an element as a reader sees it; empty if there is none. */
        String text(String selector) throws Exception {
            return evaluate("document.querySelector(%s)?.innerText ?? ''".formatted(JSON.writeValueAsString(selector))).asText();
        }

        /** Returns what a screen reader is told: of each node its role and name. */
        List<String> accessibilityTree() throws Exception {
            List<String> nodes = new ArrayList<>();
            ask("Accessibility.getFullAXTree", JSON.createObjectNode()).path("nodes").forEach(node -> {
                if (!node.path("ignored").asBoolean()) {
                    nodes.add(node.path("role").path("value").asText() + " " + node.path("name").path("value").asText());
                }
            });
            return nodes;
        }

        /** Writes a picture of the whole page, in the format WebP. */
        void screenshot(Path file) throws Exception {
            ObjectNode parameters =
                    JSON.createObjectNode().put("format", "webp").put("quality", 80).put("captureBeyondViewport", true);
            JsonNode size = evaluate("({width: document.documentElement.clientWidth, height: document.documentElement.scrollHeight})");
            parameters.putObject("clip").put("x", 0).put("y", 0).put("scale", 1)
                    .put("width", size.path("width").asInt()).put("height", size.path("height").asInt());
            Files.createDirectories(file.getParent());
            Files.write(file, Base64.getDecoder().decode(ask("Page.captureScreenshot", parameters).path("data").asText()));
        }

        /** Returns what Chromium objected to: exceptions, lines of the console, violations of the page's policy. */
        List<String> complaints() {
            return events(List.of("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")).stream()
                    .map(JsonNode::toString).toList();
        }

        /** Returns the addresses of all that the tab asked for. */
        List<String> requests() {
            return events(List.of("Network.requestWillBeSent")).stream()
                    .map(event -> event.path("params").path("request").path("url").asText()).toList();
        }

        private List<JsonNode> events(List<String> methods) {
            return events.stream()
                    .filter(event -> event.path("sessionId").asText().equals(session))
                    .filter(event -> methods.contains(event.path("method").asText()))
                    .toList();
        }

        @Override
        public void close() throws Exception {
            Chromium.this.ask("", "Target.closeTarget", JSON.createObjectNode().put("targetId", target));
        }
    }

    private static void end(Process process) {
        process.descendants().forEach(ProcessHandle::destroyForcibly);
        process.destroyForcibly();
        try {
            process.waitFor(10, TimeUnit.SECONDS);
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public void close() {
        socket.abort();
        client.shutdownNow();
        end(process);
    }
}
