package io.vxseal.plugin;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.javalin.Javalin;
import io.javalin.compression.CompressionStrategy;
import io.javalin.config.JavalinConfig;
import io.javalin.http.Context;
import io.javalin.http.Handler;
import io.javalin.http.HttpStatus;
import io.vxseal.overlay.Driver;
import io.vxseal.overlay.DriverException;
import java.io.IOException;
import java.io.InputStream;
import java.util.stream.Collectors;
import org.eclipse.jetty.unixdomain.server.UnixDomainServerConnector;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The HTTP server behind the {@link Door}: the remote driver protocol, and its errors in Docker's shape. */
public final class PluginServer implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(PluginServer.class);

    private static final String MEDIA_TYPE = "application/vnd.docker.plugins.v1.2+json";
    private static final int MAX_BODY = 1 << 20;

    private static final ObjectMapper JSON = JsonMapper.builder()
            .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    private final Protocol protocol;
    private final Javalin javalin;

    /** A method of the protocol that reads a body. */
    private interface Method<Q> {
        Object answer(Q request) throws DriverException;
    }

    /** A body that is not the request it should be. */
    private static final class BadRequest extends Exception {
        private final HttpStatus status;

        private BadRequest(HttpStatus status, String message) {
            super(message);
            this.status = status;
        }
    }

    private PluginServer(Driver driver) {
        protocol = new Protocol(driver);
        javalin = Javalin.create(this::configure);
    }

    /** Serves what comes in by the {@link Door}, which must be open. */
    public static PluginServer start(Driver driver) {
        PluginServer server = new PluginServer(driver);
        server.javalin.start();
        return server;
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
        config.jetty.addConnector((server, http) -> {
            http.setSendServerVersion(false);
            UnixDomainServerConnector connector =
                    new UnixDomainServerConnector(server, 1, 1, new BlankHosts(http));
            connector.setInheritChannel(true);
            // The channel is inherited all the same; the path is for removing the socket when the server stops.
            connector.setUnixDomainPath(Door.path());
            return connector;
        });

        answer(config, "/Plugin.Activate", protocol::activate);
        answer(config, "/NetworkDriver.GetCapabilities", protocol::getCapabilities);
        answer(config, "/NetworkDriver.GwAllocCheck", protocol::gwAllocCheck);
        answer(config, "AllocateNetwork", Requests.Definition.class, protocol::allocateNetwork);
        answer(config, "FreeNetwork", Requests.NetworkOnly.class, protocol::freeNetwork);
        answer(config, "CreateNetwork", Requests.Definition.class, protocol::createNetwork);
        answer(config, "DeleteNetwork", Requests.NetworkOnly.class, protocol::deleteNetwork);
        answer(config, "CreateEndpoint", Requests.CreateEndpoint.class, protocol::createEndpoint);
        answer(config, "DeleteEndpoint", Requests.EndpointOnly.class, protocol::deleteEndpoint);
        answer(config, "EndpointOperInfo", Requests.EndpointOnly.class, protocol::endpointOperInfo);
        answer(config, "Join", Requests.Join.class, protocol::join);
        answer(config, "Leave", Requests.EndpointOnly.class, protocol::leave);
        answer(config, "ProgramExternalConnectivity", Requests.EndpointOnly.class, protocol::externalConnectivity);
        answer(config, "RevokeExternalConnectivity", Requests.EndpointOnly.class, protocol::externalConnectivity);
        answer(config, "DiscoverNew", Requests.Discovery.class, protocol::discoverNew);
        answer(config, "DiscoverDelete", Requests.Discovery.class, protocol::discoverDelete);

        config.routes.exception(DriverException.class, (refused, context) -> {
            log.warn("{}: {}", context.path(), refused.getMessage());
            fail(context, status(refused.kind()), refused.getMessage());
        });
        config.routes.exception(BadRequest.class, (bad, context) -> fail(context, bad.status, bad.getMessage()));
        config.routes.exception(Exception.class, (failure, context) -> {
            log.error("{} failed", context.path(), failure);
            fail(context, HttpStatus.INTERNAL_SERVER_ERROR, "internal error: " + failure);
        });
        config.routes.error(HttpStatus.NOT_FOUND.getCode(), context -> {
            if (context.result() == null || !context.result().startsWith("{")) {
                fail(context, HttpStatus.NOT_FOUND, "no such method: " + context.path());
            }
        });
    }

    private void answer(JavalinConfig config, String path, java.util.function.Supplier<?> method) {
        config.routes.post(path, context -> reply(context, method.get()));
    }

    private <Q> void answer(JavalinConfig config, String method, Class<Q> type, Method<Q> protocolMethod) {
        Handler handler = context -> {
            Q request = read(context, type);
            log.debug("{}", method);
            reply(context, protocolMethod.answer(request));
        };
        config.routes.post("/NetworkDriver." + method, handler);
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
            Q request = JSON.readValue(body, type);
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
        // Jackson's message shows the value; that of a key must not be shown.
        String field = field(wrong);
        return field.contains("Key") || field.contains("Prim") || field.contains("Prune")
                ? "want base64 of a key or a tag of 32 bits"
                : wrong.getOriginalMessage();
    }

    private static void reply(Context context, Object reply) throws JsonProcessingException {
        context.contentType(MEDIA_TYPE).result(JSON.writeValueAsBytes(reply));
    }

    private static void fail(Context context, HttpStatus status, String message) {
        try {
            reply(context.status(status), new Replies.Failure(message));
        } catch (JsonProcessingException impossible) {
            throw new IllegalStateException(impossible);
        }
    }

    /** Never 404, which says that there is no such method. */
    private static HttpStatus status(DriverException.Kind kind) {
        return switch (kind) {
            case INVALID_PARAMETER -> HttpStatus.BAD_REQUEST;
            case FORBIDDEN -> HttpStatus.FORBIDDEN;
            case CONFLICT -> HttpStatus.CONFLICT;
            case SYSTEM -> HttpStatus.INTERNAL_SERVER_ERROR;
        };
    }
}
