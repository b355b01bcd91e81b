package io.vxseal.cluster.link;

import io.vxseal.cluster.refusal.Refusal;
import io.vxseal.cluster.refusal.RefusalListener;
import io.vxseal.cluster.refusal.RefusedException;
import io.vxseal.swarm.NodeName;
import io.vxseal.swarm.SwarmIdentity;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.Optional;
import java.util.function.Function;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpMethod;
import org.eclipse.jetty.http.HttpStatus;
import org.eclipse.jetty.io.EndPoint;
import org.eclipse.jetty.io.EofException;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.HttpConnectionFactory;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.SslConnectionFactory;
import org.eclipse.jetty.util.Callback;
import org.eclipse.jetty.util.component.LifeCycle;
import org.jspecify.annotations.Nullable;

/**
 * Hub's side of sessions: accepts them on the cluster port. A session is one POST whose request body and response body
 * stream at the same time, in {@link Frame}s.
 */
public final class HubServer implements AutoCloseable {
    static final String PATH = "/v1/session";

    /** Header of a refusal: the reason. */
    static final String REFUSED = "Vxseal-Refused";

    /** Longest header of a request for a session, and of its response, in octets. */
    static final int MAX_HEADER = 4096;

    /** Octets of incomplete messages of all sessions, and of those that have yet to be handled. */
    private static final long MAX_INCOMING = 16 << 20;

    /** Octets of queued messages of all sessions. */
    private static final long MAX_OUTGOING = 16 << 20;

    private final RefusalListener refusals;
    private final Session.Context context;
    private final PeerVerifier verifier;
    private final Sessions sessions;
    private final TlsContext tls;
    private final Server server;
    private final HubAcceptor acceptor;
    private final LinkThreads threads;
    private LinkThreads.@Nullable Timer timer;

    /**
     * Prepares a hub.
     *
     * @param address to listen on
     */
    public HubServer(
            InetSocketAddress address,
            SwarmIdentity identity,
            LinkThreads threads,
            LinkTimes times,
            ConnectionListener listener,
            RefusalListener refusals) {
        this.threads = threads;
        this.refusals = refusals;
        this.context = new Session.Context(
                threads, times, listener, refusals, new MemoryBudget(MAX_INCOMING), new MemoryBudget(MAX_OUTGOING));
        this.verifier = new PeerVerifier(identity, false);
        this.sessions = new Sessions(verifier);
        this.tls = new TlsContext(identity, (_, _) -> { });
        this.server = new Server(threads.pool(), threads.scheduler(), threads.buffers());
        HttpConfiguration configuration = configuration();
        configuration.setUseInputDirectByteBuffers(false);
        configuration.setUseOutputDirectByteBuffers(false);
        HttpConnectionFactory http = new HttpConnectionFactory(configuration);
        SslConnectionFactory ssl = new SslConnectionFactory(tls.server(), http.getProtocol());
        // It compares host names, of which a swarm's certificate has none.
        ssl.setEnsureSecureRequestCustomizer(false);
        this.acceptor = new HubAcceptor(server, Admission.Limits.DEFAULT, times, refusals, ssl, http);
        acceptor.setHost(address.getAddress().getHostAddress());
        acceptor.setPort(address.getPort());
        server.addConnector(acceptor);
        server.setHandler(new SessionHandler());
    }

    private static HttpConfiguration configuration() {
        HttpConfiguration http = new HttpConfiguration();
        http.setRequestHeaderSize(MAX_HEADER);
        http.setResponseHeaderSize(MAX_HEADER);
        http.setSendServerVersion(false);
        http.setSendDateHeader(false);
        http.setPersistentConnectionsEnabled(true);
        return http;
    }

    /** Listens. */
    public void start() throws IOException {
        try {
            server.start();
        } catch (IOException e) {
            throw e;
        } catch (Exception e) {
            throw new IOException("the hub cannot be started: " + e.getMessage(), e);
        }
        timer = threads.every(LinkTimes.TICK_MILLIS, this::tick);
    }

    /** Returns the port that it listens on. */
    public int port() {
        return acceptor.getLocalPort();
    }

    /** Uses another identity from now on, and judges the standing sessions again. */
    public void identityChanged(SwarmIdentity identity) {
        verifier.identity(identity);
        tls.reload(identity);
        sessions.recheck();
    }

    /**
     * Judges all sessions by the peer's name, now and as they open.
     *
     * @param reason returns why a node may have no session; empty if it may
     */
    public void recheck(Function<NodeName, Optional<String>> reason) {
        verifier.refusal(reason);
        sessions.recheck();
    }

    /** Returns the number of sessions. */
    public int sessions() {
        return sessions.all().size();
    }

    @Override
    public void close() {
        if (timer != null) {
            timer.close();
        }
        sessions.closeAll("the hub stops");
        LifeCycle.stop(server);
    }

    private void tick() {
        acceptor.tick();
        sessions.tick();
        context.outgoing().callNext();
    }

    /** Opens sessions. */
    private final class SessionHandler extends Handler.Abstract {
        @Override
        public boolean handle(Request request, Response response, Callback callback) {
            EndPoint endPoint = request.getConnectionMetaData().getConnection().getEndPoint();
            if (!(endPoint.getRemoteSocketAddress() instanceof InetSocketAddress address)) {
                callback.failed(new EofException("closed before the request was read"));
                return true;
            }
            InetAddress remote = address.getAddress();
            try {
                if (!HttpMethod.POST.is(request.getMethod()) || !Request.getPathInContext(request).equals(PATH)) {
                    throw new RefusedException(Refusal.REQUEST, "not POST " + PATH);
                }
                PeerVerifier.Peer peer = verifier.verify(endPoint.getSslSessionData().sslSession());
                sessions.admit(peer.name().node());
                acceptor.settle(endPoint, peer.name().node());
                open(peer, request, response, callback, endPoint);
            } catch (RefusedException refused) {
                refusals.refused(refused, remote.getHostAddress());
                refuse(refused, response, callback);
            }
            return true;
        }

        private void open(
                PeerVerifier.Peer peer,
                Request request,
                Response response,
                Callback callback,
                EndPoint endPoint) {
            response.setStatus(HttpStatus.OK_200);
            response.getHeaders().put(HttpHeader.CONTENT_TYPE, "application/octet-stream");
            Session.Exchange exchange = new Session.Exchange(request, response, () -> {
                endPoint.close();
                callback.failed(new EofException("the session ended"));
            });
            sessions.start(new Session(
                    peer, exchange, context, SessionPace.of(peer.name().role(), System.nanoTime())));
        }

        private void refuse(RefusedException refused, Response response, Callback callback) {
            response.setStatus(switch (refused.reason()) {
                case REQUEST -> HttpStatus.NOT_FOUND_404;
                case SESSION_RATE -> HttpStatus.TOO_MANY_REQUESTS_429;
                default -> HttpStatus.FORBIDDEN_403;
            });
            response.getHeaders().put(HttpHeader.CONNECTION, "close");
            response.getHeaders().put(REFUSED, refused.reason().text());
            response.write(true, null, callback);
        }
    }
}
