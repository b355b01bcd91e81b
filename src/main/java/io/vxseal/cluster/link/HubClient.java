package io.vxseal.cluster.link;

import io.vxseal.cluster.refusal.Refusal;
import io.vxseal.cluster.refusal.RefusalListener;
import io.vxseal.cluster.refusal.RefusedException;
import io.vxseal.swarm.NodeName;
import io.vxseal.swarm.SwarmIdentity;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.security.cert.Certificate;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import javax.net.ssl.SSLSession;
import org.eclipse.jetty.client.AsyncRequestContent;
import org.eclipse.jetty.client.HttpClient;
import org.eclipse.jetty.client.Request;
import org.eclipse.jetty.client.Response;
import org.eclipse.jetty.client.transport.HttpClientTransportOverHTTP;
import org.eclipse.jetty.http.HttpMethod;
import org.eclipse.jetty.http.HttpStatus;
import org.eclipse.jetty.io.ClientConnector;
import org.eclipse.jetty.io.Content;
import org.eclipse.jetty.util.component.LifeCycle;
import org.jspecify.annotations.Nullable;

/** Node's side of sessions: dials hubs, one session with each. Dialling again is the caller's business. */
public final class HubClient implements AutoCloseable {
    private static final Duration CONNECT = Duration.ofSeconds(3);
    private static final String RENEWED = "this node's certificate changed";
    private static final long MAX_INCOMING = 8 << 20;
    private static final long MAX_OUTGOING = 8 << 20;

    private final LinkTimes times;
    private final LinkThreads threads;
    private final Session.Context context;
    private final PeerVerifier verifier;
    private final Sessions sessions;
    private final TlsContext tls;
    private final HttpClient http;
    private final LinkThreads.Timer timer;
    private final RefusalListener refusals;
    private volatile SwarmIdentity identity;

    /**
     * Prepares to dial.
     *
     * @param bind local address; the unspecified address for any
     * @throws IllegalStateException if the HTTP client cannot be started
     */
    public HubClient(
            InetAddress bind,
            SwarmIdentity identity,
            LinkThreads threads,
            LinkTimes times,
            ConnectionListener listener,
            RefusalListener refusals) {
        this.identity = identity;
        this.threads = threads;
        this.times = times;
        this.refusals = refusals;
        this.context = new Session.Context(
                threads, times, listener, refusals, new MemoryBudget(MAX_INCOMING), new MemoryBudget(MAX_OUTGOING));
        this.verifier = new PeerVerifier(identity, true);
        this.sessions = new Sessions(verifier);
        this.tls = new TlsContext(identity, (address, why) -> refusals.refused(Refusal.HANDSHAKE, address, why));
        this.http = new HttpClient(new HttpClientTransportOverHTTP(connector(bind)));
        http.setExecutor(threads.pool());
        http.setScheduler(threads.scheduler());
        http.setByteBufferPool(threads.buffers());
        http.setFollowRedirects(false);
        http.setUserAgentField(null);
        http.setIdleTimeout(0);
        http.setMaxResponseHeadersSize(HubServer.MAX_HEADER);
        http.setUseInputDirectByteBuffers(false);
        http.setUseOutputDirectByteBuffers(false);
        try {
            http.start();
        } catch (Exception e) {
            throw new IllegalStateException("sessions with hubs cannot be started: " + e.getMessage(), e);
        }
        http.getProtocolHandlers().clear();
        http.getContentDecoderFactories().clear();
        this.timer = threads.every(LinkTimes.TICK_MILLIS, this::tick);
    }

    private ClientConnector connector(InetAddress bind) {
        ClientConnector connector = new ClientConnector();
        connector.setSelectors(1);
        connector.setExecutor(threads.pool());
        connector.setScheduler(threads.scheduler());
        connector.setByteBufferPool(threads.buffers());
        connector.setSslContextFactory(tls.client());
        connector.setConnectTimeout(CONNECT);
        if (!bind.isAnyLocalAddress()) {
            connector.setBindAddress(new InetSocketAddress(bind, 0));
        }
        return connector;
    }

