package io.vxseal.overlay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.vxseal.address.Cidr;
import io.vxseal.address.MacAddress;
import io.vxseal.address.NodeAddresses;
import io.vxseal.cluster.Cluster;
import io.vxseal.cluster.PeerChange;
import io.vxseal.encryption.Encryption;
import io.vxseal.encryption.EspProbe;
import io.vxseal.encryption.Key;
import io.vxseal.kernel.TestHost;
import io.vxseal.kernel.firewall.Firewall;
import io.vxseal.kernel.firewall.FirewallDetector;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.libc.LibC;
import io.vxseal.kernel.netns.Namespace;
import io.vxseal.kernel.xfrm.Xfrm;
import io.vxseal.overlay.NodeStep.Barrier;
import io.vxseal.peers.Peer;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;

/**
 * A node with the plugin, in namespaces of its own: an encrypted network, a plain one and, at times, another encrypted one,
 * with a container on all of them, and a wire to another node. It plays {@link NodeStep}s, with datagrams under way all the
 * time, and has the plugin repair after each one, as it does within moments where it runs.
 */
final class SequenceNode implements AutoCloseable {
    private static final List<Integer> PORTS = List.of(4789, 4790);
    private static final String SEALED = "sealednet";
    private static final String PLAIN = "plainnet";
    private static final String OTHER = "othernet";

    private static final InetAddress NEAR_SEALED = InetAddress.ofLiteral("10.44.0.2");
    private static final InetAddress FAR_SEALED = InetAddress.ofLiteral("10.44.0.3");
    private static final InetAddress NEAR_PLAIN = InetAddress.ofLiteral("10.45.0.2");
    private static final InetAddress FAR_PLAIN = InetAddress.ofLiteral("10.45.0.3");
    private static final InetAddress NEAR_OTHER = InetAddress.ofLiteral("10.46.0.2");
    private static final InetAddress FAR_OTHER = InetAddress.ofLiteral("10.46.0.3");

    private static final OverlayTraffic.Line SEALED_LINE = new OverlayTraffic.Line(4242, true, NEAR_SEALED, FAR_SEALED);
    private static final OverlayTraffic.Line PLAIN_LINE = new OverlayTraffic.Line(4300, false, NEAR_PLAIN, FAR_PLAIN);
    private static final OverlayTraffic.Line OTHER_LINE = new OverlayTraffic.Line(4243, true, NEAR_OTHER, FAR_OTHER);

    private static final String UPLINK_MAC = "02:00:00:00:00:01";

    /** More commands than the plugin starts for one repair. */
    private static final int MOST_COMMANDS = 24;

    /** For what the kernel does in its own time. */
    private static final Duration PATIENCE = Duration.ofSeconds(30);

    /** A plugin that was killed in the middle stays there, for as long as the sequence goes on. */
    private static final int HELD_SECONDS = 300;

    /** Container on a network, as the engine asked for it. */
    private record Membership(String network, OverlayTraffic.Line line, String link) {
        Network definition() throws DriverException {
            Map<String, String> vni = Map.of(NetworkOptions.VXLANID_LIST, "" + line.vni());
            Map<String, String> sealed =
                    Map.of(NetworkOptions.VXLANID_LIST, "" + line.vni(), NetworkOptions.ENCRYPTED, "");
            Cidr gateway = Cidr.parse(line.here().getHostAddress().replaceAll("\\.2$", ".1") + "/24");
            return Network.of(network, line.encrypted() ? sealed : vni,
                    List.of(new Network.Pool(gateway.network(), gateway)));
        }

        String vxlan() {
            return "vx-%06x-%.5s".formatted(line.vni(), network);
        }
    }

    private static final Membership ON_SEALED = new Membership(SEALED, SEALED_LINE, "eth0");
    private static final Membership ON_PLAIN = new Membership(PLAIN, PLAIN_LINE, "eth1");
    private static final Membership ON_OTHER = new Membership(OTHER, OTHER_LINE, "eth2");
    private static final List<Membership> ALL = List.of(ON_SEALED, ON_PLAIN, ON_OTHER);

