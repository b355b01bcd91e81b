package io.vxseal.overlay;

import io.vxseal.cluster.Cluster;
import io.vxseal.cluster.PeerChange;
import io.vxseal.cluster.Status;
import io.vxseal.encryption.Encryption;
import io.vxseal.encryption.Ends;
import io.vxseal.encryption.Handover;
import io.vxseal.encryption.Key;
import io.vxseal.encryption.KeyRing;
import io.vxseal.kernel.Cidr;
import io.vxseal.kernel.Firewall;
import io.vxseal.kernel.KernelException;
import io.vxseal.kernel.MacAddress;
import io.vxseal.kernel.Route.Link;
import io.vxseal.kernel.SealedPriority;
import io.vxseal.kernel.Segment;
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
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What each call of the remote driver protocol means. One lock guards all: calls are short, and what one changes (keys,
 * nodes, networks) the others read.
 */
public final class Driver implements Cluster.Listener, AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(Driver.class);

    private final Host host;
    private final Encryption encryption;
    private final FirewallChoice firewalls;
    private final Memory memory;
    private final Duration patience;
    private final Cluster cluster;

    private final ReentrantLock lock = new ReentrantLock();
    /** Of what a Join may have to wait for: this node's address, and keys. */
    private final Condition told = lock.newCondition();

    private final Map<String, Attachment> networks = new HashMap<>();
    private final Set<InetAddress> nodes = new LinkedHashSet<>();
    private Vnis vnis = new Vnis(Map.of());
    private Optional<Ends> ends = Optional.empty();
    private Optional<Firewall> firewall = Optional.empty();
    private Optional<SealedPriority> opened = Optional.empty();
    private Firewall.Transport transport = Firewall.Transport.IPV4;
    /** The keys in force, or on their way there. */
    private KeyRing ring = KeyRing.EMPTY;
    private final Handover handover = new Handover();
    private final Errors errors = new Errors();
    private final Repairs repairs = new Repairs(errors);
    private boolean closed;
    /** Whether rules that an earlier process left were looked for. */
    private boolean swept;
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

        private Attachment(Network network) {
            this.network = network;
        }

        private boolean up() {
            return namespace.isPresent();
        }
    }

    /** Finds the firewall that the host uses. */
    public interface FirewallChoice {
        /** @param transport which IP carries VXLAN between the nodes */
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
            Memory memory,
            Duration patience,
            Function<Cluster.Listener, Cluster> cluster) {
        this.host = host;
        this.encryption = encryption;
        this.firewalls = firewalls;
        this.memory = memory;
        this.patience = patience;
        this.cluster = cluster.apply(this);
    }

    /** Takes up what an earlier process left: its memory, the namespaces it pinned, its rules, states and policies. */
    public void recover() throws DriverException {
        lock.lock();
        try {
            encryption.adopt();
            Memory.Lasting remembered = remembered();
            vnis = new Vnis(remembered.vnis());
            for (Network network : remembered.networks()) {
                Attachment attachment = new Attachment(network);
                attachment.namespace = NetworkNamespace.open(network, host);
                networks.put(network.id(), attachment);
            }
            for (Endpoint endpoint : endpoints()) {
                Attachment attachment = networks.get(endpoint.network());
                if (attachment != null) {
                    attachment.endpoints.put(endpoint.id(), endpoint.joined(endpoint.joined() && attachment.up()));
                    removeUnanswered(attachment, endpoint);
                }
            }
            unsettled = networks.values().stream().anyMatch(Attachment::up);
            lingering = sealing() ? encryption.adopted() : Set.of();
            seal();
            remembered.nodes().forEach(this::found);
            if (!networks.isEmpty()) {
                log.info("took up {} networks of an earlier process", networks.size());
            }
        } catch (IOException failure) {
            throw DriverException.system("could not take up what an earlier process left", failure);
        } finally {
            lock.unlock();
        }
    }

    /** A link of an endpoint that has not joined is of a Join in whose middle the earlier process died. */
    private static void removeUnanswered(Attachment attachment, Endpoint endpoint) throws KernelException {
        if (attachment.up() && !endpoint.joined()) {
            attachment.namespace.orElseThrow().removeEndpoint(endpoint);
        }
    }

    /** What an earlier process wrote down; if that is damaged, what the kernel has of it. */
    private Memory.Lasting remembered() throws IOException {
        try {
            return memory.lasting.read().orElse(Memory.Lasting.NOTHING);
        } catch (IOException damaged) {
            List<Network> standing = Remains.networks(host, encryption.stands());
            Map<String, List<Integer>> given = new HashMap<>();
            standing.forEach(network ->
                    given.put(network.id(), network.subnets().stream().map(Subnet::vni).toList()));
            Memory.Lasting rebuilt = new Memory.Lasting(standing, given, List.of());
            Path aside = memory.lasting.setAside();
            memory.lasting.write(rebuilt);
            log.error("{}; it is {} now. Taken up from the kernel: {}. What else this node was told is lost: restart the engine "
                    + "when it suits", damaged.getMessage(), aside, standing.stream().map(Network::id).toList());
            return rebuilt;
        }
    }

    /** Likewise; where they are lost, the other nodes may know those that have joined. */
    private List<Endpoint> endpoints() throws IOException {
        try {
            Optional<Memory.Passing> read = memory.passing.read();
            if (read.isEmpty() && networks.values().stream().anyMatch(Attachment::up)) {
                cluster.recall();
            }
            return read.map(Memory.Passing::endpoints).orElse(List.of());
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
            boolean guarded = repairs.attempt(Repairs.Kind.RULES, "this host", this::repairRules);
            repairs.attempt(Repairs.Kind.SEALING, "this host", encryption::repair);
            if (encryption.wantsOtherKeys()) {
                cluster.rotate();
            }
            for (Attachment attachment : networks.values()) {
                if (!attachment.up()) {
                    continue;
                }
                NetworkNamespace namespace = attachment.namespace.orElseThrow();
                String id = attachment.network.id();
                if (attachment.network.encrypted() && !guarded) {
                    // Without its rules anybody could send into the network in clear.
                    repairs.attempt(Repairs.Kind.LINKS, id, () -> {
                        namespace.silence();
                        return 0;
                    });
                    continue;
                }
                List<Peer> remote = attachment.peers.walk().stream().filter(this::remote).toList();
                if (repairs.attempt(Repairs.Kind.LINKS, id, () -> repairLinks(attachment, vtep)) && attachment.up()) {
                    repairs.attempt(Repairs.Kind.ENTRIES, id, () -> namespace.repairEntries(remote, !unsettled));
                }
            }
        } finally {
            lock.unlock();
        }
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
                    firewall.map(Firewall::toString),
                    encryption.wanted(),
                    found(),
                    repairs.repaired(),
                    errors.last());
        } finally {
            lock.unlock();
        }
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
    public Errors errors() {
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
    Map<Repairs.Kind, Long> repairs() {
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
                repairs.attempt(Repairs.Kind.LINKS, attachment.network.id(), () -> takeDownIfDeserted(attachment) ? 1 : 0);
            }
        }
    }

    /** A container that is unknown here, as after a damaged state file, is on its network all the same. */
    private boolean takeDownIfDeserted(Attachment attachment) throws IOException, DriverException {
        if (attachment.endpoints.values().stream().anyMatch(Endpoint::joined)
                || attachment.up() && attachment.namespace.orElseThrow().hasStrangers(attachment.endpoints.values())) {
            return false;
        }
        takeDown(attachment);
        return true;
    }

    private int repairRules() throws IOException {
        if (!sealing() && swept) {
            return 0;
        }
        Set<Segment> segments = new HashSet<>();
        for (Attachment attachment : networks.values()) {
            if (attachment.up() && attachment.network.encrypted()) {
                segments.addAll(segments(attachment.network));
            }
        }
        int repaired = firewall().restore(segments);
        if (!segments.isEmpty() && opened().restore()) {
            repaired++;
        }
        swept = true;
        return repaired;
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
            Map<String, List<Integer>> before = vnis.given();
            List<Integer> chosen = vnis.allocate(id, read.vnis(), pools.size(), vni -> networkWith(vni)
                    .isPresent());
            try {
                remember();
            } catch (DriverException failure) {
                vnis = new Vnis(before);
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

    /** Makes a network known to this node. One that is known with the same definition stands. */
    public void createNetwork(Network network) throws DriverException {
        lock.lock();
        try {
            Attachment known = networks.get(network.id());
            if (known != null) {
                if (!known.network.equals(network)) {
                    throw DriverException.conflict(
                            "network %s is there already with another definition: delete it first"
                                    .formatted(network.id()));
                }
                return;
            }
            for (Subnet subnet : network.subnets()) {
                Optional<Network> owner = networkWith(subnet.vni());
                if (owner.isPresent()) {
                    throw DriverException.conflict("VNI %d of option %s is that of network %s on this node"
                            .formatted(subnet.vni(), NetworkOptions.VXLANID_LIST, owner.get().id()));
                }
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
            if (leaveStranger(attachment(network), id) | strangers.remove(id)) {
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

    /** Docker names this node's own addresses. */
    public void self(Ends now) throws DriverException {
        lock.lock();
        try {
            ends = Optional.of(now);
            encryption.ends(now);
            for (Attachment attachment : networks.values()) {
                if (attachment.up() && attachment.network.encrypted()) {
                    protect(attachment.network, new ArrayDeque<>());
                }
                for (Endpoint endpoint : attachment.endpoints.values()) {
                    if (endpoint.joined()) {
                        Peer own = own(endpoint, now);
                        apply(attachment, attachment.peers.add(own));
                        cluster.announce(own);
                    }
                }
            }
            seal();
            told.signalAll();
            cluster.self(now.advertise(), now.bind());
        } catch (IOException failure) {
            throw DriverException.system("could not take up the node's address " + now.bind().getHostAddress(), failure);
        } finally {
            lock.unlock();
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

    /** What fails is tried again by the next repair. */
    private static void tryTo(String what, Undo step) {
        try {
            step.run();
        } catch (Exception failure) {
            log.error("could not {}: {}", what, failure.getMessage());
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
        if (network.encrypted()) {
            protect(network, undo);
            undo.push(this::seal);
            encryption.block();
        }
        NetworkNamespace namespace = NetworkNamespace.create(network, host, local.bind());
        undo.push(() -> {
            attachment.namespace = Optional.empty();
            namespace.delete();
        });
        attachment.namespace = Optional.of(namespace);
        seal();
        namespace.addPeers(attachment.peers.walk());
    }

    private void takeDown(Attachment attachment) throws IOException, DriverException {
        Optional<NetworkNamespace> namespace = attachment.namespace;
        attachment.namespace = Optional.empty();
        if (namespace.isPresent()) {
            namespace.get().delete();
        }
        seal();
        if (attachment.network.encrypted()) {
            firewall().unprotect(segments(attachment.network));
        }
    }

    private void protect(Network network, Deque<Undo> undo) throws IOException {
        firewall().protect(segments(network));
        undo.push(() -> firewall().unprotect(segments(network)));
        opened().restore();
    }

    private SealedPriority opened() throws IOException {
        if (opened.isEmpty()) {
            opened = Optional.of(SealedPriority.in(host.namespace()));
        }
        return opened.get();
    }

    private Set<Segment> segments(Network network) {
        return network.subnets().stream()
                .map(subnet -> new Segment(host.port(), subnet.vni()))
                .collect(Collectors.toSet());
    }

    /** Asked for again when the node moves to addresses of the other kind. */
    private Firewall firewall() throws IOException {
        boolean ipv6 = ends.map(Ends::bind).filter(Inet6Address.class::isInstance).isPresent();
        Firewall.Transport now = ipv6 ? Firewall.Transport.IPV6 : Firewall.Transport.IPV4;
        if (firewall.isEmpty() || transport != now) {
            firewall = Optional.of(firewalls.choose(now));
            transport = now;
            swept = false;
        }
        return firewall.get();
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
            if (attachment.up() && attachment.network.encrypted()) {
                wanted.addAll(attachment.peers.vteps());
            }
        }
        ends.ifPresent(local -> wanted.removeAll(List.of(local.advertise(), local.bind())));
        return wanted;
    }

    private boolean sealing() {
        return networks.values().stream().anyMatch(a -> a.up() && a.network.encrypted());
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

    private boolean remote(Peer peer) {
        return ends.isEmpty() || !peer.vtep().equals(ends.get().advertise());
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

    private Optional<Network> networkWith(int vni) {
        return networks.values().stream()
                .map(attachment -> attachment.network)
                .filter(network -> network.subnets().stream().anyMatch(subnet -> subnet.vni() == vni))
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
        write(memory.lasting, new Memory.Lasting(known, vnis.given(), List.copyOf(nodes)));
    }

    private void rememberEndpoints() throws DriverException {
        List<Endpoint> endpoints = new ArrayList<>();
        networks.values().forEach(attachment -> endpoints.addAll(attachment.endpoints.values()));
        write(memory.passing, new Memory.Passing(endpoints));
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
