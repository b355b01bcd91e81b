package io.vxseal.cluster;

import io.vxseal.address.Cidr;
import io.vxseal.address.MacAddress;
import io.vxseal.cluster.record.SubnetRecord;
import io.vxseal.cluster.ring.SignedRing;
import io.vxseal.cluster.ring.SimulatedTrust;
import io.vxseal.peers.Peer;
import io.vxseal.swarm.ManagerAddresses;
import io.vxseal.swarm.Role;
import java.net.InetAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * A swarm of three managers and twenty workers that runs the deciding classes in virtual time, through a random schedule of what happens
 * to swarms. The same seed gives the same run.
 */
final class Simulation {
    static final int MANAGERS = 3;
    static final int WORKERS = 20;
    private static final int NETWORKS = 6;
    /** Longer than anything outlives its silence, and than the keys' handover takes. */
    private static final Duration SETTLING = Duration.ofSeconds(75);
    private static final Duration CHECK = Duration.ofSeconds(1);
    /** Between two lists of nodes, and the time for one to arrive. */
    private static final Duration LISTS = Duration.ofSeconds(5);
    private static final Duration LIST_WAY = Duration.ofSeconds(2);

    final long seed;
    private final Schedule.Extra extra;
    final VirtualNetwork network;
    final Duration rotation;
    final List<SignedRing> signatures = SimulatedTrust.none();
    final List<SimulatedHost> hosts = new ArrayList<>();
    private final Map<InetAddress, SimulatedHost> byAddress = new HashMap<>();
    private final Random random;
    final Schedule schedule;
    private final Invariants invariants = new Invariants(this);
    final List<HostileWorker> enemies = new ArrayList<>();
    private final List<String> journal = new ArrayList<>();
    private final Map<String, Integer> refusals = new TreeMap<>();
    private int endpoints;
    final Set<String> managers = new LinkedHashSet<>();

    /**
     * A swarm that has not begun.
     *
     * @param extra what happens beyond what happens in all schedules
     */
    Simulation(long seed, Schedule.Extra extra) {
        this.seed = seed;
        this.extra = extra;
        this.random = new Random(seed);
        this.network = new VirtualNetwork(random, seed % 16 < 2);
        this.rotation = Duration.ofSeconds(20 + random.nextInt(60));
        this.schedule = new Schedule(this, random, seed % 2 == 1, extra);
    }

    /** Runs all of it, and returns a number of all that nodes heard from each other. */
    long run() {
        begin();
        network.runUntil(Duration.ofSeconds(10).toNanos());
        invariants.watch();
        schedule.begin();
        network.runUntil(network.now() + Schedule.TROUBLE.toNanos());
        settle();
        network.runUntil(network.now() + SETTLING.toNanos());
        // A ring that was made just now is on its way.
        for (int n = 0; n < 10 && invariants.rings().size() > 1; n++) {
            network.runUntil(network.now() + CHECK.toNanos());
        }
        invariants.checkEnd();
        return network.digest();
    }

    @SuppressWarnings("AnnotateFormatMethod")
    void check(boolean holds, String what, Object... of) {
        if (!holds) {
            throw new AssertionError("seed %d at %.3f s: %s%n%s".formatted(
                    seed, network.now() / 1e9, what.formatted(of), String.join("\n", journal)));
        }
    }

    @SuppressWarnings("AnnotateFormatMethod")
    void note(String what, Object... of) {
        journal.add("%8.3f %s".formatted(network.now() / 1e9, what.formatted(of)));
    }

    void kernelChanged() {
        invariants.checkKeyUse();
    }

    void refused(String at, String node, String what) {
        refusals.merge(node, 1, Integer::sum);
    }

    Map<String, Integer> refusals() {
        return refusals;
    }

    // ---- the swarm

    private void begin() {
        for (int n = 1; n <= MANAGERS + WORKERS; n++) {
            InetAddress address = InetAddress.ofLiteral("10.1.0." + n);
            Role role = n <= MANAGERS ? Role.MANAGER : Role.WORKER;
            SimulatedHost host = new SimulatedHost(this, "%s%02d".formatted(n <= MANAGERS ? "m" : "w", n), address, role);
            hosts.add(host);
            byAddress.put(address, host);
            if (role == Role.MANAGER) {
                managers.add(host.id);
            }
        }
        if (extra == Schedule.Extra.MOVES) {
            listNodes();
        }
        for (SimulatedHost host : hosts) {
            host.listing = listing();
            int some = random.nextInt(4);
            for (int n = 0; n < some; n++) {
                startContainer(host);
            }
            network.after(Duration.ofMillis(random.nextInt(5000)), () -> host.start(true));
        }
    }

