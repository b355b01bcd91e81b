package io.vxseal.cluster;

import io.vxseal.cluster.link.Connection;
import io.vxseal.cluster.link.ConnectionListener;
import io.vxseal.cluster.link.HubClient;
import io.vxseal.cluster.link.HubServer;
import io.vxseal.cluster.link.LinkThreads;
import io.vxseal.cluster.link.LinkTimes;
import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.message.MessageChannel;
import io.vxseal.cluster.message.MessageCodec;
import io.vxseal.cluster.message.MessageEncoder;
import io.vxseal.cluster.refusal.RefusalListener;
import io.vxseal.cluster.refusal.RefusedException;
import io.vxseal.swarm.NodeName;
import io.vxseal.swarm.Role;
import io.vxseal.swarm.SwarmIdentity;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.function.BiConsumer;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Sockets of the cluster: dials hubs, and listens on a manager. Decodes messages on the sessions' threads, and delivers them to the member
 * on the cluster's thread, on which all methods are called.
 */
final class ClusterSockets {
    private static final Logger LOG = LoggerFactory.getLogger(ClusterSockets.class);
    /** After a failed attempt to listen, as when the port is taken. */
    private static final Duration LISTEN_AGAIN = Duration.ofSeconds(5);

    private final int port;
    private final ClusterThread thread;
    private final ClusterMember member;
    private final RefusalListener refusals;
    private final MessageEncoder encoder = new MessageEncoder();
    private Optional<LinkThreads> link = Optional.empty();
    private Optional<HubServer> server = Optional.empty();
    private Optional<HubClient> client = Optional.empty();
    private Set<String> formerManagers = Set.of();
    private Set<String> removed = Set.of();
    private long listenNotBefore = System.nanoTime();
    private Optional<String> listenProblem = Optional.empty();
    private Optional<String> dialProblem = Optional.empty();

    ClusterSockets(int port, ClusterThread thread, ClusterMember member, RefusalListener refusals) {
        this.port = port;
        this.thread = thread;
        this.member = member;
        this.refusals = refusals;
    }

    /** Opens what is not open yet; to be called again and again. */
    void open(SwarmIdentity as, InetAddress bind) {
        LinkThreads threads = link.orElseGet(LinkThreads::new);
        link = Optional.of(threads);
        if (client.isEmpty()) {
            client = Optional.of(new HubClient(bind, as, threads, LinkTimes.DEFAULT, new Uplinks(), refusals));
            member.retry();
        }
        if (as.name().role() == Role.MANAGER && server.isEmpty() && System.nanoTime() - listenNotBefore >= 0) {
            listen(as, bind, threads);
        }
    }

    private void listen(SwarmIdentity as, InetAddress bind, LinkThreads threads) {
        HubServer starting = new HubServer(
                new InetSocketAddress(bind, port), as, threads, LinkTimes.DEFAULT, new Nodes(), refusals);
        starting.recheck(refusal(formerManagers, removed));
        try {
            starting.start();
            server = Optional.of(starting);
            listenProblem = Optional.empty();
            LOG.info("hub at {}:{}", bind.getHostAddress(), port);
        } catch (IOException | RuntimeException e) {
            starting.close();
            listenNotBefore = System.nanoTime() + LISTEN_AGAIN.toNanos();
            String text = "cannot listen at %s:%d: %s".formatted(bind.getHostAddress(), port, e.getMessage());
            if (!listenProblem.equals(Optional.of(text))) {
                listenProblem = Optional.of(text);
                LOG.error("no hub here, retrying: {}", text);
            }
        }
    }

    /** Uses certificates that are new or renewed. */
    void identityChanged(SwarmIdentity now) {
        client.ifPresent(c -> c.identityChanged(now));
        server.ifPresent(s -> s.identityChanged(now));
    }

    /** Ends the sessions of nodes that show a manager's certificate, and opens none, in place of the nodes before. */
    void refuseFormerManagers(Set<String> nodes) {
        formerManagers = nodes;
        server.ifPresent(s -> s.recheck(refusal(formerManagers, removed)));
    }

    /** Ends the sessions of nodes that were removed from the swarm, and opens none, in place of the nodes before. */
    void refuseRemoved(Set<String> nodes) {
        removed = nodes;
        server.ifPresent(s -> s.recheck(refusal(formerManagers, removed)));
    }