    private final Path folder;
    private final boolean ipv6;
    /** Whether this kernel seals; where it cannot, what is to be sealed goes nowhere. */
    private final boolean seals;
    private final TestHost host;
    private final TestHost wire;
    private final TestHost container;
    private final OverlayTraffic traffic;

    // What the operator has set.
    private int port;
    private Firewall.Backend backend;
    private int address;
    private int keys;
    /** Endpoints, by network, as the engine knows them. */
    private final Map<Membership, String> joined = new java.util.LinkedHashMap<>();
    private int endpoints;
    private final Set<Barrier> open = EnumSet.noneOf(Barrier.class);
    /** Whether a rule of somebody else's gives our datagrams another mark, by which the kernel finds no policy. */
    private boolean markedOtherwise;

    private final Map<Membership, Lost> lost = new java.util.LinkedHashMap<>();

    private Optional<Driver> driver = Optional.empty();
    private Optional<Xfrm> xfrm = Optional.empty();
    private final List<Held> held = new ArrayList<>();

    /**
     * A namespace that is not in the run folder any more, and sends on.
     *
     * @param port of its VXLAN device
     */
    private record Lost(Namespace namespace, int port) {}

    /**
     * A plugin that was killed in the middle.
     *
     * @param left file without which its commands fail
     * @param pid file with the number of the process that it waits for
     */
    private record Held(Thread thread, Driver driver, Xfrm xfrm, Path left, Path pid) {}

    /**
     * Makes the node and has a container join the encrypted and the plain network.
     *
     * @param ipv6 whether VXLAN's datagrams go by IPv6
     * @param seals whether this kernel has ESP
     */
    SequenceNode(Path folder, boolean ipv6, Firewall.Backend backend, boolean seals) throws Exception {
        this.folder = folder;
        this.ipv6 = ipv6;
        this.backend = backend;
        this.seals = seals;
        this.port = PORTS.getFirst();
        host = new TestHost(folder.resolve("host"));
        wire = new TestHost(folder.resolve("wire"));
        container = new TestHost(folder.resolve("container"));
        addLinks();
        traffic = new OverlayTraffic(
                wire, container, folder, List.of(SEALED_LINE, PLAIN_LINE, OTHER_LINE), PORTS, List.of(here(0), here(1)));
        start(0);
        join(ON_PLAIN);
        join(ON_SEALED);
    }

    private void addLinks() throws IOException {
        String nodad = ipv6 ? " nodad" : "";
        host.run("ip -batch " + Files.writeString(folder.resolve("uplink"), """
                link add uplink address %s type veth peer name uplink netns %s
                address add %s dev uplink%s
                link set uplink up
                """.formatted(UPLINK_MAC, folder.resolve("wire"), prefixed(here(0)), nodad)));
        // Else what goes to an address that the node has not got just now waits for an answer to ARP.
        wire.run("ip -batch " + Files.writeString(folder.resolve("downlink"), """
                address add %1$s dev uplink%2$s
                link set uplink up
                neighbour replace %4$s lladdr %3$s dev uplink nud permanent
                neighbour replace %5$s lladdr %3$s dev uplink nud permanent
                """.formatted(prefixed(there()), nodad, UPLINK_MAC, here(0).getHostAddress(), here(1).getHostAddress())));
    }

    private InetAddress here(int number) {
        return InetAddress.ofLiteral((ipv6 ? "fd00:55::" : "10.55.0.") + (number == 0 ? 1 : 4));
    }

    private InetAddress there() {
        return InetAddress.ofLiteral(ipv6 ? "fd00:55::2" : "10.55.0.2");
    }

    private String prefixed(InetAddress address) {
        return address.getHostAddress() + (ipv6 ? "/64" : "/24");
    }

    // The plugin.

    private Path pins() {
        return folder.resolve("run/netns");
    }

