package io.vxseal.plugin;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonMappingException;
import io.javalin.Javalin;
import io.javalin.compression.CompressionStrategy;
import io.javalin.config.JavalinConfig;
import io.javalin.http.ContentType;
import io.javalin.http.Context;
import io.javalin.http.Handler;
import io.javalin.http.HttpStatus;
import io.javalin.http.MethodNotAllowedResponse;
import io.javalin.http.NotFoundResponse;
import io.vxseal.metrics.CallStats;
import io.vxseal.metrics.Exposition;
import io.vxseal.metrics.Sample;
import io.vxseal.overlay.Driver;
import io.vxseal.overlay.DriverException;
import java.io.IOException;
import java.io.InputStream;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.eclipse.jetty.unixdomain.server.UnixDomainServerConnector;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * HTTP server on the {@link PluginSocket}: the remote driver protocol, and {@code /status}, {@code /metrics} and {@code /keys/rotate} for
 * operators. Errors of both have Docker's form.
 */
public final class PluginServer implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(PluginServer.class);

    private static final String MEDIA_TYPE = "application/vnd.docker.plugins.v1.2+json";
    private static final String TEXT = "text/plain; charset=utf-8";
    private static final int MAX_BODY = 1 << 20;

    private final PluginSocket socket;
    private final CompletableFuture<Driver> driver;
    private final CompletableFuture<Protocol> protocol;
    private final CallStats calls = new CallStats();
    private final Javalin javalin;

    /** A method of the protocol whose request has a body. */
    private interface Method<Q> {
        Object answer(Protocol protocol, Q request) throws DriverException;
    }

    /** Reply to a request for a key rotation. */
    private record Rotation(long ringVersion, String message) {}

    /** Refusal of a request whose body is too large or malformed. */
    private static final class BadRequest extends Exception {
        private final HttpStatus status;

        private BadRequest(HttpStatus status, String message) {
            super(message);
            this.status = status;
        }
    }

    private PluginServer(PluginSocket socket, CompletableFuture<Driver> driver) {
        this.socket = socket;
        this.driver = driver;
        protocol = driver.thenApply(Protocol::new);
        javalin = Javalin.create(this::configure);
    }

    /**
     * Starts a server on a socket.
     *
     * @param driver all requests wait for it, so that it can get ready while the server loads. If it fails with a DriverException, that is
     *     the answer to all requests
     */
    public static PluginServer start(PluginSocket socket, CompletableFuture<Driver> driver) {
        PluginServer server = new PluginServer(socket, driver);
        server.javalin.start();
        socket.restrict();
        return server;
    }

    /** Returns the program's version, as its jar has it. */
    public static String version() {
        String version = PluginServer.class.getPackage().getImplementationVersion();
        return version == null ? "(not packaged)" : version;
    }

    @Override
    public void close() {
        javalin.stop();
    }

    private void configure(JavalinConfig config) {
        config.startup.showJavalinBanner = false;
        config.startup.showOldJavalinVersionWarning = false;
        config.startup.startupWatcherEnabled = false;
        config.concurrency.useVirtualThreads = true;
        config.http.compressionStrategy = CompressionStrategy.NONE;
        config.http.prefer405over404 = true;
        config.jetty.addConnector((server, http) -> {
            http.setSendServerVersion(false);
            UnixDomainServerConnector connector =
                    new UnixDomainServerConnector(server, 1, 1, new BlankHosts(http));
            socket.configure(connector);
            return connector;
        });

        answer(config, "/Plugin.Activate", Protocol::activate);
        answer(config, "/NetworkDriver.GetCapabilities", Protocol::getCapabilities);
        answer(config, "/NetworkDriver.GwAllocCheck", Protocol::gwAllocCheck);
        answer(config, "AllocateNetwork", Requests.Definition.class, Protocol::allocateNetwork);
        answer(config, "FreeNetwork", Requests.NetworkOnly.class, Protocol::freeNetwork);
        answer(config, "CreateNetwork", Requests.Definition.class, Protocol::createNetwork);
        answer(config, "DeleteNetwork", Requests.NetworkOnly.class, Protocol::deleteNetwork);
        answer(config, "CreateEndpoint", Requests.CreateEndpoint.class, Protocol::createEndpoint);
        answer(config, "DeleteEndpoint", Requests.EndpointOnly.class, Protocol::deleteEndpoint);
        answer(config, "EndpointOperInfo", Requests.EndpointOnly.class, Protocol::endpointOperInfo);
        answer(config, "Join", Requests.Join.class, Protocol::join);
        answer(config, "Leave", Requests.EndpointOnly.class, Protocol::leave);
        answer(config, "ProgramExternalConnectivity", Requests.EndpointOnly.class, Protocol::externalConnectivity);
        answer(config, "RevokeExternalConnectivity", Requests.EndpointOnly.class, Protocol::externalConnectivity);
        answer(config, "DiscoverNew", Requests.Discovery.class, Protocol::discoverNew);
        answer(config, "DiscoverDelete", Requests.Discovery.class, Protocol::discoverDelete);

        config.routes.get("/status", guarded(this::status));
        config.routes.get("/metrics", guarded(this::metrics));
        config.routes.post("/keys/rotate", guarded(this::rotate));

        config.routes.exception(DriverException.class, (refused, context) -> {
            log.warn("{}: {}", context.path(), refused.getMessage());
            recordError(context, refused.getMessage());
            fail(context, status(refused.kind()), refused.getMessage());
        });
        config.routes.exception(BadRequest.class, (bad, context) -> fail(context, bad.status, bad.getMessage()));
        config.routes.exception(MethodNotAllowedResponse.class, (wrong, context) -> {
            String allowed = String.join(", ", wrong.getDetails().values());
            fail(
                    context.header("Allow", allowed),
                    HttpStatus.METHOD_NOT_ALLOWED,
                    "%s does not accept %s: want %s".formatted(context.path(), context.method(), allowed));
        });
        config.routes.exception(NotFoundResponse.class, (unknown, context) -> {
            discardBody(context);
            fail(context, HttpStatus.NOT_FOUND, "no such method: " + context.path());
        });
        config.routes.exception(Exception.class, (failure, context) -> failUnexpectedly(context, failure));
    }

    private void failUnexpectedly(Context context, Throwable failure) {
        log.error("{} failed", context.path(), failure);
        recordError(context, "internal error: " + failure);
        fail(context, HttpStatus.INTERNAL_SERVER_ERROR, "internal error: " + failure);
    }

    /** Records a failure for status. Without a driver there is no status. */
    private void recordError(Context context, String failure) {
        if (driver.isDone() && !driver.isCompletedExceptionally()) {
            driver.join().errors().add(context.path(), failure);
        }
    }

    /** Returns a handler that answers an {@link Error}, which Javalin does not handle, with status 500. */
    private Handler guarded(Handler handler) {
        return context -> {
            try {
                handler.handle(context);
            } catch (Error failure) {
                failUnexpectedly(context, failure);
            }
        };
    }

    /** Waits for a future and returns its value, or throws the DriverException that it failed with. */
    private static <T> T ready(CompletableFuture<T> future) throws DriverException {
        try {
            return future.join();
        } catch (CompletionException refused) {
            if (refused.getCause() instanceof DriverException why) {
                throw why;
            }
            throw refused;
        }
    }

    private void status(Context context) throws DriverException, JsonProcessingException {
        Driver running = ready(driver);
        StatusReply reply = StatusReply.of(
                version(), running.status(), running.clusterStatus(), calls.tallies(), Instant.now());
        if (wantsText(context)) {
            context.contentType(TEXT).result(StatusTable.print(reply));
        } else {
            context.contentType(ContentType.APPLICATION_JSON).result(Json.Own.MAPPER.writeValueAsBytes(reply));
        }
    }

    private void metrics(Context context) throws DriverException {
        context.contentType(Exposition.CONTENT_TYPE).result(scrape());
    }

    /** Returns the metrics in Prometheus' text format. */
    public byte[] scrape() throws DriverException {
        Driver running = ready(driver);
        return Exposition.print(new Sample(
                version(),
                running.status(),
                running.kernelCounters(),
                running.clusterStatus(),
                running.keyRotation(),
                calls,
                Instant.now()));
    }

    private void rotate(Context context) throws DriverException, JsonProcessingException {
        long version = ready(driver).rotate();
        log.info("key rotation requested; current ring is {}", version);
        String message = ("ring %d will be replaced once a minute has passed since its last change and a majority of managers"
                + " is reachable").formatted(version);
        context.status(HttpStatus.ACCEPTED);
        if (wantsText(context)) {
            context.contentType(TEXT).result(message + "\n");
        } else {
            context.contentType(ContentType.APPLICATION_JSON)
                    .result(Json.Own.MAPPER.writeValueAsBytes(new Rotation(version, message)));
        }
    }

    /** Returns whether a client accepts text and not JSON. A client that accepts both, or does not say, gets JSON. */
    private static boolean wantsText(Context context) {
        String accept = String.valueOf(context.header("Accept"));
        return accept.contains("text/plain") && !accept.contains(ContentType.JSON);
    }

    private void answer(JavalinConfig config, String path, Function<Protocol, ?> method) {
        config.routes.post(path, guarded(context -> reply(context, method.apply(ready(protocol)))));
    }

    private <Q> void answer(JavalinConfig config, String method, Class<Q> type, Method<Q> protocolMethod) {
        Handler handler = context -> {
            Protocol ready = ready(protocol);
            long start = System.nanoTime();
            try {
                Q request = read(context, type);
                log.debug("{}", method);
                reply(context, protocolMethod.answer(ready, request));
            } finally {
                calls.add(method, Duration.ofNanos(System.nanoTime() - start));
            }
        };
        config.routes.post("/NetworkDriver." + method, guarded(handler));
    }

    /** Reads and discards a body. A connection that is closed with unread data is reset, and the answer is lost. */
    private static void discardBody(Context context) {
        try (InputStream in = context.bodyInputStream()) {
            in.readNBytes(MAX_BODY);
        } catch (IOException gone) {
            log.debug("{}: {}", context.path(), gone.getMessage());
        }
    }

    private static <Q> Q read(Context context, Class<Q> type) throws BadRequest, IOException {
        byte[] body;
        try (InputStream in = context.bodyInputStream()) {
            body = in.readNBytes(MAX_BODY + 1);
        }
        if (body.length > MAX_BODY) {
            throw new BadRequest(HttpStatus.CONTENT_TOO_LARGE, "request body is over 1 MiB");
        }
        try {
            Q request = Json.PROTOCOL.readValue(body, type);
            if (request == null) {
                throw new BadRequest(HttpStatus.BAD_REQUEST, "request body \"null\": want a JSON object");
            }
            return request;
        } catch (JsonMappingException wrong) {
            throw new BadRequest(HttpStatus.BAD_REQUEST, "invalid %s: %s".formatted(field(wrong), reason(wrong)));
        } catch (JsonProcessingException malformed) {
            throw new BadRequest(
                    HttpStatus.BAD_REQUEST, "malformed JSON in the request body: " + malformed.getOriginalMessage());
        }
    }

    private static String field(JsonMappingException wrong) {
        String path = wrong.getPath().stream()
                .map(step -> step.getFieldName() == null ? "[" + step.getIndex() + "]" : step.getFieldName())
                .collect(Collectors.joining("."));
        return path.isEmpty() ? "request body" : path;
    }

    private static String reason(JsonMappingException wrong) {
        // Jackson's message contains the value, and a key must not be shown.
        String field = field(wrong);
        return field.contains("Key") || field.contains("Prim") || field.contains("Prune")
                ? "want base64 of a key or a tag of 32 bits"
                : wrong.getOriginalMessage();
    }

    private static void reply(Context context, Object reply) throws JsonProcessingException {
        context.contentType(MEDIA_TYPE).result(Json.PROTOCOL.writeValueAsBytes(reply));
    }

    private static void fail(Context context, HttpStatus status, String message) {
        try {
            reply(context.status(status), new Replies.Failure(message));
        } catch (JsonProcessingException impossible) {
            throw new IllegalStateException(impossible);
        }
    }

    /** Returns the HTTP status of a refusal: never 404, which the engine takes for a method that is not implemented. */
    private static HttpStatus status(DriverException.Kind kind) {
        return switch (kind) {
            case INVALID_PARAMETER -> HttpStatus.BAD_REQUEST;
            case FORBIDDEN -> HttpStatus.FORBIDDEN;
            case CONFLICT -> HttpStatus.CONFLICT;
            case SYSTEM -> HttpStatus.INTERNAL_SERVER_ERROR;
        };
    }
}
