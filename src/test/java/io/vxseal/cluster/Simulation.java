package io.vxseal.cluster;

import io.vxseal.address.Cidr;
import io.vxseal.address.MacAddress;
import io.vxseal.cluster.message.RingMark;
import io.vxseal.cluster.record.SubnetRecord;
import io.vxseal.cluster.ring.SignedRing;
import io.vxseal.cluster.ring.SimulatedTrust;
import io.vxseal.encryption.Key;
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
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;

/**
 * A swarm of three managers and twenty workers that runs the deciding classes in virtual time, through a random schedule of what happens
 * to swarms. The same seed gives the same run.
 */
final class Simulation {
    static final int MANAGERS = 3;
    static final int WORKERS = 20;
    private static final int NETWORKS = 6;
    private static final Duration TROUBLE = Duration.ofSeconds(90);
    /** Longer than anything outlives its silence, and than the keys' handover takes. */
    private static final Duration SETTLING = Duration.ofSeconds(75);
    private static final Duration CHECK = Duration.ofSeconds(1);
    /** For a ring to come to a node that has a session with a hub that has it; longer than a broken session takes to be noticed. */
    private static final Duration RING_WAY = Duration.ofSeconds(20);
    private static final Duration HANDOVER = Duration.ofSeconds(40);

    final long seed;
    final VirtualNetwork network;
    final Duration rotation;
    final List<SignedRing> signatures = SimulatedTrust.none();
    final List<SimulatedHost> hosts = new ArrayList<>();
    private final Map<InetAddress, SimulatedHost> byAddress = new HashMap<>();
    private final Random random;
    private final boolean hostile;
    private final List<HostileWorker> enemies = new ArrayList<>();
    private final List<String> journal = new ArrayList<>();
    private final Map<String, Integer> refusals = new TreeMap<>();
    /** The ring that each host had at the last look, and since when it has missed no ring. */
    private final Map<String, RingMark> marks = new HashMap<>();
    private final Map<String, Long> currentSince = new HashMap<>();
    /** Since when each host reaches a hub that has the newest ring. */
    private final Map<String, Long> reachedSince = new HashMap<>();
    private RingMark reachedRing = RingMark.NONE;
    private int endpoints;
    private final Map<RingMark, SignedRing> byMark = new HashMap<>();
    private int read;
    private final Set<String> managers = new LinkedHashSet<>();

    Simulation(long seed) {
        this.seed = seed;
        this.random = new Random(seed);
        this.hostile = seed % 2 == 1;
        this.network = new VirtualNetwork(random, seed % 16 < 2);
        this.rotation = Duration.ofSeconds(20 + random.nextInt(60));
    }

    /** Runs all of it. */
    void run() {
        begin();
        network.runUntil(Duration.ofSeconds(10).toNanos());
        watch();
        trouble();
        network.runUntil(network.now() + TROUBLE.toNanos());
        settle();
        network.runUntil(network.now() + SETTLING.toNanos());
        // A ring that was made just now is on its way.
        for (int n = 0; n < 10 && rings().size() > 1; n++) {
            network.runUntil(network.now() + CHECK.toNanos());
        }
        checkEnd();
    }

    @SuppressWarnings("AnnotateFormatMethod")
    void check(boolean holds, String what, Object... of) {
        if (!holds) {
            throw new AssertionError("seed %d at %.3f s: %s%n%s".formatted(
                    seed, network.now() / 1e9, what.formatted(of), String.join("\n", journal)));
        }
    }

    @SuppressWarnings("AnnotateFormatMethod")
    private void note(String what, Object... of) {
        journal.add("%8.3f %s".formatted(network.now() / 1e9, what.formatted(of)));
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
        for (SimulatedHost host : hosts) {
            host.listing = listing();
            int some = random.nextInt(4);
            for (int n = 0; n < some; n++) {
                startContainer(host);
            }
            network.after(Duration.ofMillis(random.nextInt(5000)), () -> host.start(true));
        }
    }

    private ManagerAddresses.Listing listing() {
        Set<InetAddress> addresses = new LinkedHashSet<>();
        hosts.stream().filter(host -> managers.contains(host.id)).forEach(host -> addresses.add(host.address));
        return new ManagerAddresses.Listing(new LinkedHashSet<>(managers), addresses);
    }

