package io.vxseal.engine;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.vxseal.text.Line;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.regex.Pattern;
import org.eclipse.jetty.client.HttpClient;
import org.eclipse.jetty.client.InputStreamResponseListener;
import org.eclipse.jetty.client.Request;
import org.eclipse.jetty.client.transport.HttpClientTransportOverHTTP;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpStatus;
import org.eclipse.jetty.io.ClientConnector;
import org.eclipse.jetty.io.Transport;
import org.eclipse.jetty.util.component.LifeCycle;
import org.eclipse.jetty.util.thread.QueuedThreadPool;
import org.eclipse.jetty.util.thread.ScheduledExecutorScheduler;
import org.jspecify.annotations.Nullable;

/**
 * Client of the engine's API on its Unix socket, for what the plugin and its commands cannot learn in another way. It only reads. Each question has a
 * connection of its own, since the engine may be another process each time.
 *
 * <p>Paths have no version, which every engine answers with its newest one: what is read here has had the same names in all of them.
 */
public final class EngineApi implements AutoCloseable {
    private static final ObjectMapper JSON = JsonMapper.builder()
            .disable(MapperFeature.USE_ANNOTATIONS)
            .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            // ID of a node, Id of a network
            .enable(MapperFeature.ACCEPT_CASE_INSENSITIVE_PROPERTIES)
            .build();

    /** For a whole answer, unless the caller has less. So old may be what a list of nodes says, which the cluster's patience allows for. */
    private static final Duration PATIENCE = Duration.ofSeconds(5);
    /** Octets read of an answer, which is read as it arrives. A node takes some five thousand. */
    static final long MOST_OCTETS = 64 << 20;
    private static final int MOST_OCTETS_OF_ERROR = 4096;

    private static final Pattern ID = Pattern.compile("[0-9a-z]{25}");
    private static final String NETWORKS_OF_THE_SWARM = "{\"scope\":{\"swarm\":true}}";

    /** In place of a message of the parser's, which may have a part of the answer in it. */
    private static final String UNEXPECTED = "its answer is not of the form that engines give";

    /** The kinds of files in a mode, as in inode(7). */
    private static final int KIND = 0170000;
    private static final int SOCKET = 0140000;
    private static final int CHARACTER_DEVICE = 0020000;

    private final Path socket;
    private final long mostOctets;
    private final Duration patience;
    private final HttpClient http;

    private record Locking(@Nullable String unlockKey) {}

    private record Node(@Nullable String id) {}

    private record Network(@Nullable String id, @Nullable String name) {}

    private record Info(@Nullable String dockerRootDir) {}

    /** @param config has a component whose name is a word of Java's */
    private record Plugin(@Nullable String id, boolean enabled, @Nullable JsonNode config, @Nullable PluginSettings settings) {}

    private record PluginSettings(@Nullable List<String> env, @Nullable List<PluginMount> mounts) {}

    private record PluginMount(@Nullable String name, @Nullable String source) {}

    private record Refusal(@Nullable String message) {}

    /**
     * Prepares to ask; connects to nothing yet.
     *
     * @throws IllegalStateException if the HTTP client cannot be started
     */
    public EngineApi(Path socket) {
        this(socket, MOST_OCTETS, PATIENCE);
    }

    /**
     * @param mostOctets read of an answer
     * @param patience for a whole answer
     */
    EngineApi(Path socket, long mostOctets, Duration patience) {
        this.socket = socket;
        this.mostOctets = mostOctets;
        this.patience = patience;
        QueuedThreadPool threads = new QueuedThreadPool(8, 1, 10_000);
        threads.setName("vxseal-engine");
        threads.setDaemon(true);
        threads.setReservedThreads(0);
        ClientConnector connector = new ClientConnector();
        connector.setSelectors(1);
        connector.setConnectTimeout(PATIENCE);
        http = new HttpClient(new HttpClientTransportOverHTTP(connector));
        http.setExecutor(threads);
        http.setScheduler(new ScheduledExecutorScheduler("vxseal-engine-timer", true));
        http.setFollowRedirects(false);
        http.setUserAgentField(null);
        try {
            http.start();
        } catch (Exception e) {
            throw new IllegalStateException("the client of the engine's API cannot be started: " + e.getMessage(), e);
        }
        http.getProtocolHandlers().clear();
        http.getContentDecoderFactories().clear();
    }

    /** Returns whether there is a socket at a path. Where an operator mounts none, the plugin has {@code /dev/null} there. */
    public static boolean isSocket(Path path) {
        return kind(path).equals(Optional.of(SOCKET));
    }

    /** Returns what an operator has to know who has mounted something else than a socket at a path; empty for a socket and for nothing. */
    public static Optional<String> mistake(Path path) {
        return kind(path).filter(kind -> kind != SOCKET && kind != CHARACTER_DEVICE).map(_ ->
                "the source of the mount \"engine\" is no socket, so the plugin does not ask the engine: docker plugin set vxseal engine.source=/run/docker.sock");
    }

    private static Optional<Integer> kind(Path path) {
        try {
            return Optional.of((int) Files.getAttribute(path, "unix:mode") & KIND);
        } catch (IOException _) {
            return Optional.empty();
        }
    }