    /** Has the engines of managers list the nodes, from now on. */
    private void listNodes() {
        Set<String> nodes = hosts.stream().filter(host -> !host.removed).map(host -> host.id).collect(Collectors.toSet());
        network.after(LIST_WAY, () -> hosts.forEach(host -> host.listNodes(nodes)));
        network.after(LISTS, this::listNodes);
    }

    /** Returns whether a node's plugin would have the engine's socket: on all nodes, or on every other one. */
    boolean hasSocket(String node) {
        return seed % 8 == 0 || Integer.parseInt(node.substring(1)) % 2 == 0;
    }

    boolean isRemoved(String node) {
        return hosts.stream().anyMatch(host -> host.id.equals(node) && host.removed);
    }

    private ManagerAddresses.Listing listing() {
        Set<InetAddress> addresses = new LinkedHashSet<>();
        hosts.stream().filter(host -> managers.contains(host.id)).forEach(host -> addresses.add(host.address));
        return new ManagerAddresses.Listing(new LinkedHashSet<>(managers), addresses);
    }

    void listingChanged() {
        for (SimulatedHost host : hosts) {
            // Engines keep one list, so that an older one never follows a newer one.
            network.after(Duration.ofMillis(random.nextInt(3000)), () -> list(host, listing()));
        }
    }

    /** Returns whether a manager reaches a majority of the managers, itself among them. */
    boolean isAmongMajority(String manager) {
        return managers.stream().filter(other -> hosts.stream().anyMatch(host -> host.id.equals(other) && host.isUp())
                && !network.isCut(manager, other)).count() * 2 > managers.size();
    }

    /** Gives a host the list of managers, unless it is not of the swarm any more. */
    private static void list(SimulatedHost host, ManagerAddresses.Listing now) {
        if (!host.left) {
            host.listed(now);
        }
    }

    @Nullable SimulatedHost at(InetAddress address) {
        return byAddress.get(address);
    }

    Comparator<InetAddress> byOctets() {
        return (a, b) -> Arrays.compareUnsigned(a.getAddress(), b.getAddress());
    }

    List<SubnetRecord> subnets(String net) {
        int number = Integer.parseInt(net.substring(3));
        return List.of(new SubnetRecord(Cidr.parse("10.44.%d.0/24".formatted(number)), InetAddress.ofLiteral("10.44.%d.1".formatted(number))));
    }

    private Peer newPeer(SimulatedHost host, String net) {
        int number = Integer.parseInt(net.substring(3));
        Set<InetAddress> taken = new HashSet<>();
        hosts.forEach(each -> each.containers.getOrDefault(net, Map.of()).values().forEach(peer -> taken.add(peer.address().address())));
        enemies.forEach(enemy -> taken.addAll(enemy.claimed));
        int last = 2 + random.nextInt(200);
        while (taken.contains(InetAddress.ofLiteral("10.44.%d.%d".formatted(number, last)))) {
            last = last == 250 ? 2 : last + 1;
        }
        Cidr address = Cidr.parse("10.44.%d.%d/24".formatted(number, last));
        return new Peer(net, newEndpoint(), address, MacAddress.of(address.address()), host.address);
    }

    String newEndpoint() {
        return "e" + endpoints++;
    }

    void startContainer(SimulatedHost host) {
        String net = "net" + random.nextInt(NETWORKS);
        Peer peer = newPeer(host, net);
        host.add(net, peer);
        note("%s starts %s at %s in %s", host.id, peer.endpoint(), peer.address(), net);
    }

    void become(SimulatedHost host) {
        Role now = managers.contains(host.id) ? Role.MANAGER : Role.WORKER;
        if (now != host.role && !host.left) {
            host.become(now);
        }
    }

    private void settle() {
        note("from here on nothing happens");
        network.mendAll();
        for (SimulatedHost host : hosts) {
            host.start(true);
            become(host);
            list(host, listing());
        }
        // Whatever was to happen later, and what was about to stop.
        network.after(Duration.ofSeconds(3), () -> {
            network.mendAll();
            hosts.forEach(host -> host.start(true));
        });
    }

    /** Gives a host another address, as its engine does when it is started with one. */
    void move(SimulatedHost host, InetAddress to) {
        byAddress.remove(host.address, host);
        byAddress.put(to, host);
        host.moveTo(to);
        if (managers.contains(host.id)) {
            listingChanged();
        }
    }

    /** Adds a worker at an address at which no node is any more. */
    void join(InetAddress address) {
        SimulatedHost host = new SimulatedHost(this, "w%02d".formatted(hosts.size() + 1), address, Role.WORKER);
        hosts.add(host);
        byAddress.put(address, host);
        host.listing = listing();
        startContainer(host);
        host.start(true);
    }
}