    private Path pin(Membership on) {
        return pins().resolve(on.network());
    }

    private Driver driver(Path state, Path run, Xfrm xfrm, List<String> prefix) {
        return new Driver(
                new Host(host.namespace(), host.route(), run.resolve("netns"), port),
                seals ? new Encryption(xfrm, port, EspProbe::check) : new Encryption(xfrm, port, (_, _) -> {}),
                new FirewallDetector(backend, host.namespace(), prefix),
                new StateStore(state, run, Optional.of(run.resolve("ring"))),
                Duration.ZERO,
                listener -> new Cluster(DriverParts.noSwarm(folder), listener));
    }

    private NodeAddresses ends() {
        return new NodeAddresses(here(address), here(address));
    }

    private boolean running() {
        return driver.isPresent();
    }

    /**
     * Starts the plugin: it takes up what is there, then hears from the engine and the other nodes, in one order or another.
     *
     * @param variant of that order
     */
    private void start(int variant) throws Exception {
        start(variant, () -> {});
    }

    /** @param early the engine's calls before it names this node's address */
    private void start(int variant, Damage early) throws Exception {
        Xfrm own = Xfrm.in(host.namespace());
        Driver started = driver(folder.resolve("state"), folder.resolve("run"), own, List.of());
        driver = Optional.of(started);
        xfrm = Optional.of(own);
        started.recover();
        if ((variant & 1) != 0) {
            started.repair();
            traffic.flow();
        }
        early.run();
        traffic.flow();
        started.self(ends());
        if ((variant & 2) != 0) {
            started.repair();
            traffic.flow();
        }
        started.initialKeys(keys());
        if ((variant & 4) != 0) {
            started.repair();
            traffic.flow();
        }
        tellPeers();
        if ((variant & 8) != 0) {
            started.forgetLingering();
        }
    }

    private void kill() throws IOException {
        driver.ifPresent(Driver::close);
        if (xfrm.isPresent()) {
            xfrm.get().close();
        }
        driver = Optional.empty();
        xfrm = Optional.empty();
    }

    /** Does something to files that a plugin which runs would write again. */
    private void whileStopped(int variant, Damage damage) throws Exception {
        boolean again = running();
        kill();
        damage.run();
        if (again) {
            traffic.flow();
            start(variant);
        }
    }

    private interface Damage {
        void run() throws Exception;
    }

    private List<Key> keys() {
        return Stream.of(1, 2, 3).map(number -> {
            byte[] octets = new byte[16];
            Arrays.fill(octets, (byte) (keys + number));
            return new Key(octets, keys + number);
        }).toList();
    }

    private void tellPeers() {
        driver.orElseThrow().peersChanged(ALL.stream()
                .<PeerChange>map(on -> new PeerChange.Added(new Peer(on.network(), "there", new Cidr(on.line().there(), 24),
                        MacAddress.of(on.line().there()), there())))
                .toList());
    }

    private void join(Membership on) throws Exception {
        Driver running = driver.orElseThrow();
        running.createNetwork(on.definition());
        tellPeers();
        String endpoint = "e%d".formatted(++endpoints);
        running.createEndpoint(on.network(), endpoint, new Cidr(on.line().here(), 24), Optional.empty());
        String link;
        try {
            link = running.join(on.network(), endpoint, "container").link();
        } catch (DriverException refused) {
            running.deleteEndpoint(on.network(), endpoint);
            if (lost.containsKey(on)) {
                // The VNI is that of the device out of reach.
                return;
            }
            throw refused;
        }
        host.run("ip link set %s netns %s name %s up".formatted(link, folder.resolve("container"), on.link()));
        container.run("ip -batch " + Files.writeString(folder.resolve("attach"), """
                address add %2$s/24 dev %1$s
                neighbour replace %3$s lladdr %4$s dev %1$s nud permanent
                """.formatted(on.link(), on.line().here().getHostAddress(), on.line().there().getHostAddress(),
                MacAddress.of(on.line().there()))));
        joined.put(on, endpoint);
        if (!lost.containsKey(on)) {
            awaitForwarding(on);
        }
    }

