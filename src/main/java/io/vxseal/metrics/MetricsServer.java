package io.vxseal.metrics;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpMethod;
import org.eclipse.jetty.http.HttpStatus;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.HttpConnectionFactory;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.util.Callback;
import org.eclipse.jetty.util.HostPort;
import org.eclipse.jetty.util.component.LifeCycle;
import org.eclipse.jetty.util.thread.QueuedThreadPool;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Listener over TCP, for scrapes and what else may be shown to anybody who reaches it. It has a server of its own, because the plugin's
 * socket also serves what only root may do.
 */
public final class MetricsServer implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(MetricsServer.class);

    static final String PATH = "/metrics";

    private static final int MAX_THREADS = 4;
    private static final int MAX_HEADER = 4096;
    private static final Duration IDLE = Duration.ofSeconds(60);

    private final Recent scrape;
    private final Server server;
    private final ServerConnector connector;

    private MetricsServer(InetSocketAddress address, Callable<byte[]> scrape, Handler... others) {
        this.scrape = new Recent(scrape);
        QueuedThreadPool threads = new QueuedThreadPool(MAX_THREADS, 1);
        threads.setName("vxseal-metrics");
        threads.setDaemon(true);
        HttpConfiguration http = new HttpConfiguration();
        http.setRequestHeaderSize(MAX_HEADER);
        http.setSendServerVersion(false);
        server = new Server(threads);
        connector = new ServerConnector(server, 1, 1, new HttpConnectionFactory(http));
        connector.setHost(address.getAddress().getHostAddress());
        connector.setPort(address.getPort());
        connector.setIdleTimeout(IDLE.toMillis());
        server.addConnector(connector);
        List<Handler> handlers = new ArrayList<>(List.of(others));
        handlers.addFirst(new ScrapeHandler());
        server.setHandler(new Handler.Sequence(handlers));
    }

    /**
     * Listens on an address.
     *
     * @param scrape returns the metrics as text
     * @param others answer what is not about metrics
     * @throws IOException if the address is taken or not this host's; the message is for the operator
     */
    public static MetricsServer start(InetSocketAddress address, Callable<byte[]> scrape, Handler... others) throws IOException {
        MetricsServer metrics = new MetricsServer(address, scrape, others);
        try {
            metrics.server.start();
        } catch (Exception failure) {
            LifeCycle.stop(metrics.server);
            // Jetty's own message is without the reason, which its cause has.
            Throwable reason = failure instanceof IOException && failure.getCause() != null ? failure.getCause() : failure;
            throw new IOException("cannot serve metrics on %s (VXSEAL_METRICS): %s: see ss -tlpn sport = :%d and ip address, and set another one"
                    .formatted(name(address), reason.getMessage(), address.getPort()), failure);
        }
        return metrics;
    }

    /** Returns an address and port as VXSEAL_METRICS has them. */
    public static String name(InetSocketAddress address) {
        return "%s:%d".formatted(HostPort.normalizeHost(address.getAddress().getHostAddress()), address.getPort());
    }

    /** Returns the port that it listens on. */
    public int port() {
        return connector.getLocalPort();
    }

    @Override
    public void close() {
        LifeCycle.stop(server);
    }

    private final class ScrapeHandler extends Handler.Abstract {
        @Override
        public boolean handle(Request request, Response response, Callback callback) {
            if (!Request.getPathInContext(request).equals(PATH)) {
                return false;
            }
            if (!HttpMethod.GET.is(request.getMethod()) && !HttpMethod.HEAD.is(request.getMethod())) {
                response.getHeaders().put(HttpHeader.ALLOW, "GET, HEAD");
                Response.writeError(request, response, callback, HttpStatus.METHOD_NOT_ALLOWED_405);
                return true;
            }
            try {
                byte[] text = scrape.call();
                response.getHeaders().put(HttpHeader.CONTENT_TYPE, Exposition.CONTENT_TYPE);
                response.write(true, ByteBuffer.wrap(text), callback);
            } catch (Throwable failure) {
                log.error("{} failed", PATH, failure);
                Response.writeError(request, response, callback, HttpStatus.INTERNAL_SERVER_ERROR_500);
            }
            return true;
        }
    }
}