    private void listingChanged() {
        ManagerAddresses.Listing now = listing();
        for (SimulatedHost host : hosts) {
            network.after(Duration.ofMillis(random.nextInt(3000)), () -> host.listed(now));
        }
    }

    SimulatedHost at(InetAddress address) {
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
        return new Peer(net, "e" + endpoints++, address, MacAddress.of(address.address()), host.address);
    }

    private void startContainer(SimulatedHost host) {
        String net = "net" + random.nextInt(NETWORKS);
        Peer peer = newPeer(host, net);
        host.add(net, peer);
        note("%s starts %s at %s in %s", host.id, peer.endpoint(), peer.address(), net);
    }

    /** An endpoint that its host has and that may go. */
    private Optional<Peer> someEndpoint(SimulatedHost host) {
        List<Peer> all = host.containers.values().stream().flatMap(each -> each.values().stream())
                .filter(peer -> enemies.stream().noneMatch(enemy -> enemy.claimed.contains(peer.address().address()))).toList();
        return all.isEmpty() ? Optional.empty() : Optional.of(all.get(random.nextInt(all.size())));
    }

    private SimulatedHost someHost() {
        while (true) {
            SimulatedHost host = hosts.get(random.nextInt(hosts.size()));
            if (!host.left) {
                return host;
            }
        }
    }

    // ---- what happens

    private void trouble() {
        if (hostile) {
            int some = 1 + random.nextInt(3);
            for (int n = 0; n < some; n++) {
                enemies.add(new HostileWorker(this, n, random));
            }
            enemies.forEach(HostileWorker::begin);
        }
        int events = 5 + random.nextInt(25);
        for (int n = 0; n < events; n++) {
            network.at(network.now() + (long) (random.nextDouble() * TROUBLE.toNanos()), this::something);
        }
    }

    private Duration upTo(int seconds) {
        return Duration.ofMillis(random.nextInt(seconds * 1000));
    }

    private void something() {
        SimulatedHost host = someHost();
        switch (random.nextInt(hostile ? 9 : 16)) {
            case 0, 1 -> {
                if (host.isUp()) {
                    startContainer(host);
                }
            }
            case 2 -> someEndpoint(host).ifPresent(peer -> {
                note("%s ends %s", host.id, peer.endpoint());
                host.remove(peer.network(), peer.endpoint());
            });
            case 3 -> move(host);
            case 4 -> {
                // One whose address an enemy wants is back before it is given up.
                if (!hostile || !isPinned(host)) {
                    kill(host, upTo(hostile ? 10 : 60));
                }
            }
            case 5 -> {
                host.offset = Duration.ofSeconds(random.nextInt(20_000) - 10_000);
                note("%s's clock is off by %s", host.id, host.offset);
            }
            case 6 -> {
                note("%s wants other keys", host.id);
                host.member.ifPresent(ClusterMember::requestRotation);
            }
            case 7 -> {
                SimulatedHost other = someHost();
                note("%s's engine says that %s is lost", host.id, other.id);
                host.member.ifPresent(m -> m.lost(other.address));
                network.after(upTo(20), () -> host.member.ifPresent(m -> m.found(other.address)));
            }
            case 8 -> {
                SimulatedHost other = someHost();
                if (!hostile && host != other) {
                    cut(Set.of(host.id), Set.of(other.id), upTo(60));
                }
            }
            case 9 -> split();
            case 10 -> powerCut(host);
            case 11 -> {
                note("%s stops in good order", host.id);
                host.stop();
                network.after(upTo(100).plusSeconds(3), () -> host.start(true));
            }
            case 12 -> kill(host, upTo(20));
            case 13 -> changeRole(host);
            case 14 -> {
                if (!managers.contains(host.id) && host.isUp()) {
                    note("%s leaves the swarm", host.id);
                    host.leave();
                }
            }
            case 15 -> {
                Set<String> one = new LinkedHashSet<>(List.of(host.id));
                Set<String> rest = ids();
                rest.removeAll(one);
                cut(one, rest, upTo(80));
            }
            default -> throw new IllegalStateException();
        }
    }

    private boolean isPinned(SimulatedHost host) {
        return managers.contains(host.id) || enemies.stream().anyMatch(enemy -> enemy.victims.contains(host.id));
    }

