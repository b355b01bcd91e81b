package io.vxseal.plugin;

import io.javalin.Javalin;
import io.javalin.compression.CompressionStrategy;
import io.javalin.config.JavalinConfig;
import io.javalin.http.Handler;
import io.vxseal.metrics.CallStats;
import io.vxseal.overlay.Driver;
import io.vxseal.overlay.DriverException;
import io.vxseal.overlay.ProgramVersion;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;
import java.util.function.Supplier;
import org.eclipse.jetty.unixdomain.server.UnixDomainServerConnector;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * HTTP server on the {@link PluginSocket}: the remote driver protocol, and {@code /status}, {@code /swarm}, {@code /swarm/check},
 * {@code /metrics}, {@code /events} and {@code /keys/rotate} for operators. Errors of both have Docker's form.
 */
public final class PluginServer implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(PluginServer.class);

    private final PluginSocket socket;
    private final Pending<Protocol> protocol;
    private final CallStats calls = new CallStats();
    private final OperatorRequests operator;
    private final EventStream events;
    private final ErrorReplies errors;
    private final Javalin javalin;

    /** A method of the protocol whose request has a body. */
    private interface Method<Q> {
        Object answer(Protocol protocol, Q request) throws DriverException;
    }

    private PluginServer(PluginSocket socket, CompletableFuture<Driver> driver, Supplier<Map<String, String>> networkNames) {
        this.socket = socket;
        protocol = new Pending<>(driver.thenApply(Protocol::new));
        operator = new OperatorRequests(ProgramVersion.get(), new Pending<>(driver), calls, networkNames);
        events = new EventStream(new Pending<>(driver));
        errors = new ErrorReplies(new Pending<>(driver));
        javalin = Javalin.create(this::configure);
    }

    /**
     * Starts a server on a socket.
     *
     * @param driver all requests wait for it, so that it can get ready while the server loads. If it fails with a DriverException, that is
     *     the answer to all requests
     */
    public static PluginServer start(PluginSocket socket, CompletableFuture<Driver> driver) {
        return start(socket, driver, Map::of);
    }

    /**
     * Starts a server on a socket.
     *
     * @param networkNames returns names of networks by id, for status; may take seconds
     */
    public static PluginServer start(
            PluginSocket socket, CompletableFuture<Driver> driver, Supplier<Map<String, String>> networkNames) {
        PluginServer server = new PluginServer(socket, driver, networkNames);
        server.javalin.start();
        socket.restrict();
        return server;
    }

    /** Returns the metrics in Prometheus' text format. */
    public byte[] scrape() throws DriverException {
        return operator.scrape();
    }

    /** Returns what the page shows of this node, as JSON. */
    public byte[] page() throws DriverException {
        return operator.page();
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

        config.routes.get("/status", errors.guarded(operator::status));
        config.routes.get("/swarm", errors.guarded(operator::swarm));
        config.routes.post("/swarm/check", errors.guarded(operator::checkSwarm));
        config.routes.get("/metrics", errors.guarded(operator::metrics));
        config.routes.get("/events", errors.guarded(events::answer));
        config.routes.post("/keys/rotate", errors.guarded(operator::rotate));

        errors.configure(config);
    }

    private void answer(JavalinConfig config, String path, Function<Protocol, ?> method) {
        config.routes.post(path, errors.guarded(context -> ReplyBody.write(context, method.apply(protocol.get()))));
    }

    private <Q> void answer(JavalinConfig config, String method, Class<Q> type, Method<Q> protocolMethod) {
        Handler handler = context -> {
            Protocol ready = protocol.get();
            long start = System.nanoTime();
            try {
                Q request = RequestBody.read(context, type);
                log.debug("{}", method);
                ReplyBody.write(context, protocolMethod.answer(ready, request));
            } finally {
                calls.add(method, Duration.ofNanos(System.nanoTime() - start));
            }
        };
        config.routes.post("/NetworkDriver." + method, errors.guarded(handler));
    }
}