    /**
     * Waits until a network's ports forward. The kernel brings links up with a delay, and a frame that no port forwards proves
     * nothing.
     */
    private void awaitForwarding(Membership on) {
        String ports = "nsenter --net=%s bridge link".formatted(pin(on));
        await("the ports of %s to forward".formatted(on.network())).atMost(PATIENCE).pollInterval(Duration.ofMillis(1)).until(() ->
                host.run(ports).lines().allMatch(port -> port.contains("state forwarding")));
    }

    /** Leaves a network as the engine does, which ignores that something is not known. */
    private void leave(Membership on, boolean last) {
        Driver running = driver.orElseThrow();
        String endpoint = joined.remove(on);
        tell(() -> running.leave(on.network(), endpoint));
        tell(() -> running.deleteEndpoint(on.network(), endpoint));
        if (last) {
            tell(() -> running.deleteNetwork(on.network()));
        }
        container.failure("ip link delete " + on.link());
    }

    private static void tell(Damage call) {
        try {
            call.run();
        } catch (Exception unknown) {
            assertThat(unknown).isInstanceOf(DriverException.class).hasMessageContaining("no such");
        }
    }

    // What happens.

    /**
     * Plays a step if it is possible in the present state, checks that no datagram was in clear so far, and returns whether it was
     * possible.
     */
    boolean play(NodeStep step) throws Exception {
        if (!step.fits(running(), open) || !happen(step)) {
            return false;
        }
        open.addAll(step.opens());
        traffic.flow();
        if (running()) {
            driver.get().repair();
            closeBarriers();
            if (markedOtherwise) {
                open.add(Barrier.POLICIES);
            }
            traffic.flow();
        }
        assertThat(traffic.clear()).as("datagrams of encrypted networks in clear").isEmpty();
        return true;
    }

    /** Notes what a repair restores: all of what is in reach, and the host's part for networks out of reach that the plugin knows. */
    private void closeBarriers() {
        Set<String> known = new HashSet<>();
        driver.orElseThrow().status().networks().forEach(attached -> known.add(attached.network().id()));
        boolean allKnown = lost.entrySet().stream()
                .allMatch(each -> known.contains(each.getKey().network()) && each.getValue().port() == port);
        if (lost.isEmpty()) {
            open.clear();
        } else if (allKnown) {
            open.retainAll(Set.of(Barrier.NAMESPACE));
        }
    }

