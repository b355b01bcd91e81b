package io.vxseal.cluster;

import io.vxseal.cluster.link.Connection;
import io.vxseal.cluster.link.ConnectionListener;
import io.vxseal.cluster.link.HubClient;
import io.vxseal.cluster.link.HubServer;
import io.vxseal.cluster.link.LinkThreads;
import io.vxseal.cluster.link.LinkTimes;
import io.vxseal.cluster.link.Rejections;
import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.message.MessageChannel;
import io.vxseal.cluster.message.MessageCodec;
import io.vxseal.cluster.message.RefusedException;
import io.vxseal.cluster.record.HubView.Retention;
import io.vxseal.cluster.ring.KeyAuthority;
import io.vxseal.cluster.ring.RingFile;
import io.vxseal.cluster.ring.RingStore;
import io.vxseal.cluster.ring.RingTrust;
import io.vxseal.encryption.KeyRing;
import io.vxseal.peers.Peer;
import io.vxseal.swarm.CertificateFiles;
import io.vxseal.swarm.IdentityException;
import io.vxseal.swarm.ManagerAddresses;
import io.vxseal.swarm.Role;
import io.vxseal.swarm.SwarmIdentity;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.NetworkInterface;
import java.net.SocketException;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The cluster in a process: follows the engine's files, holds the sockets, and runs a {@link ClusterMember} on one thread. Everything
 * happens on that thread, {@link #post}ed to it, but for {@link #status()} and {@link #outlook()}.
 */
final class ClusterProcess implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ClusterProcess.class);

    /** How long a record outlives the silence of its node; replacing a plugin by another build may take the longer time. */
    static final Retention RETENTION = new Retention(Duration.ofSeconds(26), Duration.ofMinutes(10));
    private static final Duration TICK = Duration.ofSeconds(1);
    /** Long enough for the driver to say what it remembers before the first session opens. */
    private static final Duration FIRST_TICK = Duration.ofMillis(50);
    /** After a failed attempt to listen, as when the port is taken. */
    private static final Duration LISTEN_AGAIN = Duration.ofSeconds(5);
    /** A renewal replaces files one by one; missing for longer, the swarm was left. */
    private static final Duration LEFT = Duration.ofSeconds(5);
    /** For all hubs to hear that this node goes; one that does not answer delays it no longer. */
    private static final Duration FAREWELL = Duration.ofSeconds(2);
    private static final Duration FAREWELL_CHECK = Duration.ofMillis(20);
    /** For all of {@link #close}: the engine kills a plugin 10 s after it asked it to end. */
    private static final Duration CLOSE = Duration.ofSeconds(5);

    private final ClusterSettings settings;
    private final ClusterThread thread = new ClusterThread();
    private final Outlook outlook;
    private final Refusals refusals = new Refusals();
    private final Rejections rejections = new Rejections();
    private final ClusterMember member;
    private final CertificateFiles certificates;
    private final ManagerAddresses managerAddresses;
    private final StatusReport report;

    private Optional<Addresses> addresses = Optional.empty();
    private Optional<SwarmIdentity> identity = Optional.empty();
    private Optional<Long> identityMissing = Optional.empty();
    private Optional<String> identityProblem = Optional.empty();
    private Optional<String> listenProblem = Optional.empty();
    private Optional<String> dialProblem = Optional.empty();
    private ManagerAddresses.Listing listing = ManagerAddresses.Listing.EMPTY;
    private Optional<LinkThreads> link = Optional.empty();
    private Optional<HubServer> server = Optional.empty();
    private Optional<HubClient> client = Optional.empty();
    private long listenNotBefore = System.nanoTime();
    private boolean ticking;
    private boolean leaving;

    private volatile ClusterStatus status = ClusterStatus.EMPTY;

    /** Where this node is: the address that others are told, and the one to listen on. */
    record Addresses(InetAddress advertise, InetAddress bind) {}

    ClusterProcess(ClusterSettings settings, KeyAuthority authority, Retention retention, ClusterListener listener) {
        this.settings = settings;
        this.outlook = new Outlook(listener);
        RingStore store = settings.ringFolder().<RingStore>map(RingFile::new).orElse(RingStore.NONE);
        this.member = new ClusterMember(authority, retention, store, thread, new SecureRandom(), new Outside());
        this.certificates = new CertificateFiles(settings.certificates());
        this.managerAddresses = new ManagerAddresses(settings.managers());
        this.report = new StatusReport(member);
    }

    private final class Outside implements ClusterMember.Outside {
        @Override
        public void dial(InetAddress hub) {
            if (client.isEmpty()) {
                thread.post(() -> member.hubFailed(hub));
                return;
            }
            CompletableFuture<?> _ = client.get().dial(new InetSocketAddress(hub, settings.port())).whenComplete((connection, failure) -> {
                if (!thread.post(() -> dialled(hub, connection, failure)) && connection != null) {
                    connection.close("this node's plugin ends");
                }
            });
        }

        @Override
        public void changed(List<PeerChange> changes) {
            outlook.change(changes);
        }

        @Override
        public void recalled(List<Peer> endpoints, Runnable then) {
            outlook.recalled(endpoints, () -> thread.post(then));
        }

        @Override
        public void keys(KeyRing keys) {
            outlook.change(keys);
        }

        @Override
        public void refuse(String node, String what) {
            refusals.refuse("node " + node, what);
        }
    }

    boolean post(Runnable task) {
        return thread.post(task);
    }

    /** Runs a task on the cluster's member, on its thread. */
    void tell(Consumer<ClusterMember> task) {
        thread.post(() -> task.accept(member));
    }

    // ---- where this node is

    void self(InetAddress advertise, InetAddress bind) {
        Addresses now = new Addresses(advertise, bind.isAnyLocalAddress() && isLocal(advertise) ? advertise : bind);
        if (addresses.equals(Optional.of(now))) {
            return;
        }
        addresses = Optional.of(now);
        disconnect("this node moves to another address");
        member.vtep(advertise);
        if (!ticking) {
            ticking = true;
            thread.after(FIRST_TICK, this::tickOn);
        }
    }

    private static boolean isLocal(InetAddress address) {
        try {
            return NetworkInterface.getByInetAddress(address) != null;
        } catch (SocketException _) {
            return false;
        }
    }

    private void tickOn() {
        thread.after(TICK, this::tickOn);
        if (!leaving) {
            tick();
        }
    }

    private void tick() {
        readManagers();
        readCertificates();
        connect();
        member.tick();
        takeStatus();
    }

    private void readManagers() {
        ManagerAddresses.Listing now = managerAddresses.read();
        if (!now.equals(listing)) {
            listing = now;
            member.listed(now);
        }
    }

    // ---- the swarm's certificates

    private void readCertificates() {
        if (!certificates.changed()) {
            return;
        }
        try {
            SwarmIdentity now = certificates.read();
            identityMissing = Optional.empty();
            identityProblem = Optional.empty();
            if (identity.isEmpty() || !identity.get().same(now)) {
                become(now);
            }
        } catch (IdentityException e) {
            certificates.again();
            if (!identityProblem.equals(Optional.of(e.getMessage()))) {
                identityProblem = Optional.of(e.getMessage());
                if (e.isAbsent()) {
                    LOG.info("waiting for the swarm's certificates: {}", e.getMessage());
                } else {
                    LOG.error("cannot join the cluster: {}", e.getMessage());
                }
            }
            if (e.isAbsent() && identity.isPresent()) {
                awaitCertificates(identity.get());
            }
        }
    }

    private void awaitCertificates(SwarmIdentity before) {
        long missing = identityMissing.orElseGet(System::nanoTime);
        identityMissing = Optional.of(missing);
        if (System.nanoTime() - missing > LEFT.toNanos()) {
            LOG.info("the certificates are gone: this node left swarm {}", before.name().swarm());
            leaveSwarm(() -> { });
        }
    }

    /** Takes certificates that are new, renewed, or of another swarm. */
    private void become(SwarmIdentity now) {
        LOG.info("this is node {}, {} of swarm {}", now.name().node(), now.name().role(), now.name().swarm());
        boolean sameNode = identity.filter(before -> before.name().swarm().equals(now.name().swarm())
                && before.name().node().equals(now.name().node())).isPresent();
        boolean sameRoots = identity.filter(before -> before.roots().equals(now.roots())).isPresent();
        if (identity.isPresent() && !sameNode) {
            leaveSwarm(() -> become(now));
            return;
        }
        identity = Optional.of(now);
        client.ifPresent(c -> c.identityChanged(now));
        server.ifPresent(s -> s.identityChanged(now));
        member.become(RingTrust.of(now));
        if (now.name().role() != Role.MANAGER) {
            server.ifPresent(HubServer::close);
            server = Optional.empty();
        }
        if (sameNode && !sameRoots && now.name().role() == Role.MANAGER) {
            LOG.info("the swarm's root was replaced: the keys are rotated");
            member.onRemoval();
        }
        takeStatus();
    }

    /**
     * Says good-bye, and forgets the other nodes once the hubs have heard it. The ring and this node's own endpoints stay.
     *
     * @param then run after that
     */
    private void leaveSwarm(Runnable then) {
        leaving = true;
        member.node().goodbye();
        awaitGoodbye(System.nanoTime() + FAREWELL.toNanos(), () -> {
            disconnect("this node left the swarm");
            member.forget();
            identity = Optional.empty();
            leaving = false;
            takeStatus();
            then.run();
        });
    }

    private void awaitGoodbye(long limit, Runnable then) {
        if (member.node().isGoodbyeHeard() || System.nanoTime() - limit >= 0) {
            then.run();
        } else {
            thread.after(FAREWELL_CHECK, () -> awaitGoodbye(limit, then));
        }
    }

    // ---- sockets

    private void connect() {
        if (identity.isEmpty() || addresses.isEmpty()) {
            return;
        }
        SwarmIdentity as = identity.get();
        Addresses at = addresses.get();
        LinkThreads threads = link.orElseGet(LinkThreads::new);
        link = Optional.of(threads);
        if (client.isEmpty()) {
            client = Optional.of(new HubClient(at.bind(), as, threads, LinkTimes.DEFAULT, new Uplinks(), rejections));
            member.retry();
        }
        if (as.name().role() == Role.MANAGER && server.isEmpty() && System.nanoTime() - listenNotBefore >= 0) {
            listen(as, at, threads);
        }
    }

    private void listen(SwarmIdentity as, Addresses at, LinkThreads threads) {
        HubServer starting = new HubServer(
                new InetSocketAddress(at.bind(), settings.port()), as, threads, LinkTimes.DEFAULT, new Nodes(), rejections);
        try {
            starting.start();
            server = Optional.of(starting);
            listenProblem = Optional.empty();
            LOG.info("hub at {}:{}", at.bind().getHostAddress(), settings.port());
        } catch (IOException | RuntimeException e) {
            starting.close();
            listenNotBefore = System.nanoTime() + LISTEN_AGAIN.toNanos();
            String text = "cannot listen at %s:%d: %s".formatted(at.bind().getHostAddress(), settings.port(), e.getMessage());
            if (!listenProblem.equals(Optional.of(text))) {
                listenProblem = Optional.of(text);
                LOG.error("no hub here, retrying: {}", text);
            }
        }
    }

    private void disconnect(String reason) {
        member.node().closeAll(reason);
        member.hub().ifPresent(hub -> hub.closeAll(reason));
        client.ifPresent(HubClient::close);
        server.ifPresent(HubServer::close);
        client = Optional.empty();
        server = Optional.empty();
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
        } else {
            dialProblem = Optional.empty();
            member.hubReached(hub, new ConnectionChannel(connection));
        }
    }

    /** Reads a message on the session's thread, and passes it on to the cluster's. */
    private void receive(Connection connection, byte[] octets, BiConsumer<MessageChannel, Message> deliver) {
        try {
            MessageCodec.decode(octets).ifPresent(message ->
                    thread.post(() -> deliver.accept(new ConnectionChannel(connection), message)));
        } catch (RefusedException e) {
            refusals.refuse("node " + connection.peer().node(), e.getMessage());
        }
    }

    /** The sessions with hubs. */
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
            thread.post(() -> member.hubDrained(new ConnectionChannel(connection)));
        }

        @Override
        public void closed(Connection connection, String reason) {
            thread.post(() -> {
                LOG.info("session with hub {} ended: {}", connection.peer().node(), reason);
                member.hubClosed(new ConnectionChannel(connection));
            });
        }
    }

    /** The sessions of nodes with this hub. */
    private final class Nodes implements ConnectionListener {
        @Override
        public void opened(Connection connection) {
            thread.post(() -> member.nodeOpened(new ConnectionChannel(connection)));
        }

        @Override
        public void received(Connection connection, byte[] message) {
            receive(connection, message, member::nodeReceived);
        }

        @Override
        public void drained(Connection connection) {
            thread.post(() -> member.nodeDrained(new ConnectionChannel(connection)));
        }

        @Override
        public void closed(Connection connection, String reason) {
            thread.post(() -> {
                LOG.info("session of node {} ended: {}", connection.peer().node(), reason);
                member.nodeClosed(new ConnectionChannel(connection));
            });
        }
    }

    // ---- what others read

    Outlook outlook() {
        return outlook;
    }

    ClusterStatus status() {
        return status;
    }

    private void takeStatus() {
        status = report.make(identity.map(SwarmIdentity::name), addresses.map(Addresses::advertise),
                identityProblem.or(() -> listenProblem).or(() -> member.node().hubs().isEmpty() ? dialProblem : Optional.empty()),
                refusals.count(), rejections);
    }

    @Override
    public void close() {
        if (thread.isClosed()) {
            return;
        }
        outlook.close();
        try {
            CompletableFuture<Void> heard = new CompletableFuture<>();
            thread.post(() -> {
                leaving = true;
                member.away();
                awaitHeard(heard, System.nanoTime() + FAREWELL.toNanos());
            });
            heard.get(CLOSE.toMillis(), TimeUnit.MILLISECONDS);
            thread.ask(() -> {
                disconnect("this node's plugin ends");
                return true;
            }).get(CLOSE.toMillis(), TimeUnit.MILLISECONDS);
        } catch (ExecutionException | TimeoutException | RejectedExecutionException e) {
            LOG.warn("the cluster was not left in good order: {}", e.toString());
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
        thread.close();
        link.ifPresent(LinkThreads::close);
    }

    private void awaitHeard(CompletableFuture<Void> heard, long limit) {
        if (member.node().isHeard() || System.nanoTime() - limit >= 0) {
            heard.complete(null);
        } else {
            thread.after(FAREWELL_CHECK, () -> awaitHeard(heard, limit));
        }
    }
}