    private Set<String> ids() {
        Set<String> all = new LinkedHashSet<>();
        hosts.forEach(host -> all.add(host.id));
        return all;
    }

    private void move(SimulatedHost from) {
        SimulatedHost to = someHost();
        Optional<Peer> moving = someEndpoint(from);
        if (from == to || !from.isUp() || !to.isUp() || moving.isEmpty()) {
            return;
        }
        Peer old = moving.get();
        Peer moved = new Peer(old.network(), "e" + endpoints++, old.address(), old.mac(), to.address);
        note("%s moves from %s to %s as %s", old.endpoint(), from.id, to.id, moved.endpoint());
        boolean together = random.nextBoolean();
        if (together) {
            to.add(old.network(), moved);
            network.after(upTo(2), () -> end(from, old));
        } else {
            from.remove(old.network(), old.endpoint());
            to.add(old.network(), moved);
        }
    }

    private static void end(SimulatedHost host, Peer peer) {
        if (host.containers.getOrDefault(peer.network(), Map.of()).containsKey(peer.endpoint())) {
            host.remove(peer.network(), peer.endpoint());
        }
    }

    private void kill(SimulatedHost host, Duration gone) {
        boolean remembers = random.nextInt(4) > 0;
        boolean ring = random.nextInt(4) > 0;
        note("%s is killed for %s%s%s", host.id, gone, remembers ? "" : ", forgets its endpoints", ring ? "" : ", and its ring");
        host.kill();
        if (!ring) {
            host.forgetRing();
        }
        if (random.nextInt(4) == 0) {
            // A container that ends meanwhile.
            someEndpoint(host).ifPresent(peer -> end(host, peer));
        }
        network.after(gone, () -> host.start(remembers));
    }

    private void powerCut(SimulatedHost host) {
        Duration gone = upTo(80).plusSeconds(5);
        note("%s loses its power for %s", host.id, gone);
        host.powerOff();
        network.after(gone, () -> host.start(true));
    }

    private void split() {
        Set<String> one = new LinkedHashSet<>();
        Set<String> other = new LinkedHashSet<>();
        hosts.forEach(host -> (random.nextBoolean() ? one : other).add(host.id));
        cut(one, other, upTo(80));
    }

    private void cut(Set<String> one, Set<String> other, Duration time) {
        note("%s are cut off from %s for %s", one, other, time);
        one.forEach(a -> other.forEach(b -> network.cut(a, b)));
        network.after(time, () -> {
            note("mended: %s and %s", one, other);
            one.forEach(a -> other.forEach(b -> network.mend(a, b)));
        });
    }

    private void changeRole(SimulatedHost host) {
        if (managers.contains(host.id)) {
            if (managers.size() < 3) {
                return;
            }
            note("%s is demoted", host.id);
            managers.remove(host.id);
            network.after(upTo(5), () -> become(host));
        } else if (managers.size() < 7) {
            note("%s is promoted", host.id);
            managers.add(host.id);
            become(host);
        }
        listingChanged();
    }

    private void become(SimulatedHost host) {
        Role now = managers.contains(host.id) ? Role.MANAGER : Role.WORKER;
        if (now != host.role) {
            host.become(now);
        }
    }

    private void settle() {
        note("from here on nothing happens");
        network.mendAll();
        for (SimulatedHost host : hosts) {
            host.start(true);
            become(host);
            host.listed(listing());
        }
        // Whatever was to happen later.
        network.after(Duration.ofSeconds(1), network::mendAll);
    }

    // ---- what must hold all the time

    private RingMark newest() {
        RingMark newest = RingMark.NONE;
        for (; read < signatures.size(); read++) {
            byMark.put(signatures.get(read).mark(), signatures.get(read));
        }
        for (RingMark mark : byMark.keySet()) {
            newest = mark.compareTo(newest) > 0 ? mark : newest;
        }
        return newest;
    }

    private Optional<SignedRing> ring(RingMark mark) {
        return Optional.ofNullable(byMark.get(mark));
    }

    private boolean isParent(RingMark mark, SignedRing of) {
        return mark.version() == of.mark().version() - 1 && ring(mark)
                .filter(parent -> parent.keys().keys().getLast().equals(of.keys().keys().getFirst())).isPresent();
    }