    @SuppressWarnings("EnumOrdinal") // any other one will do
    private boolean happen(NodeStep step) throws Exception {
        switch (step.kind()) {
            case STARTED -> start(step.variant());
            case STOPPED -> kill();
            case KILLED -> whileStopped(step.variant(), () -> {});
            case KILLED_IN_REPAIR -> killInTheMiddle(step);
            case PORT_CHANGED -> whileStopped(step.variant(), () -> port = PORTS.get((PORTS.indexOf(port) + 1) % PORTS.size()));
            case BACKEND_CHANGED -> whileStopped(step.variant(), () -> backend = Firewall.Backend.values()[
                    (backend.ordinal() + 1 + step.of(2)) % Firewall.Backend.values().length]);
            case STATE_FILE_DELETED ->
                whileStopped(step.variant(), () -> Files.deleteIfExists(folder.resolve("state/state.json")));
            case STATE_FILE_TORN -> whileStopped(step.variant(), () -> {
                tear(folder.resolve("state/state.json"));
                if (step.bit(4)) {
                    tear(folder.resolve("run/endpoints.json"));
                }
            });
            case RUN_FILES_DELETED -> whileStopped(step.variant(), this::deleteRunFiles);
            case REINSTALLED -> whileStopped(step.variant(), () -> {
                deleteFiles(folder.resolve("state"));
                if (step.bit(4)) {
                    deleteRunFiles();
                }
            });
            case SECOND_PLUGIN -> trySecond();
            case RUN_FOLDER_CHANGED -> whileStopped(step.variant(), this::tryOtherRunFolder);
            case NAMESPACE_LOST -> {
                return lose(step.bit(0) ? ON_OTHER : ON_SEALED, step.bit(1));
            }
            case NAMESPACE_FOUND -> {
                if (lost.isEmpty()) {
                    return false;
                }
                if (step.bit(0)) {
                    findAll();
                } else {
                    whileStopped(step.variant(), this::findAll);
                }
            }
            case CALLED_BEFORE_SELF -> {
                kill();
                start(step.variant() >> 3, () -> callEarly(step.of(7)));
            }
            case ENGINE_TELLS_AGAIN -> {
                for (Membership on : joined.keySet()) {
                    driver.orElseThrow().createNetwork(on.definition());
                }
                tellPeers();
            }
            case LINGERING_FORGOTTEN -> driver.orElseThrow().forgetLingering();
            case KEYS_REPLACED -> {
                keys += 1 + step.of(4);
                driver.orElseThrow().initialKeys(keys());
            }
            case ADDRESS_CHANGED -> changeAddress(step.bit(0), step.bit(1));
            case CONTAINER_LEFT -> {
                return leaveIfThere(ON_SEALED, step.bit(0));
            }
            case CONTAINER_JOINED -> {
                return joinIfNotThere(ON_SEALED);
            }
            case CONTAINER_ENDED -> {
                if (joined.remove(ON_SEALED) == null) {
                    return false;
                }
                container.failure("ip link delete " + ON_SEALED.link());
            }
            case OTHER_NETWORK_JOINED -> {
                return joinIfNotThere(ON_OTHER);
            }
            case OTHER_NETWORK_LEFT -> {
                return leaveIfThere(ON_OTHER, step.bit(0));
            }
            case STATES_FLUSHED -> host.run("ip xfrm state flush");
            case POLICIES_FLUSHED -> host.run("ip xfrm policy flush");
            case IPTABLES_FLUSHED -> flushIptables(step.of(5));
            case RULESET_FLUSHED -> host.run("nft flush ruleset");
            case TABLES_DELETED -> deleteTables(step.opens());
            case NAMESPACE_FLUSHED -> {
                return inNamespace(step.bit(0) ? ON_OTHER : ON_SEALED, "nft flush ruleset");
            }
            case ACCEPTED_FIRST -> acceptFirst(step.of(2));
            case MARKED_OTHERWISE -> markOtherwise(step.of(2));
            case UNPRINTABLE_RULE -> {
                String table = ipv6 ? "ip6 filter" : "ip filter";
                attempt("nft add table " + table);
                attempt("nft add chain " + table + " OPS");
                attempt("nft add rule " + table + " OPS ct state established accept");
            }
            case FOREIGN_RULES_REMOVED -> removeForeign();
            case DEVICE_DOWN -> {
                return device(step, "set %s down");
            }
            case DEVICE_UP -> {
                return device(step, "set %s up");
            }
            case DEVICE_DELETED -> {
                return device(step, "delete %s");
            }
        }
        return true;
    }

    private boolean joinIfNotThere(Membership on) throws Exception {
        if (joined.containsKey(on)) {
            return false;
        }
        join(on);
        return true;
    }

    private boolean leaveIfThere(Membership on, boolean last) {
        if (!joined.containsKey(on)) {
            return false;
        }
        leave(on, last);
        return true;
    }

    private static void tear(Path file) throws IOException {
        if (Files.exists(file)) {
            byte[] whole = Files.readAllBytes(file);
            Files.write(file, Arrays.copyOf(whole, whole.length / 2));
        }
    }

    /** Namespaces stay where they are mounted. */
    private void deleteRunFiles() throws IOException {
        deleteFiles(folder.resolve("run"));
    }

