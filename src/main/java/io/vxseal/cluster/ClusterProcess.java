package io.vxseal.cluster;

import io.vxseal.address.NodeAddresses;
import io.vxseal.cluster.hub.RecordFile;
import io.vxseal.cluster.hub.RecordStore;
import io.vxseal.cluster.record.HubView.Retention;
import io.vxseal.cluster.record.PathReport;
import io.vxseal.cluster.refusal.Refusals;
import io.vxseal.cluster.ring.KeyAuthority;
import io.vxseal.cluster.ring.RingFile;
import io.vxseal.cluster.ring.RingStore;
import io.vxseal.cluster.ring.RingTrust;
import io.vxseal.encryption.KeyRing;
import io.vxseal.peers.Peer;
import io.vxseal.swarm.ManagerAddresses;
import io.vxseal.swarm.Role;
import io.vxseal.swarm.SwarmIdentity;
import io.vxseal.swarm.UnlockKeySource;
import java.net.InetAddress;
import java.net.NetworkInterface;
import java.net.SocketException;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The cluster in a process: follows the engine's files, and runs a {@link ClusterMember} and its sockets on one thread. All methods are
 * called on that thread, through {@link #post}, except {@link #status()}, {@link #view()} and {@link #close()}.
 */
final class ClusterProcess implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ClusterProcess.class);

    /** Times for which a record outlives the silence of its node; replacing a plugin by another build may take the longer one. */
    static final Retention RETENTION = new Retention(Duration.ofSeconds(26), Duration.ofMinutes(10));
    private static final Duration TICK = Duration.ofSeconds(1);
    /** Long enough for the driver to announce what it remembers before the first session opens. */
    private static final Duration FIRST_TICK = Duration.ofMillis(50);
    /** Longest time for all hubs to receive this node's good-bye. */
    private static final Duration FAREWELL = Duration.ofSeconds(2);
    private static final Duration FAREWELL_CHECK = Duration.ofMillis(20);
    /** For all of {@link #close}: the engine kills a plugin 10 s after it asked it to end. */
    private static final Duration CLOSE = Duration.ofSeconds(5);

    private final ClusterThread thread = new ClusterThread();
    private final ClusterListener listener;
    private final ClusterView view;
    private final Optional<RecordFile> records;
    private final Refusals refusals = new Refusals();
    private final ClusterMember member;
    private final ClusterSockets sockets;
    private final CertificateWatch certificates;
    private final ManagerAddresses managerAddresses;
    private final StatusReport report;

    private Optional<NodeAddresses> addresses = Optional.empty();
    private Optional<SwarmIdentity> identity = Optional.empty();
    private ManagerAddresses.Listing listing = ManagerAddresses.Listing.EMPTY;
    private boolean ticking;
    private boolean leaving;

    private volatile ClusterStatus status = ClusterStatus.EMPTY;

    ClusterProcess(
            ClusterSettings settings,
            Optional<UnlockKeySource> unlockKeys,
            KeyAuthority authority,
            Retention retention,
            ClusterListener listener) {
        this.listener = listener;
        this.view = new ClusterView(listener);
        RingStore store = settings.ringFolder().<RingStore>map(RingFile::new).orElse(RingStore.NONE);
        this.records = settings.recordFolder().map(RecordFile::new);
        this.member = new ClusterMember(authority, retention, store, records.<RecordStore>map(Function.identity()).orElse(RecordStore.NONE),
                thread, new SecureRandom(), new Effects(), refusals);
        this.sockets = new ClusterSockets(settings.port(), thread, member, refusals);
        this.certificates = new CertificateWatch(settings.certificates(), unlockKeys, new CertificateChanges());
        this.managerAddresses = new ManagerAddresses(settings.managers());
        this.report = new StatusReport(member);
    }

    private final class Effects implements Surroundings {
        @Override
        public void dial(InetAddress hub) {
            sockets.dial(hub);
        }

        @Override
        public void changed(List<PeerChange> changes) {
            view.change(changes);
        }

        @Override
        public void recalled(List<Peer> endpoints, Runnable then) {
            view.recalled(endpoints, () -> thread.post(then));
        }

        @Override
        public void checkPaths(Consumer<Optional<PathReport>> then) {
            // A thread of its own: a check takes seconds, in which peers and keys may change.
            Thread.ofPlatform().daemon().name("vxseal-path-check").start(() -> {
                Optional<PathReport> found = pathReport();
                thread.post(() -> then.accept(found));
            });
        }

        private Optional<PathReport> pathReport() {
            try {
                return Optional.of(listener.checkPaths());
            } catch (Throwable failure) {
                LOG.error("cannot check the paths to other nodes, as a manager's plugin asked", failure);
                return Optional.empty();
            }
        }

        @Override
        public void keys(KeyRing keys) {
            view.change(keys);
            // The engine may deliver keys before this node knows where it is, and so before the first tick.
            takeStatus();
        }

        @Override
        public void refuseFormerManagers(Set<String> nodes) {
            sockets.refuseFormerManagers(nodes);
        }

        @Override
        public void refuseRemoved(Set<String> nodes) {
            sockets.refuseRemoved(nodes);
        }
    }

    boolean post(Runnable task) {
        return thread.post(task);
    }

    /** Runs a task on the cluster's member, on its thread. */
    void submit(Consumer<ClusterMember> task) {
        thread.post(() -> task.accept(member));
    }

    // ---- where this node is

    void self(InetAddress advertise, InetAddress bind) {
        NodeAddresses now = new NodeAddresses(advertise, bind.isAnyLocalAddress() && isLocal(advertise) ? advertise : bind);
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
        certificates.look(identity);
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

    private final class CertificateChanges implements CertificateWatch.Listener {
        @Override
        public void replaced(SwarmIdentity now) {
            become(now);
        }

        @Override
        public void gone() {
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
        sockets.identityChanged(now);
        member.become(RingTrust.of(now));
        if (now.name().role() != Role.MANAGER) {
            sockets.closeServer();
        }
        if (sameNode && !sameRoots && now.name().role() == Role.MANAGER) {
            LOG.info("the swarm's root was replaced: rotating the keys until nodes of the old root have none of them");
            member.revokeKeys();
        }
        takeStatus();
    }

    /**
     * Sends a good-bye, and forgets the other nodes once the hubs have received that. The ring and this node's own endpoints stay.
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

    private void connect() {
        if (identity.isPresent() && addresses.isPresent()) {
            sockets.open(identity.get(), addresses.get().bind());
        }
    }

    private void disconnect(String reason) {
        member.node().closeAll(reason);
        member.hub().ifPresent(hub -> hub.closeAll(reason));
        sockets.closeAll();
    }

    // ---- what others read

    ClusterView view() {
        return view;
    }

    ClusterStatus status() {
        return status;
    }

    private void takeStatus() {
        status = report.make(identity.map(SwarmIdentity::name), addresses.map(NodeAddresses::advertise),
                certificates.problem().or(sockets::problem), refusals);
    }

    @Override
    public void close() {
        if (thread.isClosed()) {
            return;
        }
        view.close();
        try {
            CompletableFuture<Void> received = new CompletableFuture<>();
            thread.post(() -> {
                leaving = true;
                member.away();
                awaitReceived(received, System.nanoTime() + FAREWELL.toNanos());
            });
            received.get(CLOSE.toMillis(), TimeUnit.MILLISECONDS);
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
        sockets.end();
        records.ifPresent(RecordFile::close);
    }

    private void awaitReceived(CompletableFuture<Void> received, long limit) {
        if (member.node().isHeard() || System.nanoTime() - limit >= 0) {
            received.complete(null);
        } else {
            thread.after(FAREWELL_CHECK, () -> awaitReceived(received, limit));
        }
    }
}
