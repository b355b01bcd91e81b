package io.vxseal.overlay;

import io.vxseal.address.Cidr;
import io.vxseal.address.MacAddress;
import io.vxseal.cluster.Cluster;
import io.vxseal.cluster.PeerChange;
import io.vxseal.cluster.Status;
import io.vxseal.encryption.Encryption;
import io.vxseal.encryption.Ends;
import io.vxseal.encryption.Handover;
import io.vxseal.encryption.Key;
import io.vxseal.encryption.KeyRing;
import io.vxseal.kernel.firewall.Firewall;
import io.vxseal.kernel.firewall.Segment;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.netns.UdpPorts;
import io.vxseal.kernel.route.Route.Link;
import io.vxseal.peers.Peer;
import io.vxseal.peers.PeerDatabase;
import io.vxseal.state.StateFile;
import java.io.IOException;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What each call of the remote driver protocol means. One lock guards all: calls are short, and what one changes (keys,
 * nodes, networks) the others read.
 */
public final class Driver implements Cluster.Listener, AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(Driver.class);

    /** Lines that status has of what is in the way. */
    private static final int MOST_IN_THE_WAY = 10;

    private final Host host;
    private final Encryption encryption;
    private final Protection protection;
    private final StateStore memory;
    private final Duration patience;
    private final Cluster cluster;

    private final ReentrantLock lock = new ReentrantLock();
    /** Of what a Join may have to wait for: this node's address, and keys. */
    private final Condition told = lock.newCondition();

    private final Map<String, Attachment> networks = new HashMap<>();
    private final Set<InetAddress> nodes = new LinkedHashSet<>();
    private VniAllocator vnis = new VniAllocator(Map.of(), 0);
    private Optional<Ends> ends = Optional.empty();
    /** The keys in force, or on their way there. */
    private KeyRing ring = KeyRing.EMPTY;
    private final Handover handover = new Handover();
    private final ErrorLog errors = new ErrorLog();
    private final RepairLog repairs = new RepairLog(errors);
    private boolean closed;
    /** Identity of the run folder on the host; empty if it cannot be told. */
    private String runFolder = "";
    /** Nodes that an earlier process sealed traffic with, until this one has had the time to hear from them. */
    private Set<InetAddress> lingering = Set.of();
    /** Whether entries of endpoints that nobody told this process of are an earlier one's, and may yet be told. */
    private boolean unsettled;
    /** Endpoints that were unknown here and left; the engine is yet to delete them. */
    private final Set<String> strangers = new HashSet<>();

    /** A network on this node: its definition, who is on it, and, while a container here is, what is in the kernel. */
    private static final class Attachment {
        private final Network network;
        private final Map<String, Endpoint> endpoints = new HashMap<>();
        private final PeerDatabase peers = new PeerDatabase();
        private Optional<NetworkNamespace> namespace = Optional.empty();
        /** Whether a removal of the namespace failed half-way. */
        private boolean incomplete;

        private Attachment(Network network) {
            this.network = network;
        }

        private boolean up() {
            return namespace.isPresent();
        }

        /** Whether a container here is on the network, known to this process or not. */
        private boolean isInUse() throws KernelException {
            return endpoints.values().stream().anyMatch(Endpoint::joined)
                    || up() && namespace.orElseThrow().hasStrangers(endpoints.values());
        }

        /** Whether the network is encrypted and may have a device here. */
        private boolean needsProtection() {
            return up() && network.encrypted();
        }
    }

    /** Finds the firewall that the host uses. */
    public interface FirewallChoice {
        /**
         * Returns the firewall that holds the host's rules.
         *
         * @param transport which IP carries VXLAN between the nodes
         */
        Firewall choose(Firewall.Transport transport) throws IOException;
    }

    /** A step's inverse. */
    private interface Undo {
        void run() throws Exception;
    }

    /**
     * A network's answer to Join.
     *
     * @param link name of the link in the host's namespace, for the engine to move
     * @param routes the other subnets of the network
     * @param gateway through which they are reached
     */
    public record Joined(String link, List<Cidr> routes, InetAddress gateway) {}

    /**
     * @param firewalls asked once, when the first rule is needed
     * @param memory of what the engine does not repeat
     * @param patience how long a Join waits for this node's address, and on an encrypted network for the first keys
     * @param cluster makes the way to the other nodes; it reports to this driver
     */
    public Driver(
            Host host,
            Encryption encryption,
            FirewallChoice firewalls,
            StateStore memory,
            Duration patience,
            Function<Cluster.Listener, Cluster> cluster) {
        this.host = host;
        this.encryption = encryption;
        this.protection = new Protection(host, encryption, firewalls);
        this.memory = memory;
        this.patience = patience;
        this.cluster = cluster.apply(this);
    }

    /**
     * Recovers what an earlier process left: its memory, the namespaces it pinned, its rules, states and policies. A namespace that
     * is pinned counts even where the memory is lost, as after the plugin was removed and installed again: its network is read off
     * the kernel, or, if it cannot be, its VXLAN devices go down. A VXLAN device that this process would not protect is deleted
     * before any protection changes; the first repair makes it anew.
     *
     * @throws DriverException if the run folder is not that of the networks which are up
     */
    public void recover() throws DriverException {
        lock.lock();
        try {
            encryption.adopt();
            List<NetworkScan.Pinned> pinned = NetworkScan.pinned(host, encryption.stands());
            StateStore.Lasting remembered = remembered(pinned);
            checkRunFolder(remembered, pinned);
            vnis = new VniAllocator(remembered.vnis(), remembered.nextVni());
            for (Network network : remembered.networks()) {
                networks.put(network.id(), new Attachment(network));
            }
            for (NetworkScan.Pinned found : pinned) {
                recover(found);
            }
            for (Endpoint endpoint : endpoints()) {
                Attachment attachment = networks.get(endpoint.network());
                if (attachment != null) {
                    attachment.endpoints.put(endpoint.id(), endpoint.joined(endpoint.joined() && attachment.up()));
                    removeUnanswered(attachment, endpoint);
                }
            }
            unsettled = networks.values().stream().anyMatch(Attachment::up);
            boolean encrypted = networks.values().stream().anyMatch(Attachment::needsProtection);
            if (encryption.stands() && networks.values().stream().noneMatch(attachment -> attachment.network.encrypted())) {
                protection.keepBlock();
            }
            lingering = encrypted ? encryption.adopted() : Set.of();
            seal();
            remembered.nodes().forEach(this::found);
            if (!networks.isEmpty()) {
                log.info("recovered {} networks from a previous run", networks.size());
            }
        } catch (IOException failure) {
            throw DriverException.system("could not recover what a previous run left", failure);
        } finally {
            lock.unlock();
        }
    }

    /** A network that this process does not know, or cannot open, must not go on without protection. */
    private void recover(NetworkScan.Pinned found) throws KernelException {
        Attachment attachment = networks.get(found.id());
        if (attachment == null) {
            log.error("the namespace of network {} is pinned but holds no whole network: its VXLAN devices are set down", found.id());
            NetworkScan.silence(host, found);
            return;
        }
        attachment.namespace = NetworkNamespace.open(attachment.network, host);
        if (attachment.up()) {
            NetworkNamespace namespace = attachment.namespace.orElseThrow();
            namespace.removeOtherTunnels(namespace.links(), Optional.empty());
        }
    }

    /**
     * Where networks are up the run folder cannot change: their namespaces are pinned in the other one, out of reach.
     *
     * @throws DriverException naming both folders and the remedy
     */
    private void checkRunFolder(StateStore.Lasting remembered, List<NetworkScan.Pinned> pinned) throws DriverException, IOException {
        runFolder = memory.runFolder();
        String before = remembered.runFolder();
        if (before.equals(runFolder) || !boot(before).equals(boot(runFolder)) || !pinned.isEmpty()) {
            return;
        }
        Set<Integer> bound = UdpPorts.bound(host.namespace());
        bound.retainAll(encryption.ports());
        if (!bound.isEmpty()) {
            throw DriverException.conflict(("networks are up whose namespaces are in another run folder, %s, not in %s:"
                    + " set run.source back").formatted(path(before), path(runFolder)));
        }
    }

    private static String boot(String runFolder) {
        return runFolder.substring(runFolder.lastIndexOf('@') + 1);
    }

    private static String path(String runFolder) {
        return runFolder.substring(runFolder.indexOf('/'), runFolder.lastIndexOf('@'));
    }

    /** A link of an endpoint that has not joined is of a Join in whose middle the earlier process died. */
    private static void removeUnanswered(Attachment attachment, Endpoint endpoint) throws KernelException {
        if (attachment.up() && !endpoint.joined()) {
            attachment.namespace.orElseThrow().removeEndpoint(endpoint);
        }
    }

    /** Returns what an earlier process wrote down, with the networks that are pinned and not in it. */
    private StateStore.Lasting remembered(List<NetworkScan.Pinned> pinned) throws IOException {
        StateStore.Lasting remembered;
        Optional<Path> aside = Optional.empty();
        String damage = "";
        try {
            remembered = memory.lasting.read().orElse(StateStore.Lasting.NOTHING);
        } catch (IOException damaged) {
            remembered = StateStore.Lasting.NOTHING;
            damage = damaged.getMessage();
            aside = Optional.of(memory.lasting.setAside());
        }
        Set<String> known = new HashSet<>();
        remembered.networks().forEach(network -> known.add(network.id()));
        List<Network> found = pinned.stream()
                .flatMap(there -> there.network().stream())
                .filter(network -> !known.contains(network.id()))
                .toList();
        if (found.isEmpty() && aside.isEmpty()) {
            return remembered;
        }
        StateStore.Lasting rebuilt = remembered.with(found);
        memory.lasting.write(rebuilt);
        List<String> ids = found.stream().map(Network::id).toList();
        if (aside.isPresent()) {
            log.error("{}; it is {} now. Recovered from the kernel: {}. Everything else the engine told this node is lost: restart the "
                    + "engine when it suits", damage, aside.get(), ids);
        } else {
            log.warn("networks {} are up but not in the state file: recovered from the kernel", ids);
        }
        return rebuilt;
    }

    /** Likewise; where they are lost, the other nodes may know those that have joined. */
    private List<Endpoint> endpoints() throws IOException {
        try {
            Optional<StateStore.Passing> read = memory.passing.read();
            if (read.isEmpty() && networks.values().stream().anyMatch(Attachment::up)) {
                cluster.recall();
            }
            return read.map(StateStore.Passing::endpoints).orElse(List.of());
        } catch (IOException damaged) {
            Path aside = memory.passing.setAside();
            cluster.recall();
            log.error("{}; it is {} now. The other nodes are asked for what they know of the endpoints here",
                    damaged.getMessage(), aside);
            return List.of();
        }
    }

    /** Whether this node is in no group yet, so that nobody could have told it of others. */
    public boolean isAlone() {
        return cluster.status().members().isEmpty();
    }

    /** The nodes of an earlier process that have not made themselves known by now are gone. */
    public void forgetLingering() throws DriverException {
        lock.lock();
        try {
            lingering = Set.of();
            unsettled = false;
            seal();
        } finally {
            lock.unlock();
        }
    }

    /**
     * Compares what the kernel has with what it should have, and puts right what differs: what others removed or
     * changed, and what an earlier process did not finish. To be called every few seconds; it costs a few lists of
     * the kernel's and a firewall command or two.
     */
    public void repair() {
        lock.lock();
        try {
            if (ends.isEmpty() || closed) {
                return;
            }
            InetAddress vtep = ends.get().bind();
            goOnWithKeys();
            takeDownDeserted();
            removeOtherTunnels();
            boolean guarded = repairs.attempt(RepairLog.Kind.RULES, "this host", () -> protection.restore(devices(), vnis()));
            repairs.attempt(RepairLog.Kind.SEALING, "this host", () -> {
                seal();
                return encryption.repair();
            });
            if (encryption.wantsOtherKeys()) {
                cluster.rotate();
            }
            for (Attachment attachment : networks.values()) {
                if (!attachment.up()) {
                    continue;
                }
                NetworkNamespace namespace = attachment.namespace.orElseThrow();
                String id = attachment.network.id();
                if (attachment.network.encrypted()
                        && !(guarded && repairs.attempt(RepairLog.Kind.RULES, id, namespace::repairMark))) {
                    // Without its rules anybody could send into the network in clear, and without its mark it would send in clear.
                    repairs.attempt(RepairLog.Kind.LINKS, id, () -> {
                        namespace.silence();
                        return 0;
                    });
                    continue;
                }
                List<Peer> remote = attachment.peers.walk().stream().filter(this::remote).toList();
                if (repairs.attempt(RepairLog.Kind.LINKS, id, () -> repairLinks(attachment, vtep)) && attachment.up()) {
                    repairs.attempt(RepairLog.Kind.ENTRIES, id, () -> namespace.repairEntries(remote, !unsettled));
                }
            }
        } finally {
            lock.unlock();
        }
    }

    /** What would not be protected goes down before the protection of anything is changed. */
    private void removeOtherTunnels() {
        for (Attachment attachment : networks.values()) {
            if (attachment.needsProtection()) {
                NetworkNamespace namespace = attachment.namespace.orElseThrow();
                repairs.attempt(RepairLog.Kind.LINKS, attachment.network.id() + " without protection", () ->
                        namespace.removeOtherTunnels(namespace.links(), ends.map(Ends::bind)));
            }
        }
    }

    /** Returns the VNIs of all networks that are known here. */
    private Set<Integer> vnis() {
        Set<Integer> known = new HashSet<>();
        networks.values().forEach(attachment -> attachment.network.subnets().forEach(subnet -> known.add(subnet.vni())));
        return known;
    }

    /** Returns the segments of all encrypted networks that may have a device here. */
    private Set<Segment> devices() {
        Set<Segment> devices = new HashSet<>();
        networks.values().stream()
                .filter(Attachment::needsProtection)
                .forEach(attachment -> devices.addAll(attachment.network.segments(host.port())));
        return devices;
    }

    /** A container that ended while nobody was here to be told so has left all the same, and took its link along. */
    private int repairLinks(Attachment attachment, InetAddress vtep) throws IOException, DriverException {
        NetworkNamespace namespace = attachment.namespace.orElseThrow();
        Map<String, Link> links = namespace.links();
        List<Endpoint> joined = new ArrayList<>(attachment.endpoints.values().stream().filter(Endpoint::joined).toList());
        for (Endpoint gone : NetworkNamespace.gone(links, joined)) {
            log.info("endpoint {} at {} is gone with its container", gone.id(), gone.address());
            leave(gone.network(), gone.id());
            joined.remove(gone);
        }
        return attachment.up() ? namespace.repairLinks(links, joined, vtep) : 0;
    }

    /** All that an operator may want to know of this node, without secrets; looks at the kernel, but changes nothing. */
    public Overview status() {
        lock.lock();
        try {
            List<Overview.Attached> attached = networks.values().stream()
                    .map(attachment -> new Overview.Attached(
                            attachment.network,
                            attachment.up(),
                            List.copyOf(attachment.endpoints.values()),
                            attachment.peers.walk().stream().filter(this::remote).toList()))
                    .sorted(Comparator.comparing(attachment -> attachment.network().id()))
                    .toList();
            return new Overview(
                    ends,
                    cluster.status(),
                    attached,
                    protection.firewallName(),
                    encryption.wanted(),
                    found(),
                    inTheWay(),
                    repairs.repaired(),
                    errors.last());
        } finally {
            lock.unlock();
        }
    }

    /** Returns what keeps packets from being sealed or opened, a line each. */
    private List<String> inTheWay() {
        List<String> lines = new ArrayList<>(encryption.inTheWay());
        encryption.failures().forEach((node, why) -> lines.add("node %s: %s".formatted(node.getHostAddress(), why)));
        Set<InetAddress> unreachable = new LinkedHashSet<>();
        networks.values().forEach(attachment -> attachment.peers.vteps().stream()
                .filter(node -> !isOfOurFamily(node))
                .forEach(unreachable::add));
        unreachable.forEach(node -> lines.add(
                "node %s: its address is of another IP version than this node's: give all nodes addresses of one"
                        .formatted(node.getHostAddress())));
        return lines.size() <= MOST_IN_THE_WAY ? lines : lines.subList(0, MOST_IN_THE_WAY);
    }

    private Optional<Encryption.Tally> found() {
        try {
            return Optional.of(encryption.found());
        } catch (KernelException failure) {
            errors.add("status", failure.getMessage());
            return Optional.empty();
        }
    }

    /** Where what failed is kept for {@link #status}. */
    public ErrorLog errors() {
        return errors;
    }

    /**
     * Has the keys replaced before their time; see {@link Cluster#rotate}.
     *
     * @return the version of the ring that is in force until then
     * @throws DriverException if there is none, or the engine delivered it
     */
    public long rotate() throws DriverException {
        Status.Ring ring = cluster.status()
                .ring()
                .orElseThrow(() -> DriverException.conflict(
                        "there are no keys to rotate yet: no manager has made any known to this node"));
        if (ring.external()) {
            throw DriverException.conflict("the engine delivered the keys, and only it can rotate them");
        }
        cluster.rotate();
        return ring.version();
    }

    /** How many things {@link #repair} has put right since the start. */
    Map<RepairLog.Kind, Long> repairs() {
        lock.lock();
        try {
            return repairs.counts();
        } finally {
            lock.unlock();
        }
    }

    /** Networks that a process which died in the middle of a Join or Leave left up with nobody on them. */
    private void takeDownDeserted() {
        for (Attachment attachment : networks.values()) {
            if (attachment.up() && attachment.endpoints.values().stream().noneMatch(Endpoint::joined)) {
                repairs.attempt(RepairLog.Kind.LINKS, attachment.network.id(), () -> takeDownIfDeserted(attachment) ? 1 : 0);
            }
        }
    }

    /** A container that is unknown here, as after a damaged state file, is on its network all the same. */
    private boolean takeDownIfDeserted(Attachment attachment) throws IOException, DriverException {
        if (attachment.isInUse()) {
            return false;
        }
        takeDown(attachment);
        return true;
    }

    /**
     * Begins a term of this node as the swarm's leader: the engine's allocator asks for the driver's capabilities before it allocates
     * the swarm's networks anew.
     */
    public void beginTerm() {
        lock.lock();
        try {
            vnis.beginTerm();
        } finally {
            lock.unlock();
        }
    }

    /**
     * Chooses the VNIs of a network, on the swarm's leading manager.
     *
     * @return all options, with the list of VNIs
     */
    public Map<String, String> allocateNetwork(String id, Map<String, String> options, List<Network.Pool> pools)
            throws DriverException {
        lock.lock();
        try {
            NetworkOptions read = NetworkOptions.of(options);
            Network.check(pools);
            VniAllocator before = vnis;
            vnis = vnis.copy();
            List<Integer> chosen;
            try {
                chosen = vnis.allocate(id, read.vnis(), pools.size(), vni -> attachmentWith(vni).isPresent());
                remember();
            } catch (DriverException failure) {
                vnis = before;
                throw failure;
            }
            Map<String, String> all = new HashMap<>(options);
            all.put(NetworkOptions.VXLANID_LIST, NetworkOptions.print(chosen));
            return all;
        } finally {
            lock.unlock();
        }
    }

    /** Takes back what {@link #allocateNetwork} gave. */
    public void freeNetwork(String id) throws DriverException {
        lock.lock();
        try {
            vnis.free(id);
            remember();
        } finally {
            lock.unlock();
        }
    }

    /**
     * Makes a network known to this node. One that is known with the same definition stays as it is. The swarm's word counts: a network
     * with the same id or VNI that is known from before gives way unless containers are on it here, for this node may have been away
     * when it was removed.
     *
     * @throws DriverException if a network with containers here is in the way
     */
    public void createNetwork(Network network) throws DriverException {
        lock.lock();
        try {
            Attachment known = networks.get(network.id());
            if (known != null && known.network.equals(network)) {
                return;
            }
            List<Attachment> outdated = new ArrayList<>();
            if (known != null) {
                refuseIfInUse(known, "network %s is in use here with another definition: stop its containers first".formatted(network.id()));
                outdated.add(known);
            }
            for (Subnet subnet : network.subnets()) {
                Optional<Attachment> owner = attachmentWith(subnet.vni()).filter(other -> other != known);
                if (owner.isPresent()) {
                    refuseIfInUse(owner.get(), "VNI %d (option %s) is used by network %s, which has containers here: stop them first"
                            .formatted(subnet.vni(), NetworkOptions.VXLANID_LIST, owner.get().network.id()));
                    outdated.add(owner.get());
                }
            }
            for (Attachment gone : outdated) {
                log.info("network {} gives way to network {}", gone.network.id(), network.id());
                deleteNetwork(gone.network.id());
            }
            Attachment created = new Attachment(network);
            networks.put(network.id(), created);
            cluster.peers(network.id()).forEach(created.peers::add);
            try {
                remember();
            } catch (DriverException failure) {
                networks.remove(network.id());
                throw failure;
            }
        } finally {
            lock.unlock();
        }
    }

    private static void refuseIfInUse(Attachment attachment, String why) throws DriverException {
        try {
            if (attachment.isInUse()) {
                throw DriverException.conflict(why);
            }
        } catch (KernelException failure) {
            throw DriverException.system("could not look for containers on network " + attachment.network.id(), failure);
        }
    }

    /** Forgets a network, and removes what is left of it on this node. */
    public void deleteNetwork(String id) throws DriverException {
        lock.lock();
        try {
            Attachment attachment = attachment(id);
            for (Endpoint endpoint : List.copyOf(attachment.endpoints.values())) {
                deleteEndpoint(id, endpoint.id());
            }
            if (attachment.up()) {
                takeDown(attachment);
            }
            networks.remove(id);
            remember();
        } catch (IOException failure) {
            throw DriverException.system("could not take down network " + id, failure);
        } finally {
            lock.unlock();
        }
    }

    /**
     * Makes an endpoint known. The same again is answered the same: the engine repeats a call whose answer it did not get,
     * as when this program was killed and started again.
     *
     * @param mac what the user asked for, if anything
     * @return the interface's MAC address
     */
    public MacAddress createEndpoint(String network, String id, Cidr address, Optional<MacAddress> mac)
            throws DriverException {
        lock.lock();
        try {
            Attachment attachment = attachment(network);
            Endpoint known = attachment.endpoints.get(id);
            if (known != null) {
                if (!known.joined() && known.address().equals(address) && mac.orElse(known.mac()).equals(known.mac())) {
                    return known.mac();
                }
                throw DriverException.conflict(
                        "endpoint %s is on network %s already: delete it first".formatted(id, network));
            }
            if (attachment.network.subnetOf(address.address()).isEmpty()) {
                throw DriverException.invalid(
                        "Address",
                        address,
                        "want one in a subnet of the network: "
                                + attachment.network.subnets().stream()
                                        .map(Subnet::pool)
                                        .toList());
            }
            Endpoint endpoint =
                    new Endpoint(id, network, address, mac.orElseGet(() -> MacAddress.of(address.address())), false);
            attachment.endpoints.put(id, endpoint);
            try {
                rememberEndpoints();
            } catch (DriverException failure) {
                attachment.endpoints.remove(id);
                throw failure;
            }
            return endpoint.mac();
        } finally {
            lock.unlock();
        }
    }

    /** Forgets an endpoint; if it never left, it does now. */
    public void deleteEndpoint(String network, String id) throws DriverException {
        lock.lock();
        try {
            boolean left = leaveStranger(attachment(network), id);
            if (strangers.remove(id) || left) {
                return;
            }
            Endpoint endpoint = endpoint(network, id);
            if (endpoint.joined()) {
                leave(network, id);
            }
            attachment(network).endpoints.remove(id);
            rememberEndpoints();
        } finally {
            lock.unlock();
        }
    }

    /** What {@code docker} may show of an endpoint, by name. */
    public Map<String, String> endpointInfo(String network, String id) throws DriverException {
        lock.lock();
        try {
            Endpoint endpoint = endpoint(network, id);
            return Map.of("com.docker.network.endpoint.macaddress", endpoint.mac().toString());
        } finally {
            lock.unlock();
        }
    }

    /**
     * Gives an endpoint its link, and with the first one on this node the network its namespace, after its rules and
     * before its packets. Repeated, as {@link #createEndpoint} may be, it makes the link anew while the engine has not taken
     * the container's end.
     */
    public Joined join(String network, String id) throws DriverException {
        lock.lock();
        try {
            awaitSelf();
            if (attachment(network).network.encrypted()) {
                awaitKeys(network);
            }
            Attachment attachment = attachment(network);
            Endpoint endpoint = notJoined(attachment, endpoint(network, id));
            Ends local = ends.orElseThrow(() -> DriverException.forbidden(
                    "this node's address is not known yet: is its engine part of a swarm?"));
            Subnet subnet = attachment.network.subnetOf(endpoint.address().address()).orElseThrow();
            Deque<Undo> undo = new ArrayDeque<>();
            String link;
            try {
                if (attachment.incomplete) {
                    takeDown(attachment);
                }
                if (!attachment.up()) {
                    bringUp(attachment, local, undo);
                }
                link = attachment.namespace.orElseThrow().addEndpoint(endpoint, subnet, local.bind());
                undo.push(() -> attachment.namespace.orElseThrow().removeEndpoint(endpoint));
                Peer own = own(endpoint, local);
                apply(attachment, attachment.peers.add(own));
                undo.push(() -> apply(attachment, attachment.peers.remove(own)));
                attachment.endpoints.put(id, endpoint.joined(true));
                undo.push(() -> attachment.endpoints.put(id, endpoint));
                rememberEndpoints();
            } catch (IOException | DriverException failure) {
                undo(undo);
                throw failure instanceof DriverException refused
                        ? refused
                        : DriverException.system("could not join network " + network, failure);
            }
            cluster.announce(own(endpoint, local));
            List<Cidr> routes = attachment.network.subnets().stream()
                    .filter(other -> !other.equals(subnet))
                    .map(Subnet::pool)
                    .toList();
            return new Joined(link, routes, subnet.gateway().address());
        } finally {
            lock.unlock();
        }
    }

    private static Endpoint notJoined(Attachment attachment, Endpoint endpoint) throws DriverException {
        try {
            if (endpoint.joined()
                    && !(attachment.up() && attachment.namespace.orElseThrow().isUntaken(endpoint))) {
                throw DriverException.conflict(
                        "endpoint %s has joined network %s already".formatted(endpoint.id(), endpoint.network()));
            }
            return endpoint.joined(false);
        } catch (KernelException failure) {
            throw DriverException.system("could not look for the link of endpoint " + endpoint.id(), failure);
        }
    }

    /** Takes an endpoint's link away, and with the last one on this node all that the network has in the kernel. */
    public void leave(String network, String id) throws DriverException {
        lock.lock();
        try {
            Attachment attachment = attachment(network);
            if (leaveStranger(attachment, id)) {
                return;
            }
            Endpoint endpoint = endpoint(network, id);
            if (!endpoint.joined()) {
                return;
            }
            cluster.withdraw(network, id);
            try {
                attachment.endpoints.put(id, endpoint.joined(false));
                if (attachment.up()) {
                    attachment.namespace.orElseThrow().removeEndpoint(endpoint);
                }
                if (ends.isPresent()) {
                    apply(attachment, attachment.peers.remove(own(endpoint, ends.get())));
                }
                takeDownIfDeserted(attachment);
            } catch (IOException failure) {
                throw DriverException.system("could not leave network " + network, failure);
            } finally {
                rememberEndpoints();
            }
        } finally {
            lock.unlock();
        }
    }

    /** An endpoint that this process knows nothing of may have its link: then that is all there is to take away. */
    private boolean leaveStranger(Attachment attachment, String id) throws DriverException {
        if (!attachment.up() || attachment.endpoints.containsKey(id)) {
            return false;
        }
        try {
            if (!attachment.namespace.orElseThrow().removeEndpoint(id)) {
                return false;
            }
            strangers.add(id);
            takeDownIfDeserted(attachment);
            return true;
        } catch (IOException failure) {
            throw DriverException.system("could not leave network " + attachment.network.id(), failure);
        }
    }

    /**
     * Sets this node's addresses, which the engine names once. The local end of the datagrams is the address that the other nodes
     * are told, if it is one of the host's own, as with {@code --data-path-addr}; behind NAT it is the address that the engine is bound
     * to. The cluster is told in any case, and what fails here is repaired later.
     *
     * @param named as the engine names them: the address that the other nodes are told, and the one that it is bound to
     */
    public void self(Ends named) {
        lock.lock();
        try {
            InetAddress advertise = named.advertise();
            Ends now = new Ends(isLocal(advertise) ? advertise : named.bind(), advertise);
            ends = Optional.of(now);
            protection.local(now.bind());
            cluster.self(advertise, named.bind());
            for (Attachment attachment : networks.values()) {
                for (Endpoint endpoint : attachment.endpoints.values()) {
                    if (endpoint.joined()) {
                        Peer own = own(endpoint, now);
                        tryTo("bring entries to this node's address", () -> apply(attachment, attachment.peers.add(own)));
                        cluster.announce(own);
                    }
                }
            }
            tryTo("protect the networks that are up", () -> {
                removeOtherTunnels();
                if (!devices().isEmpty()) {
                    protection.raise(devices());
                }
            });
            // Frames of version 0.1.0 bear another mark, whose policies go with the step after this.
            networks.values().stream().filter(Attachment::needsProtection).forEach(this::mark);
            tryTo("bring IPsec states and policies to this node's address", () -> encryption.ends(now));
            tryTo("seal to the nodes of the networks that are up", this::seal);
            told.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /** A network whose frames cannot be marked must not send. */
    private void mark(Attachment attachment) {
        NetworkNamespace namespace = attachment.namespace.orElseThrow();
        tryTo("mark the frames of network " + attachment.network.id(), () -> {
            try {
                namespace.repairMark();
            } catch (IOException failure) {
                namespace.silence();
                throw failure;
            }
        });
    }

    private boolean isLocal(InetAddress address) {
        try {
            return host.route().hasAddress(address);
        } catch (KernelException failure) {
            log.warn("cannot tell whether {} is an address of this host: {}", address.getHostAddress(), failure.getMessage());
            return false;
        }
    }

    /** Docker names another node. */
    public void nodeFound(InetAddress node) throws DriverException {
        lock.lock();
        try {
            if (found(node)) {
                remember();
            }
        } finally {
            lock.unlock();
        }
    }

    /** Docker says that a node left the swarm. */
    public void nodeLost(InetAddress node) throws DriverException {
        lock.lock();
        try {
            cluster.lost(node);
            if (nodes.remove(node)) {
                remember();
            }
        } finally {
            lock.unlock();
        }
    }

    /**
     * Keys that the engine delivers, the primary first, are the ring from then on (moby, {@code setKeys}).
     *
     * @throws DriverException if there is none
     */
    public void initialKeys(List<Key> keys) throws DriverException {
        if (keys.isEmpty()) {
            throw DriverException.invalid("Keys", "[]", "want at least one key");
        }
        deliver(new KeyRing(keys));
    }

    /**
     * A change of the ring that the engine delivers (moby, {@code updateKeys}).
     *
     * @param added new key
     * @param primary tag of the key to send with from now on
     * @param prune tag of the key to forget
     */
    public void updateKeys(Optional<Key> added, OptionalInt primary, OptionalInt prune) throws DriverException {
        lock.lock();
        try {
            deliver(ring.update(added, primary, prune));
        } catch (IllegalArgumentException refused) {
            throw DriverException.invalid("key update", "tags only", refused.getMessage());
        } finally {
            lock.unlock();
        }
    }

    /** States before the entries that let packets out, and after them on the way back. */
    @Override
    public void peersChanged(List<PeerChange> changes) {
        lock.lock();
        try {
            Set<InetAddress> before = sealedTo();
            Map<Attachment, Map<InetAddress, PeerDatabase.Change>> changed = new HashMap<>();
            for (PeerChange change : changes) {
                Peer peer = change.peer();
                Attachment attachment = networks.get(peer.network());
                if (attachment != null) {
                    PeerDatabase.Change made = change instanceof PeerChange.Added
                            ? attachment.peers.add(peer)
                            : attachment.peers.remove(peer);
                    changed.computeIfAbsent(attachment, _ -> new LinkedHashMap<>())
                            .merge(peer.address().address(), made, PeerDatabase.Change::then);
                }
            }
            Set<InetAddress> after = sealedTo();
            Set<InetAddress> both = new HashSet<>(before);
            both.addAll(after);
            if (both.size() > before.size()) {
                tryTo("seal to new nodes", () -> seal(both));
            }
            changed.forEach((attachment, made) ->
                    tryTo("reach all endpoints of network " + attachment.network.id(), () -> apply(attachment, made.values())));
            if (both.size() > after.size()) {
                tryTo("forget the states of nodes that are gone", () -> seal(after));
            }
        } finally {
            lock.unlock();
        }
    }

    /** Takes a step that the next repair takes again if it fails. */
    private void tryTo(String what, Undo step) {
        try {
            step.run();
        } catch (Exception failure) {
            errors.add(what, failure.getMessage());
            log.error("could not {}, retrying: {}", what, failure.getMessage());
        }
    }

    /** Two witnesses make an endpoint: what others were told of it, and its link. */
    @Override
    public void recalled(List<Peer> own) {
        lock.lock();
        try {
            int taken = 0;
            for (Peer peer : own) {
                Attachment attachment = networks.get(peer.network());
                if (attachment == null || !attachment.up() || ends.isEmpty()
                        || attachment.endpoints.containsKey(peer.endpoint())
                        || attachment.network.subnetOf(peer.address().address()).isEmpty()
                        || !attachment.namespace.orElseThrow().hasLink(peer.endpoint())) {
                    continue;
                }
                Endpoint endpoint = new Endpoint(peer.endpoint(), peer.network(), peer.address(), peer.mac(), true);
                attachment.endpoints.put(endpoint.id(), endpoint);
                apply(attachment, attachment.peers.add(own(endpoint, ends.get())));
                cluster.announce(own(endpoint, ends.get()));
                taken++;
            }
            rememberEndpoints();
            log.info("took up {} endpoints that other nodes were told of", taken);
        } catch (IOException | DriverException failure) {
            log.error("could not take up endpoints that other nodes were told of: {}", failure.getMessage());
        } finally {
            lock.unlock();
        }
    }

    @Override
    public void ring(KeyRing now) {
        lock.lock();
        try {
            change(now);
            log.info("{} keys in force", now.keys().size());
        } catch (KernelException failure) {
            log.error("could not bring all nodes to the new keys: {}", failure.getMessage());
        } finally {
            told.signalAll();
            lock.unlock();
        }
    }

    /** Lets go of the kernel; what networks have there stays, so that containers do not notice. */
    @Override
    public void close() {
        cluster.close();
        lock.lock();
        try {
            closed = true;
            networks.values().forEach(attachment -> attachment.namespace.ifPresent(NetworkNamespace::close));
        } finally {
            lock.unlock();
        }
    }

    /** The order matters: rules and block policy stand before the first link of an encrypted network comes up. */
    private void bringUp(Attachment attachment, Ends local, Deque<Undo> undo) throws IOException, DriverException {
        Network network = attachment.network;
        undo.push(() -> takeDown(attachment));
        if (network.encrypted()) {
            protection.raise(network.segments(host.port()));
        }
        NetworkNamespace namespace = NetworkNamespace.create(network, host, local.bind());
        attachment.namespace = Optional.of(namespace);
        seal();
        namespace.addPeers(attachment.peers.walk());
    }

    /** The devices go first. Where one cannot be removed the network counts as up, protected, until a repair removes it. */
    private void takeDown(Attachment attachment) throws IOException, DriverException {
        if (attachment.up()) {
            attachment.incomplete = true;
            attachment.namespace.get().delete();
            attachment.namespace = Optional.empty();
            attachment.incomplete = false;
        }
        seal();
        if (attachment.network.encrypted()) {
            protection.lower(attachment.network.segments(host.port()));
        }
    }

    /** Brings states and policies to the nodes that encrypted networks up here have endpoints on. */
    private void seal() throws DriverException {
        seal(sealedTo());
    }

    private void seal(Set<InetAddress> wanted) throws DriverException {
        try {
            encryption.nodes(wanted, sealing());
        } catch (KernelException failure) {
            throw DriverException.system("could not program IPsec", failure);
        }
    }

    private Set<InetAddress> sealedTo() {
        Set<InetAddress> wanted = new HashSet<>(lingering);
        for (Attachment attachment : networks.values()) {
            if (attachment.needsProtection()) {
                wanted.addAll(attachment.peers.vteps());
            }
        }
        ends.ifPresent(local -> wanted.removeAll(List.of(local.advertise(), local.bind())));
        wanted.removeIf(node -> !isOfOurFamily(node));
        return wanted;
    }

    /** Whether marked datagrams without a policy must be blocked. */
    private boolean sealing() {
        return protection.blocksUnexplained() || networks.values().stream().anyMatch(Attachment::needsProtection);
    }

    private void apply(Attachment attachment, PeerDatabase.Change change) throws KernelException {
        apply(attachment, List.of(change));
    }

    /** Brings the kernel from the entries in force to the next. Endpoints here are the bridge's own affair. */
    private void apply(Attachment attachment, Collection<PeerDatabase.Change> changes) throws KernelException {
        if (!attachment.up()) {
            return;
        }
        List<Peer> gone = new ArrayList<>();
        List<Peer> come = new ArrayList<>();
        for (PeerDatabase.Change change : changes) {
            if (!change.isNone()) {
                change.before().filter(this::remote).ifPresent(gone::add);
                change.after().filter(this::remote).ifPresent(come::add);
            }
        }
        NetworkNamespace namespace = attachment.namespace.orElseThrow();
        namespace.removePeers(gone);
        namespace.addPeers(come);
    }

    /** Whether an endpoint is reached over VXLAN: it is on another node, whose address is of this node's family. */
    private boolean remote(Peer peer) {
        return ends.isEmpty() || !peer.vtep().equals(ends.get().advertise()) && isOfOurFamily(peer.vtep());
    }

    private boolean isOfOurFamily(InetAddress node) {
        return ends.isEmpty() || (node instanceof Inet6Address) == (ends.get().bind() instanceof Inet6Address);
    }

    private static Peer own(Endpoint endpoint, Ends local) {
        return new Peer(endpoint.network(), endpoint.id(), endpoint.address(), endpoint.mac(), local.advertise());
    }

    private void change(KeyRing now) throws KernelException {
        ring = now;
        // With nobody to talk to, as after a cut that outlasted what the others told, there is nothing to hand over.
        KeyRing before = sealedTo().isEmpty() ? KeyRing.EMPTY : encryption.ring();
        encryption.ring(handover.begin(before, now, System.nanoTime()));
        // A repair comes to the next step, too, but seconds late, and until then a node that was cut off is not understood.
        handover.due(System.nanoTime()).ifPresent(due ->
                CompletableFuture.delayedExecutor(due.toNanos(), TimeUnit.NANOSECONDS).execute(this::goOnInTime));
    }

    private void goOnInTime() {
        lock.lock();
        try {
            if (!closed) {
                goOnWithKeys();
            }
        } finally {
            lock.unlock();
        }
    }

    /** The next step of a change of keys that takes several, when its time has come. */
    private void goOnWithKeys() {
        Optional<KeyRing> next = handover.next(System.nanoTime());
        if (next.isPresent()) {
            tryTo("bring all nodes to the next keys", () -> encryption.ring(next.get()));
        }
    }

    private void deliver(KeyRing now) throws DriverException {
        lock.lock();
        try {
            change(now);
            told.signalAll();
            cluster.offer(now);
        } catch (KernelException failure) {
            throw DriverException.system("could not bring all nodes to the new keys", failure);
        } finally {
            lock.unlock();
        }
    }

    /** An engine that started this program again may repeat a Join before it says where this node is. */
    private void awaitSelf() {
        await(() -> ends.isPresent());
    }

    private void await(BooleanSupplier condition) {
        long left = patience.toNanos();
        try {
            while (!condition.getAsBoolean() && left > 0) {
                left = told.awaitNanos(left);
            }
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
        }
    }

    private void awaitKeys(String network) throws DriverException {
        await(() -> !encryption.ring().isEmpty());
        if (encryption.ring().isEmpty()) {
            throw DriverException.forbidden(
                    "encryption key is not present: network %s is encrypted, and no manager has made its keys known to this node within %d s (is the plugin enabled on a manager, and its cluster port open between the nodes?)"
                            .formatted(network, patience.toSeconds()));
        }
    }

    /** Whether it was not known. */
    private boolean found(InetAddress node) {
        cluster.found(node);
        return nodes.add(node);
    }

    private Optional<Attachment> attachmentWith(int vni) {
        return networks.values().stream()
                .filter(attachment -> attachment.network.subnets().stream().anyMatch(subnet -> subnet.vni() == vni))
                .findFirst();
    }

    private Attachment attachment(String id) throws DriverException {
        Attachment attachment = networks.get(id);
        if (attachment == null) {
            throw DriverException.invalid("NetworkID", id, "no such network on this node");
        }
        return attachment;
    }

    private Endpoint endpoint(String network, String id) throws DriverException {
        Endpoint endpoint = attachment(network).endpoints.get(id);
        if (endpoint == null) {
            throw DriverException.invalid("EndpointID", id, "no such endpoint on network " + network);
        }
        return endpoint;
    }

    private void remember() throws DriverException {
        List<Network> known = networks.values().stream().map(a -> a.network).toList();
        write(memory.lasting, new StateStore.Lasting(known, vnis.given(), List.copyOf(nodes), vnis.next(), runFolder));
    }

    private void rememberEndpoints() throws DriverException {
        List<Endpoint> endpoints = new ArrayList<>();
        networks.values().forEach(attachment -> endpoints.addAll(attachment.endpoints.values()));
        write(memory.passing, new StateStore.Passing(endpoints));
    }

    private static <T> void write(StateFile<T> file, T value) throws DriverException {
        try {
            file.write(value);
        } catch (IOException failure) {
            throw DriverException.system("could not write the state file", failure);
        }
    }

    private static void undo(Deque<Undo> steps) {
        while (!steps.isEmpty()) {
            try {
                steps.pop().run();
            } catch (Exception failure) {
                log.error("could not undo a step of a failed join: {}", failure.getMessage());
            }
        }
    }
}
