package io.vxseal.overlay;

import io.vxseal.address.Cidr;
import io.vxseal.address.MacAddress;
import io.vxseal.address.NodeAddresses;
import io.vxseal.cluster.Cluster;
import io.vxseal.cluster.ClusterListener;
import io.vxseal.cluster.ClusterStatus;
import io.vxseal.cluster.PeerChange;
import io.vxseal.cluster.node.SwarmInquiry;
import io.vxseal.cluster.record.PathMatrix;
import io.vxseal.cluster.record.PathReport;
import io.vxseal.cluster.ring.RingStatus;
import io.vxseal.encryption.Encryption;
import io.vxseal.encryption.Key;
import io.vxseal.encryption.KeyRing;
import io.vxseal.journal.Journal;
import io.vxseal.kernel.firewall.FirewallDetector;
import io.vxseal.overlay.watch.Conditions;
import io.vxseal.overlay.watch.PathsInUse;
import io.vxseal.peers.Peer;
import java.io.IOException;
import java.net.InetAddress;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The network driver: the calls of the remote driver protocol, what the cluster reports, and what an operator asks. Each call takes the
 * driver's lock and delegates.
 */
public final class Driver implements ClusterListener, AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(Driver.class);

    private final DriverLock lock = new DriverLock();
    private final Journal journal = new Journal();
    private final ErrorLog errors = new ErrorLog(journal);
    private final RepairLog repairs = new RepairLog(errors, journal);

    private final Protection protection;
    private final StateStore store;
    private final LocalNode local;
    private final Networks networks;
    private final DataPath dataPath;
    private final Readiness readiness;
    private final ServiceAddresses services;

    private final Cluster cluster;
    private final Endpoints endpoints;
    private final Rekeying rekeying;
    private final ClusterEvents events;
    private final Reconciler reconciler;
    private final Recovery recovery;
    private final OverviewReader overview;
    private final Reporter reporter;
    private final NodeWatch watch;
    private final PathReporter paths;
    private final PathMtuWatch mtus;
    private final NetworkRefusals refusals = new NetworkRefusals(System::nanoTime);

    private boolean closed;

    /**
     * @param detector detects the firewall, once, when the first rule is needed
     * @param store of what the engine does not repeat
     * @param patience how long a Join waits for this node's address, and on an encrypted network for the first keys
     * @param cluster creates the cluster, which reports to this driver
     */
    public Driver(
            Host host,
            Encryption encryption,
            FirewallDetector detector,
            StateStore store,
            Duration patience,
            Function<ClusterListener, Cluster> cluster) {
        this.store = store;
        this.cluster = cluster.apply(this);
        protection = new Protection(host, encryption, detector);
        local = new LocalNode(host);
        networks = new Networks(store, this.cluster);
        services = new ServiceAddresses(host, lock, networks, repairs);
        dataPath = new DataPath(host, encryption, protection, networks, local, services, journal);
        readiness = new Readiness(lock, patience, local, encryption);
        endpoints = new Endpoints(networks, dataPath, local, readiness, this.cluster, services);
        rekeying = new Rekeying(lock, encryption, dataPath, readiness, this.cluster, repairs, store.keysInForce);
        events = new ClusterEvents(networks, dataPath, local, rekeying, this.cluster, services, repairs, journal);
        reconciler = new Reconciler(
                encryption, protection, networks, dataPath, local, endpoints, rekeying, this.cluster, services, repairs);
        recovery = new Recovery(host, encryption, protection, store, this.cluster, networks, dataPath, services);
        Conditions conditions = new Conditions();
        overview = new OverviewReader(
                host, encryption, protection, networks, dataPath, local, services, conditions, repairs, errors);
        reporter = new Reporter(networks, dataPath, protection, local, repairs, this.cluster);
        NetworkWays ways = new NetworkWays(networks, local);
        paths = new PathReporter(host, lock, ways);
        PathsInUse inUse = new PathsInUse();
        mtus = new PathMtuWatch(host, lock, ways, inUse, conditions, errors);
        Observer observer = new Observer(host, encryption, networks, local, this.cluster, refusals, inUse, mtus, errors);
        watch = new NodeWatch(lock, this.cluster, overview, observer, conditions, reporter, journal);
    }

    /**
     * Recovers what a previous process left ({@link Recovery}).
     *
     * @throws DriverException if the run folder is not that of the networks which are up
     */
    public void recover() throws DriverException {
        lock.runLocked(() -> {
            try {
                recovery.recover();
            } catch (IOException failure) {
                throw DriverException.system("could not recover what a previous run left", failure);
            }
        });
    }

    /** Repairs what is not as it should be in the kernel ({@link Reconciler#repair}). To be called every few seconds. */
    public void repair() {
        lock.runLocked(() -> {
            if (!closed) {
                reconciler.repair();
            }
        });
    }

    /** Observes this node ({@link NodeWatch#watch}). To be called every few seconds, after {@link #repair}. */
    public void watch() {
        watch.watch();
    }

    /** Looks whether large packets pass to other nodes ({@link PathMtuWatch#look}). To be called every ten seconds. */
    public void watchMtus() {
        mtus.look();
    }

    /** Returns whether this node is in no group yet, so that no other node could have announced its endpoints. */
    public boolean isAlone() {
        return cluster.status().members().isEmpty();
    }

    /** Forgets the nodes of a previous process that this one has received no record of. */
    public void forgetLingering() throws DriverException {
        lock.runLocked(dataPath::forgetLingering);
    }

    /**
     * Begins a term of this node as the swarm's leader. The engine's allocator asks for the driver's capabilities before it allocates
     * the swarm's networks anew.
     */
    public void beginTerm() {
        lock.runLocked(networks::beginTerm);
    }

    /**
     * Allocates the VNIs of a network, on the swarm's leading manager, and its MTU if this node's link is smaller than usual.
     *
     * @return all options, with the list of VNIs
     */
    public Map<String, String> allocateNetwork(String id, Map<String, String> options, List<Network.Pool> pools)
            throws DriverException {
        return lock.locked(() -> {
            OptionalInt mtu = local.underlayMtu();
            return networks.allocate(
                    id, mtu.isPresent() ? NetworkOptions.withUnderlayMtu(options, mtu.getAsInt()) : options, pools);
        });
    }

    /** Frees the VNIs that {@link #allocateNetwork} allocated. */
    public void freeNetwork(String id) throws DriverException {
        lock.runLocked(() -> networks.free(id));
    }

    /**
     * Creates a network on this node. Does nothing if it is known with the same definition. A known network with the same id or VNI is
     * deleted: the swarm's definition counts, and this node may have been away when the network was removed.
     *
     * @throws DriverException if a container here is on such a network
     */
    public void createNetwork(Network network) throws DriverException {
        lock.runLocked(() -> {
            if (networks.find(network.id()).filter(known -> known.network.equals(network)).isPresent()) {
                return;
            }
            refusals.watch(NetworkRefusals.Step.CREATE, network.id(), () -> {
                for (Attachment replaced : networks.replacedBy(network)) {
                    log.info("deleting network {}, which network {} of the swarm replaces", replaced.id(), network.id());
                    deleteNetwork(replaced.id());
                }
                networks.add(network);
                return network;
            });
        });
    }

    /** Deletes a network, and what is left of it in the kernel. */
    public void deleteNetwork(String id) throws DriverException {
        lock.runLocked(() -> {
            Attachment attachment = networks.get(id);
            for (String endpoint : List.copyOf(attachment.endpoints.keySet())) {
                endpoints.delete(id, endpoint);
            }
            try {
                if (attachment.isUp()) {
                    dataPath.takeDown(attachment);
                }
            } catch (IOException failure) {
                throw DriverException.system("could not take down network " + id, failure);
            }
            networks.remove(id);
            repairs.forget(id);
        });
    }

    /**
     * Creates an endpoint.
     *
     * @param mac as the user asked for it, if at all
     * @return the interface's MAC address
     */
    public MacAddress createEndpoint(String network, String id, Cidr address, Optional<MacAddress> mac) throws DriverException {
        return lock.locked(() -> endpoints.create(network, id, address, mac));
    }

    /** Deletes an endpoint. One that has not left leaves first. */
    public void deleteEndpoint(String network, String id) throws DriverException {
        services.left(id);
        lock.runLocked(() -> endpoints.delete(network, id));
    }

    /** Returns what {@code docker} may show of an endpoint, by name. */
    public Map<String, String> endpointInfo(String network, String id) throws DriverException {
        return lock.locked(() ->
                Map.of("com.docker.network.endpoint.macaddress", endpoints.get(network, id).mac().toString()));
    }

    /** Creates an endpoint's link, and brings its network up before if it is the first one here ({@link Endpoints#join}). */
    public Joined join(String network, String id, String sandbox) throws DriverException {
        services.left(id);
        return lock.locked(() -> refusals.watch(NetworkRefusals.Step.JOIN, network, () -> endpoints.join(network, id, sandbox)));
    }

    /** Removes an endpoint's link, and takes its network down after if it was the last one here. */
    public void leave(String network, String id) throws DriverException {
        services.leaving(id);
        try {
            lock.runLocked(() -> endpoints.leave(network, id));
        } finally {
            // The engine goes on to leave also if this failed.
            services.awaitNames(id);
        }
    }

    /**
     * Sets this node's addresses, which the engine names once.
     *
     * @param named the address that the other nodes know this one by, and the one that the engine is bound to
     */
    public void self(NodeAddresses named) {
        lock.runLocked(() -> {
            NodeAddresses addresses = local.set(named);
            cluster.self(named.advertise(), named.bind());
            reconciler.moveTo(addresses);
            readiness.signal();
        });
    }

    /** Adds a node of the swarm. */
    public void nodeFound(InetAddress node) throws DriverException {
        lock.runLocked(() -> {
            cluster.found(node);
            store.addNode(node);
        });
    }

    /** Removes a node that left the swarm. */
    public void nodeLost(InetAddress node) throws DriverException {
        lock.runLocked(() -> {
            cluster.lost(node);
            store.removeNode(node);
        });
    }

    /**
     * Sets the keys that the engine delivers, the primary first.
     *
     * @throws DriverException if there is none
     */
    public void initialKeys(List<Key> keys) throws DriverException {
        lock.runLocked(() -> rekeying.setKeys(keys));
    }

    /**
     * Updates the keys that the engine delivered.
     *
     * @param added new key
     * @param primary tag of the key to send with from now on
     * @param prune tag of the key to remove
     */
    public void updateKeys(Optional<Key> added, OptionalInt primary, OptionalInt prune) throws DriverException {
        lock.runLocked(() -> rekeying.updateKeys(added, primary, prune));
    }

    /**
     * Requests a rotation of the keys before it is due ({@link Cluster#rotate}).
     *
     * @return the version of the ring that is in force until then
     * @throws DriverException if there is none, or the engine delivered it
     */
    public long rotate() throws DriverException {
        RingStatus ring = cluster.status().ring().orElseThrow(() -> DriverException.conflict(
                "there are no keys to rotate yet: this node has received none from a manager"));
        if (ring.external()) {
            throw DriverException.conflict("the engine delivered the keys, and only it can rotate them");
        }
        cluster.rotate();
        return ring.version();
    }

    @Override
    public void peersChanged(List<PeerChange> changes) {
        lock.runLocked(() -> events.peersChanged(changes));
    }

    @Override
    public void recalled(List<Peer> own) {
        lock.runLocked(() -> events.recalled(own));
    }

    @Override
    public void ring(KeyRing now) {
        lock.runLocked(() -> events.ring(now));
    }

    @Override
    public PathReport checkPaths() {
        return paths.report();
    }

    /** Returns the state of the cluster, without secrets. */
    public ClusterStatus clusterStatus() {
        return cluster.status();
    }

    /** Takes the ids of all nodes of the swarm, as this manager's engine lists them ({@link Cluster#swarmNodes}). */
    public void swarmNodes(Set<String> nodes) {
        cluster.swarmNodes(nodes);
    }

    /** Returns the state of this node, without secrets. Reads from the kernel, but changes nothing. */
    public Overview status() {
        return lock.locked(overview::read);
    }

    /**
     * Returns the reports of all nodes, through a manager's hub. Waits for them, some seconds at most.
     *
     * @throws DriverException if no hub is reached, or none answers
     */
    public SwarmInquiry.Answer swarmReports() throws DriverException {
        return reporter.ask();
    }

    /**
     * Has all nodes check their paths to each other, and returns what they found. Waits for them, 25 s at most.
     *
     * @throws DriverException if this node is no manager
     */
    public PathMatrix swarmPaths() throws DriverException {
        return reporter.checkPaths();
    }

    /** Returns the kernel's counters. What cannot be read is left out, and kept as an error for status. */
    public KernelCounters kernelCounters() {
        return lock.locked(overview::kernelCounters);
    }

    /** Returns how long a key is in use, by this node's settings. */
    public Duration keyRotation() {
        return cluster.rotation();
    }

    /** Returns the journal of what happened on this node. */
    public Journal journal() {
        return journal;
    }

    /** Returns the log of errors that {@link #status} shows. */
    public ErrorLog errors() {
        return errors;
    }

    /** Closes what this process has open. What the networks have in the kernel stays, so containers do not notice. */
    @Override
    public void close() {
        cluster.close();
        services.close();
        lock.runLocked(() -> {
            closed = true;
            rekeying.close();
            protection.close();
            networks.all().forEach(attachment -> attachment.namespace.ifPresent(NetworkNamespace::close));
        });
    }
}