    /** Returns the judgement by name. Sessions' threads call it, so it has sets that do not change. */
    private static Function<NodeName, Optional<String>> refusal(Set<String> formerManagers, Set<String> removed) {
        return name -> {
            if (removed.contains(name.node())) {
                return Optional.of("it was removed from the swarm");
            }
            return name.role() == Role.MANAGER && formerManagers.contains(name.node())
                    ? Optional.of("its certificate is a manager's, and the engine's list of managers does not have it")
                    : Optional.empty();
        };
    }

    /** Stops listening. */
    void closeServer() {
        server.ifPresent(HubServer::close);
        server = Optional.empty();
    }

    /** Closes all sockets; {@link #open} opens new ones. */
    void closeAll() {
        client.ifPresent(HubClient::close);
        client = Optional.empty();
        closeServer();
    }

    /** Ends the threads. */
    void end() {
        link.ifPresent(LinkThreads::close);
    }

    /** Returns what keeps this node from the others, in words. */
    Optional<String> problem() {
        return listenProblem.or(() -> member.node().hubs().isEmpty() ? dialProblem : Optional.empty());
    }

    // ---- hubs

    /** Dials a hub; the member learns how that ends. */
    void dial(InetAddress hub) {
        if (client.isEmpty()) {
            thread.post(() -> member.hubFailed(hub));
            return;
        }
        CompletableFuture<?> _ = client.get().dial(new InetSocketAddress(hub, port)).whenComplete((connection, failure) -> {
            if (!thread.post(() -> dialled(hub, connection, failure)) && connection != null) {
                connection.close("this node's plugin ends");
            }
        });
    }

    private void dialled(InetAddress hub, Connection connection, @Nullable Throwable failure) {
        if (failure != null) {
            Throwable cause = failure.getCause() == null ? failure : failure.getCause();
            dialProblem = Optional.of("no hub is reached; %s: %s".formatted(hub.getHostAddress(), cause.getMessage()));
            LOG.debug("hub at {} is not reached: {}", hub, cause.toString());
            member.hubFailed(hub);
        } else if (client.isEmpty()) {
            connection.close("this node left");
            member.hubFailed(hub);
        } else if (connection.hasEnded()) {
            // The listener was called, or will be, for a session that nobody knew of.
            member.hubFailed(hub);
        } else {
            dialProblem = Optional.empty();
            member.hubReached(hub, channel(connection));
        }
    }

    private void receive(Connection connection, byte[] octets, BiConsumer<MessageChannel, Message> deliver) {
        try {
            MessageCodec.decode(octets).ifPresent(message -> post(connection, octets.length, () -> deliver.accept(channel(connection), message)));
        } catch (RefusedException e) {
            refusals.refused(e, connection.peer().node());
        }
    }

    /** Delivers a message. What waits for the thread is bounded by the session, from which no more is read then. */
    private void post(Connection connection, int octets, Runnable delivery) {
        connection.hold(octets);
        boolean posted = thread.post(() -> {
            try {
                delivery.run();
            } finally {
                connection.release(octets);
            }
        });
        if (!posted) {
            connection.release(octets);
        }
    }

    private ConnectionChannel channel(Connection connection) {
        return new ConnectionChannel(connection, encoder);
    }

    /** Sessions with hubs. */
    private final class Uplinks implements ConnectionListener {
        @Override
        public void opened(Connection connection) {
            // The dialling ends with it.
        }

        @Override
        public void received(Connection connection, byte[] message) {
            receive(connection, message, member::hubReceived);
        }

        @Override
        public void drained(Connection connection) {
            thread.post(() -> member.hubDrained(channel(connection)));
        }

        @Override
        public void closed(Connection connection, String reason) {
            thread.post(() -> {
                LOG.info("session with hub {} ended: {}", connection.peer().node(), reason);
                member.hubClosed(channel(connection));
            });
        }
    }

    /** Sessions of nodes with this hub. */
    private final class Nodes implements ConnectionListener {
        @Override
        public void opened(Connection connection) {
            thread.post(() -> member.nodeOpened(channel(connection)));
        }

        @Override
        public void received(Connection connection, byte[] message) {
            receive(connection, message, member::nodeReceived);
        }

        @Override
        public void drained(Connection connection) {
            thread.post(() -> member.nodeDrained(channel(connection)));
        }

        @Override
        public void closed(Connection connection, String reason) {
            thread.post(() -> {
                LOG.info("session of node {} ended: {}", connection.peer().node(), reason);
                member.nodeClosed(channel(connection));
            });
        }
    }
}