    /**
     * Returns the key that unlocks the managers' private keys, as {@code docker swarm unlock-key} prints it; empty if the swarm is not
     * locked. Managers only.
     *
     * @throws IOException with the engine's reason, or why its answer is none; never with a part of the key
     */
    public String unlockKey() throws IOException {
        Locking answer = ask(request("/swarm/unlockkey"), Locking.class, patience);
        return known(answer.unlockKey());
    }

    /**
     * Returns the ids of all nodes that the swarm has, those that are down among them. Managers only.
     *
     * @throws IOException if the answer is not whole, too
     */
    public Set<String> nodes() throws IOException {
        Set<String> ids = new HashSet<>();
        Node[] answer = ask(request("/nodes"), Node[].class, patience);
        for (Node node : answer) {
            String id = known(known(node).id());
            if (!ID.matcher(id).matches()) {
                throw new IOException(UNEXPECTED);
            }
            ids.add(id);
        }
        return ids;
    }

    /**
     * Returns names by id: of the swarm's networks on a manager, of those that are up on this node on a worker.
     *
     * @param atMost time for the answer
     */
    public Map<String, String> networkNames(Duration atMost) throws IOException {
        Map<String, String> names = new HashMap<>();
        Network[] answer = ask(request("/networks").param("filters", NETWORKS_OF_THE_SWARM), Network[].class, atMost);
        for (Network network : answer) {
            names.put(known(known(network).id()), known(network.name()));
        }
        return names;
    }

    /** Returns the plugins that are installed on this host, enabled or not. */
    public List<InstalledPlugin> plugins() throws IOException {
        List<InstalledPlugin> plugins = new ArrayList<>();
        Plugin[] answer = ask(request("/plugins"), Plugin[].class, patience);
        for (Plugin plugin : answer) {
            plugins.add(new InstalledPlugin(
                    known(known(plugin).id()),
                    plugin.enabled(),
                    known(plugin.config()).path("Interface").path("Socket").asText(),
                    settings(known(plugin.settings()))));
        }
        return plugins;
    }

    private static Map<String, String> settings(PluginSettings values) throws IOException {
        Map<String, String> settings = new HashMap<>();
        for (String variable : Objects.requireNonNullElse(values.env(), List.<String>of())) {
            String[] words = known(variable).split("=", 2);
            settings.put(words[0], words.length == 2 ? words[1] : "");
        }
        for (PluginMount mount : Objects.requireNonNullElse(values.mounts(), List.<PluginMount>of())) {
            settings.put(known(known(mount).name()) + ".source", Objects.requireNonNullElse(mount.source(), ""));
        }
        return settings;
    }

    /** Returns the engine's data root, {@code /var/lib/docker} unless the operator moved it. */
    public Path dataRoot() throws IOException {
        return Path.of(known(ask(request("/info"), Info.class, patience).dockerRootDir()));
    }

    private Request request(String path) {
        return http.newRequest("http://docker").path(path);
    }

    /** Sends a request, and reads a whole answer within the time given. */
    private <T> T ask(Request request, Class<T> form, Duration atMost) throws IOException {
        InputStreamResponseListener answer = new InputStreamResponseListener();
        request.transport(new Transport.TCPUnix(socket))
                .headers(headers -> headers.put(HttpHeader.CONNECTION, "close").put(HttpHeader.ACCEPT, "application/json"))
                .timeout(atMost.toMillis(), TimeUnit.MILLISECONDS)
                .send(answer);
        try (InputStream body = new BoundedInputStream(answer.getInputStream(), mostOctets)) {
            int status = answer.get(atMost.toMillis(), TimeUnit.MILLISECONDS).getStatus();
            if (status != HttpStatus.OK_200) {
                throw new IOException("it answers %d: %s".formatted(status, reason(body)));
            }
            return known(JSON.readValue(body, form));
        } catch (JacksonException e) {
            throw new IOException(e.getCause() instanceof IOException read && !(read instanceof JacksonException)
                    ? read.getMessage()
                    : UNEXPECTED);
        } catch (ExecutionException e) {
            throw new IOException(reason(e), e);
        } catch (RuntimeException | AssertionError e) {
            // Thus, out of the stream, Jetty says that it is no HTTP; the latter in tests.
            throw new IOException("its answer is no HTTP", e);
        } catch (TimeoutException e) {
            throw new IOException("no answer within %d ms".formatted(atMost.toMillis()), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        } finally {
            // What is left of the answer is not read.
            CompletableFuture<Boolean> _ = request.abort(new IOException("the answer is read, or of no use"));
        }
    }

    private static String reason(ExecutionException failure) {
        return failure.getCause() == null ? failure.toString() : String.valueOf(failure.getCause().getMessage());
    }

    /** Returns the engine's message of an error, fit for a line. */
    private static String reason(InputStream body) throws IOException {
        byte[] start = body.readNBytes(MOST_OCTETS_OF_ERROR);
        try {
            Refusal refusal = JSON.readValue(start, Refusal.class);
            return Line.of(known(refusal.message()));
        } catch (IOException _) {
            return Line.of(new String(start, StandardCharsets.UTF_8));
        }
    }

    private static <T> T known(@Nullable T value) throws IOException {
        if (value == null) {
            throw new IOException(UNEXPECTED);
        }
        return value;
    }

    @Override
    public void close() {
        LifeCycle.stop(http);
    }
}
