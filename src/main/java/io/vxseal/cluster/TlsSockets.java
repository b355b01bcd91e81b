package io.vxseal.cluster;

import io.vxseal.swarm.SwarmIdentity;
import io.vxseal.swarm.SwarmTrust;
import java.io.IOException;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketAddress;
import java.net.SocketException;
import java.time.Duration;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicBoolean;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLSocket;
import nl.altindag.ssl.SSLFactory;
import nl.altindag.ssl.util.SSLFactoryUtils;
import org.jgroups.util.DefaultSocketFactory;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The group's sockets: TLS 1.3, both ends with their node certificates. JGroups accepts one connection at a time, hand
 * shake included, so a stranger who connects and says nothing would keep everyone out; here the handshakes run beside
 * each other, and JGroups gets to see a connection only when the other end has proved to be of the swarm.
 */
final class TlsSockets extends DefaultSocketFactory {
    private static final Logger LOG = LoggerFactory.getLogger(TlsSockets.class);

    /** Long, for a node under software emulation takes seconds for its first handshake. */
    private static final Duration HANDSHAKE = Duration.ofSeconds(15);

    /** Handshakes at once; beyond that, connections are closed unheard. */
    private static final int MOST_HANDSHAKES = 128;

    private final SSLFactory ssl;
    private final Refusals refusals;

    TlsSockets(SwarmIdentity identity, Refusals refusals) {
        this(builder(identity, refusals).withSwappableIdentityMaterial().withSwappableTrustMaterial().build(),
                refusals);
    }

    private TlsSockets(SSLFactory ssl, Refusals refusals) {
        super(ssl.getSslSocketFactory(), ssl.getSslServerSocketFactory());
        this.ssl = ssl;
        this.refusals = refusals;
    }

    private static SSLFactory.Builder builder(SwarmIdentity identity, Refusals refusals) {
        return SSLFactory.builder()
                .withIdentityMaterial(identity.key(), new char[0], identity.chain())
                .withTrustMaterial(new SwarmTrust(identity, refusals::refuse))
                .withNeedClientAuthentication()
                .withProtocols("TLSv1.3");
    }

    /** From the next handshake on, with these certificates; connections that stand stay. */
    void reload(SwarmIdentity identity) {
        SSLFactoryUtils.reload(ssl, builder(identity, refusals).build());
    }

    @Override
    public Socket createSocket(String service) throws IOException {
        SSLSocket socket = (SSLSocket) super.createSocket(service);
        AtomicBoolean done = deadline(socket);
        socket.addHandshakeCompletedListener(_ -> done.set(true));
        return socket;
    }

    @Override
    public ServerSocket createServerSocket(String service) throws IOException {
        return new Accepting();
    }

    /** Closes the socket unless the answer is set to true in time; a read timeout would not stop a slow drip. */
    private static AtomicBoolean deadline(Socket socket) {
        AtomicBoolean done = new AtomicBoolean();
        Thread.ofVirtual().name("vxseal-handshake-deadline").start(() -> {
            try {
                Thread.sleep(HANDSHAKE);
                if (!done.get()) {
                    socket.close();
                }
            } catch (IOException | InterruptedException _) {
                // It is being closed already.
            }
        });
        return done;
    }

    private final class Accepting extends ServerSocket {
        private final BlockingQueue<Socket> proven = new LinkedBlockingQueue<>();
        private final Semaphore handshakes = new Semaphore(MOST_HANDSHAKES);

        Accepting() throws IOException {
            super();
        }

        @Override
        public void bind(SocketAddress endpoint, int backlog) throws IOException {
            super.bind(endpoint, backlog);
            Thread.ofVirtual().name("vxseal-accept").start(this::listen);
        }

        @Override
        public Socket accept() throws IOException {
            try {
                Socket socket = proven.take();
                if (isClosed()) {
                    socket.close();
                    throw new SocketException("Socket closed");
                }
                return socket;
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new SocketException("interrupted", e);
            }
        }

        @Override
        public void close() throws IOException {
            super.close();
            proven.add(new Socket()); // wakes accept()
        }

        private void listen() {
            while (!isClosed()) {
                try {
                    Socket raw = acceptRaw();
                    if (handshakes.tryAcquire()) {
                        Thread.ofVirtual().name("vxseal-handshake").start(() -> {
                            try {
                                shakeHands(raw);
                            } finally {
                                handshakes.release();
                            }
                        });
                    } else {
                        raw.close();
                        refusals.refuse(raw.getInetAddress().getHostAddress(), "too many connections at once");
                    }
                } catch (IOException e) {
                    if (!isClosed()) {
                        refusals.refuse("the network", "connection that could not be accepted: " + e.getMessage());
                        pause();
                    }
                } catch (Throwable e) {
                    LOG.error("connections are accepted on after an unexpected failure", e);
                    pause();
                }
            }
        }

        private Socket acceptRaw() throws IOException {
            return super.accept();
        }

        private void shakeHands(Socket raw) {
            AtomicBoolean done = deadline(raw);
            try {
                SSLSocket socket = (SSLSocket) ssl.getSslSocketFactory()
                        .createSocket(raw, raw.getInetAddress().getHostAddress(), raw.getPort(), true);
                socket.setUseClientMode(false);
                socket.setNeedClientAuth(true);
                socket.startHandshake();
                done.set(true);
                proven.add(socket);
            } catch (SSLException e) {
                refusals.refuse(raw.getInetAddress().getHostAddress(), "connection: " + e.getMessage());
                close(raw);
            } catch (IOException e) {
                // Gone in the middle, as when two members connect to each other at once and one gives way.
                LOG.debug("handshake with {}: {}", raw.getInetAddress(), e.getMessage());
                close(raw);
            } catch (RuntimeException e) {
                refusals.refuse(raw.getInetAddress().getHostAddress(), "connection that could not be dealt with: " + e);
                close(raw);
            } catch (Error e) {
                LOG.error("handshake with {} failed", raw.getInetAddress(), e);
                close(raw);
            }
        }

        private static void close(Socket raw) {
            try {
                raw.close();
            } catch (IOException _) {
                // Nothing is owed to who was refused.
            }
        }

        /** Out of file descriptors, say: trying again at once would only burn the processor. */
        private void pause() {
            try {
                Thread.sleep(100);
            } catch (InterruptedException _) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