    private void watch() {
        checkKeys();
        for (HostileWorker enemy : enemies) {
            for (SimulatedHost host : hosts) {
                host.containers.keySet().forEach(net -> host.known(net).values().forEach(peer ->
                        check(!enemy.isMine(peer), "%s believes %s", host.id, peer)));
            }
        }
        network.after(CHECK, this::watch);
    }

    private void checkKeys() {
        RingMark newest = newest();
        Optional<SignedRing> ring = ring(newest);
        if (ring.isEmpty()) {
            return;
        }
        for (SimulatedHost host : hosts) {
            RingMark mark = host.member.map(m -> m.rings().mark()).orElse(RingMark.NONE);
            RingMark before = marks.put(host.id, mark);
            boolean missed = !mark.equals(before) && (before == null || ring(mark).filter(now -> isParent(before, now)).isEmpty());
            if (missed || !mark.equals(newest) && !isParent(mark, ring.get())) {
                currentSince.remove(host.id);
            } else {
                currentSince.putIfAbsent(host.id, network.now());
            }
        }
        checkRingCame(newest);
        for (SimulatedHost sender : hosts) {
            Long since = currentSince.get(sender.id);
            if (since == null || network.now() - since < HANDOVER.toNanos() || sender.kernel.isEmpty()) {
                continue;
            }
            Key primary = sender.kernel.primary().orElseThrow();
            for (SimulatedHost receiver : hosts) {
                if (newest.equals(marks.get(receiver.id)) && receiver.isUp()) {
                    check(receiver.kernel.keys().contains(primary), "%s sends with key %d, and %s has %s", sender.id, primary.tag(),
                            receiver.id, receiver.kernel.keys().stream().map(Key::tag).toList());
                }
            }
        }
    }

    private void checkRingCame(RingMark newest) {
        if (!newest.equals(reachedRing)) {
            reachedRing = newest;
            reachedSince.clear();
        }
        for (SimulatedHost host : hosts) {
            boolean reached = host.member.filter(m -> m.node().hubs().stream().anyMatch(hub -> hosts.stream().anyMatch(other ->
                    other.id.equals(hub.node()) && other.isUp() && newest.equals(marks.get(other.id)) && !network.isCut(host.id, other.id))))
                    .isPresent();
            if (!reached) {
                reachedSince.remove(host.id);
            } else if (network.now() - reachedSince.computeIfAbsent(host.id, _ -> network.now()) > RING_WAY.toNanos()) {
                check(newest.equals(marks.get(host.id)), "%s reaches a hub with ring %d, and has %d", host.id, newest.version(),
                        marks.get(host.id).version());
            }
        }
    }

    // ---- what must hold at the end

    private List<SimulatedHost> present() {
        return hosts.stream().filter(host -> !host.left).toList();
    }

    private Set<RingMark> rings() {
        Set<RingMark> marks = new HashSet<>();
        present().forEach(host -> marks.add(host.member.orElseThrow().rings().mark()));
        return marks;
    }

    private void checkEnd() {
        List<SimulatedHost> all = present();
        Set<RingMark> marks = rings();
        check(marks.size() == 1 && !marks.contains(RingMark.NONE), "several rings: %s", all.stream()
                .map(host -> host.id + " " + host.member.orElseThrow().rings().mark().version()).toList());
        for (SimulatedHost host : all) {
            for (String net : host.containers.keySet()) {
                Map<InetAddress, Peer> expected = new TreeMap<>(byOctets());
                all.stream().filter(other -> other != host).forEach(other ->
                        other.announced(net).forEach(peer -> expected.put(peer.address().address(), peer)));
                Set<Peer> wrong = new HashSet<>(host.known(net).values());
                wrong.removeAll(expected.values());
                Set<Peer> missing = new HashSet<>(expected.values());
                missing.removeAll(host.known(net).values());
                check(wrong.isEmpty() && missing.isEmpty(), "%s believes in %s, and lacks %s", host.id, wrong, missing);
            }
        }
        for (HostileWorker enemy : enemies) {
            check(refusals.getOrDefault(enemy.id(), 0) > 0, "nothing of %s was refused", enemy.id());
        }
    }
}