    private static void deleteFiles(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                Files.delete(file);
            }
        }
    }

    /** Runs a second plugin for a moment. A plugin of another name has folders of its own. */
    private void trySecond() throws Exception {
        try (Xfrm own = Xfrm.in(host.namespace());
                Driver second = driver(folder.resolve("state2"), folder.resolve("run2"), own, List.of())) {
            second.recover();
            second.self(ends());
            second.repair();
            traffic.flow();
        }
    }

    /** Starts the plugin with another run folder. While networks are up it refuses that. */
    private void tryOtherRunFolder() throws Exception {
        try (Xfrm own = Xfrm.in(host.namespace());
                Driver other = driver(folder.resolve("state"), folder.resolve("run3"), own, List.of())) {
            other.recover();
            other.self(ends());
            other.repair();
            traffic.flow();
        } catch (DriverException refused) {
            assertThat(refused).hasMessageContaining("run.source");
        }
    }

    /** Unmounts a network's namespace, which lives on. */
    private boolean lose(Membership on, boolean withFile) throws Exception {
        if (lost.containsKey(on)) {
            return false;
        }
        Optional<Namespace> namespace = Namespace.open(pin(on));
        if (namespace.isEmpty()) {
            return false;
        }
        lost.put(on, new Lost(namespace.get(), port));
        Namespace.unpin(pin(on));
        if (!withFile) {
            Files.createFile(pin(on));
        }
        return true;
    }

    /** Mounts all lost namespaces again, unless another one is in their place: then they end. */
    private void findAll() throws Exception {
        for (Map.Entry<Membership, Lost> each : lost.entrySet()) {
            Path pin = pin(each.getKey());
            try (Namespace namespace = each.getValue().namespace()) {
                Optional<Namespace> other = Namespace.open(pin);
                other.ifPresent(Namespace::close);
                if (other.isEmpty()) {
                    if (Files.notExists(pin)) {
                        Files.createFile(pin);
                    }
                    assertThat(LibC.INSTANCE.mount("/proc/self/fd/" + namespace.fd(), pin.toString(), "none", LibC.MS_BIND, null)).isZero();
                }
            }
        }
        lost.clear();
    }

    /** Calls the plugin before it knows this node's address. */
    private void callEarly(int which) throws Exception {
        Driver running = driver.orElseThrow();
        switch (which) {
            case 0 -> running.createNetwork(ON_OTHER.definition());
            case 1 -> leaveIfThere(ON_SEALED, false);
            case 2 -> leaveIfThere(ON_SEALED, true);
            case 3 -> leaveIfThere(ON_OTHER, true);
            case 4 -> joinTooEarly(ON_SEALED);
            case 5 -> joinTooEarly(ON_OTHER);
            default -> {
                keys++;
                running.initialKeys(keys());
            }
        }
    }

    private void joinTooEarly(Membership on) throws Exception {
        Driver running = driver.orElseThrow();
        running.createNetwork(on.definition());
        running.createEndpoint(on.network(), "early", new Cidr(on.line().there(), 24), Optional.empty());
        assertThatThrownBy(() -> running.join(on.network(), "early", "container")).isInstanceOf(DriverException.class);
        running.deleteEndpoint(on.network(), "early");
    }

    /** Starts a plugin whose commands stop coming back after a while, and another one in its place. */
    private void killInTheMiddle(NodeStep step) throws Exception {
        kill();
        Set<Barrier> withoutRules = EnumSet.of(Barrier.RULES);
        withoutRules.addAll(open);
        if (step.bit(5) && Barrier.hold(withoutRules)) {
            flushIptables(2);
        }
        Path left = folder.resolve("commands" + held.size());
        Files.writeString(left, step.of(MOST_COMMANDS) + "\n");
        Path command = folder.resolve("command" + held.size());
        Files.writeString(command, """
                read left < %1$s || exit 1
                if [ $left -le 0 ]; then echo $$ > %1$s.pid; mv %1$s.pid %1$s.held; exec sleep %2$d; fi
                echo $((left - 1)) > %1$s
                exec "$@"
                """.formatted(left, HELD_SECONDS));
        Path pid = Path.of(left + ".held");
        Xfrm own = Xfrm.in(host.namespace());
        Driver first = driver(folder.resolve("state"), folder.resolve("run"), own, List.of("sh", command.toString()));
        Thread thread = Thread.ofPlatform().daemon().name("killed in the middle").start(() -> {
            try {
                first.recover();
                first.self(ends());
                first.initialKeys(keys());
                first.repair();
            } catch (DriverException failure) {
                // Its commands fail when the sequence is over.
            }
        });
        while (thread.isAlive() && !Files.exists(pid)) {
            LockSupport.parkNanos(1_000_000);
        }
        if (thread.isAlive()) {
            held.add(new Held(thread, first, own, left, pid));
        } else {
            first.close();
            own.close();
        }
        traffic.flow();
        start(step.variant());
    }

    /** Moves the uplink to the node's other address, and tells the plugin, before or after. */
    private void changeAddress(boolean toldFirst, boolean both) throws Exception {
        int before = address;
        address = 1 - address;
        if (toldFirst && running()) {
            // The address has to be there, or there is no way out by it.
            addAddress(address);
            driver.get().self(ends());
            traffic.flow();
        } else {
            addAddress(address);
        }
        if (!both) {
            attempt("ip address delete %s dev uplink".formatted(prefixed(here(before))));
            // It may have gone with the other one, of the same subnet.
            addAddress(address);
            traffic.flow();
        }
        if (running()) {
            driver.get().self(ends());
        }
    }

    private void addAddress(int number) {
        attempt("ip address add %s dev uplink%s".formatted(prefixed(here(number)), ipv6 ? " nodad" : ""));
    }

    private String iptables() {
        return (ipv6 ? "ip6tables" : "iptables") + " -w ";
    }

    private void flushIptables(int variant) {
        switch (variant) {
            case 0 -> attempt(iptables() + "-F");
            case 1 -> attempt(iptables() + "-t mangle -F");
            case 2 -> {
                attempt(iptables() + "-F");
                attempt(iptables() + "-X");
                attempt(iptables() + "-t mangle -F");
                attempt(iptables() + "-t mangle -X");
            }
            case 3 -> attempt(iptables() + "-F INPUT");
            default -> attempt(iptables() + "-F OUTPUT");
        }
    }

    private void deleteTables(Set<Barrier> barriers) {
        host.run("nft list tables").lines()
                .map(line -> line.replaceFirst("^table ", ""))
                .filter(table -> table.contains("vxseal"))
                .filter(table -> barriers.contains(table.endsWith("-priority") ? Barrier.PRIORITY : Barrier.RULES))
                .forEach(table -> attempt("nft delete table " + table));
    }

    private void acceptFirst(int variant) {
        if (variant == 0) {
            attempt(iptables() + "-I INPUT -p udp -j ACCEPT");
            attempt(iptables() + "-I OUTPUT -p udp -j ACCEPT");
        } else {
            load("""
                    table inet ops {
                        chain in { type filter hook input priority -300; meta l4proto udp accept; }
                        chain out { type filter hook output priority -300; meta l4proto udp accept; }
                    }
                    """);
        }
    }

    private void markOtherwise(int variant) {
        if (variant == 0) {
            attempt(iptables() + "-t mangle -I OUTPUT -p udp -j MARK --set-mark 0x1");
        } else {
            load("""
                    table inet opsmark {
                        chain out { type route hook output priority -140; meta l4proto udp meta mark set 0x1; }
                    }
                    """);
        }
        markedOtherwise = true;
    }

    private void removeForeign() {
        attempt(iptables() + "-D INPUT -p udp -j ACCEPT");
        attempt(iptables() + "-D OUTPUT -p udp -j ACCEPT");
        attempt(iptables() + "-t mangle -D OUTPUT -p udp -j MARK --set-mark 0x1");
        attempt("nft delete table inet ops");
        attempt("nft delete table inet opsmark");
        attempt("nft delete chain " + (ipv6 ? "ip6" : "ip") + " filter OPS");
        markedOtherwise = false;
    }

    private void load(String table) {
        try {
            host.run("nft -f " + Files.writeString(folder.resolve("foreign.nft"), table));
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    /** Runs a command that may be refused: there may be nothing to delete, or iptables may be unable to read what nft wrote. */
    private void attempt(String command) {
        host.failure(command);
    }

    private boolean device(NodeStep step, String words) throws KernelException {
        Membership on = step.bit(0) ? ON_OTHER : ON_SEALED;
        return inNamespace(on, "ip link " + words.formatted(on.vxlan()));
    }

    private boolean inNamespace(Membership on, String command) throws KernelException {
        Optional<Namespace> namespace = Namespace.open(pin(on));
        namespace.ifPresent(Namespace::close);
        if (namespace.isPresent()) {
            attempt("nsenter --net=" + pin(on) + " " + command);
        }
        return namespace.isPresent();
    }

    /**
     * Brings the node back to where it serves, and shows that it does: the plain network's datagrams come through both
     * ways, so what was 0 of the encrypted ones was not 0 for want of datagrams.
     */
    void serves() throws Exception {
        if (markedOtherwise) {
            // As long as it stands, datagrams that were to be sealed are dropped.
            removeForeign();
        }
        whileStopped(0, this::findAll);
        if (!running()) {
            start(0);
        }
        driver.get().repair();
        joinIfNotThere(ON_SEALED);
        driver.get().repair();
        if (!isUp(ON_SEALED)) {
            // The plugin's memory and the VXLAN device are both gone, so the network is known to the engine alone.
            leave(ON_SEALED, true);
            join(ON_SEALED);
        }
        traffic.delivered(PLAIN_LINE);
        Map<String, Long> before = traffic.onWire();
        Map<String, Long> now;
        // The links of a network that was made anew come up when the kernel gets to it.
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        Set<String> missing = new HashSet<>();
        do {
            traffic.flow();
            missing.clear();
            now = traffic.onWire();
            if (now.get("plain").equals(before.get("plain"))) {
                missing.add("plain datagrams on the wire");
            }
            if (traffic.delivered(PLAIN_LINE) == 0) {
                missing.add("plain datagrams from the wire");
            }
            if (seals && now.get("sealed").equals(before.get("sealed"))) {
                missing.add("sealed datagrams on the wire");
            }
        } while (!missing.isEmpty() && System.nanoTime() < deadline);
        assertThat(missing).as("missing").isEmpty();
        String device = host.run("nsenter --net=%s ip -d link show %s".formatted(pin(ON_SEALED), ON_SEALED.vxlan()));
        assertThat(device).contains(",UP", "dstport " + port);
        assertThat(traffic.clear()).as("datagrams of encrypted networks in clear").isEmpty();
        assertThat(traffic.onWire().get("clear")).as("packets in clear on the wire").isZero();
    }

    private boolean isUp(Membership on) {
        return driver.orElseThrow().status().networks().stream()
                .anyMatch(attached -> attached.network().id().equals(on.network()) && attached.up());
    }

    @Override
    public void close() throws IOException {
        traffic.close();
        kill();
        for (Held plugin : held) {
            Files.delete(plugin.left());
            long pid = Long.parseLong(Files.readString(plugin.pid()).trim());
            ProcessHandle.of(pid).ifPresent(ProcessHandle::destroyForcibly);
            OverlayTraffic.join(plugin.thread());
            plugin.driver().close();
            plugin.xfrm().close();
        }
        lost.values().forEach(each -> each.namespace().close());
        for (Membership on : ALL) {
            Namespace.unpin(pin(on));
        }
        container.close();
        wire.close();
        host.close();
    }
}