    /**
     * Opens a session with a hub, which replaces an earlier one with the same hub.
     *
     * @return the connection, after the listener was called; fails with an {@link IOException} that has the reason
     */
    public CompletableFuture<Connection> dial(InetSocketAddress hub) {
        return new Dial(hub).start();
    }

    /** Uses another identity from now on. Sessions with another certificate than before have to be dialled again. */
    public void identityChanged(SwarmIdentity changed) {
        boolean renewed = !changed.chain().equals(identity.chain());
        identity = changed;
        verifier.identity(changed);
        tls.reload(changed);
        if (renewed) {
            sessions.closeAll(RENEWED);
        } else {
            sessions.recheck();
        }
    }

    /**
     * Judges all sessions by the hub's name, now and as they open.
     *
     * @param reason returns why there may be no session with a hub; empty if there may
     */
    public void recheck(Function<NodeName, Optional<String>> reason) {
        verifier.refusal(reason);
        sessions.recheck();
    }

    @Override
    public void close() {
        timer.close();
        sessions.closeAll("the node stops");
        LifeCycle.stop(http);
    }

    private void tick() {
        sessions.tick();
        context.outgoing().callNext();
    }

    /** One attempt to open a session. */
    private final class Dial {
        private final InetSocketAddress hub;
        private final CompletableFuture<Connection> opened = new CompletableFuture<>();
        private final AsyncRequestContent body = new AsyncRequestContent();
        private final Request request;

        Dial(InetSocketAddress hub) {
            this.hub = hub;
            this.request = http.newRequest(hub.getAddress().getHostAddress(), hub.getPort())
                    .scheme("https")
                    .method(HttpMethod.POST)
                    .path(HubServer.PATH)
                    .idleTimeout(0, TimeUnit.SECONDS)
                    .body(body)
                    .onResponseContentSource(this::answered);
        }

        CompletableFuture<Connection> start() {
            // Longer than the hub gives a handshake: before it begins, the connection may wait in the hub's kernel.
            Duration patience = times.patience().plus(times.handshake());
            threads.scheduler().schedule(() -> fail("no answer within " + patience.toSeconds() + " s"),
                    patience.toMillis(), TimeUnit.MILLISECONDS);
            request.send(result -> fail(result.getFailure() == null
                    ? "refused with status " + result.getResponse().getStatus()
                    : result.getFailure().getMessage()));
            return opened;
        }

        private void answered(Response response, Content.Source source) {
            if (response.getStatus() != HttpStatus.OK_200) {
                String reason = response.getHeaders().get(HubServer.REFUSED);
                fail("refused: " + (reason == null ? "status " + response.getStatus() : reason));
                return;
            }
            try {
                SSLSession handshake = response.getRequest().getConnection().getSslSessionData().sslSession();
                PeerVerifier.Peer peer = verifier.verify(handshake);
                Session session = new Session(peer,
                        new Session.Exchange(source, body, () -> cut("the session ended")),
                        context, Session.Pace.UNLIMITED);
                sessions.start(session);
                // Those that there were are closed when the certificate changes; this one was on its way.
                if (isOutdated(handshake)) {
                    session.close(RENEWED);
                }
                opened.complete(session);
            } catch (RefusedException refused) {
                refusals.refused(refused, hub.getAddress().getHostAddress());
                fail(refused.reason().text() + ": " + refused.getMessage());
            }
        }

        /** Returns whether the hub was shown another certificate than the one that this node has now. */
        private boolean isOutdated(SSLSession handshake) {
            Certificate @Nullable [] shown = handshake.getLocalCertificates();
            return shown == null || shown.length == 0 || !shown[0].equals(identity.chain().getFirst());
        }

        private void fail(String why) {
            if (opened.completeExceptionally(new IOException("no session with the hub at "
                    + hub.getAddress().getHostAddress() + ": " + why))) {
                cut(why);
            }
        }

        private void cut(String why) {
            CompletableFuture<Boolean> _ = request.abort(new IOException(why));
        }
    }
}
