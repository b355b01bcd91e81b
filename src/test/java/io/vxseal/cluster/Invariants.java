package io.vxseal.cluster;

import io.vxseal.cluster.message.RingMark;
import io.vxseal.cluster.ring.SignedRing;
import io.vxseal.encryption.Key;
import io.vxseal.peers.Peer;
import io.vxseal.swarm.Role;
import java.net.InetAddress;
import java.time.Duration;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;

/** Checks of what must hold in a simulated swarm all the time, and at its end. */
final class Invariants {
    private static final Duration CHECK = Duration.ofSeconds(1);
    /** For a ring to come to a node that has a session with a hub that has it. */
    private static final Duration RING_WAY = Duration.ofSeconds(5);
    private static final Duration HANDOVER = Duration.ofSeconds(40);
    /** For a worker whose session died without a word to have one with another hub. */
    private static final Duration REACH = Duration.ofSeconds(14);

    private final Simulation world;
    /** The ring that each host had at the last look, and since when it has missed no ring. */
    private final Map<String, RingMark> marks = new HashMap<>();
    private final Map<String, Long> currentSince = new HashMap<>();
    /** Since when each host's process reaches a hub that has the newest ring. */
    private final Map<String, Long> reachedSince = new HashMap<>();
    private RingMark reachedRing = RingMark.NONE;
    /** Since when each worker's process could reach a hub, by process and hub, and has had no session with any. */
    private final Map<String, Long> cutOffSince = new HashMap<>();
    private final Map<RingMark, SignedRing> byMark = new HashMap<>();
    private int read;

    Invariants(Simulation world) {
        this.world = world;
    }

    // ---- what must hold all the time

    private RingMark newest() {
        RingMark newest = RingMark.NONE;
        for (; read < world.signatures.size(); read++) {
            byMark.put(world.signatures.get(read).mark(), world.signatures.get(read));
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

    private RingMark takeMark(SimulatedHost host) {
        RingMark mark = host.member.map(m -> m.rings().mark()).orElse(RingMark.NONE);
        RingMark before = marks.put(host.id, mark);
        if (!mark.equals(before) && (before == null || ring(mark).filter(now -> isParent(before, now)).isEmpty())) {
            currentSince.remove(host.id);
        }
        return mark;
    }

    void watch() {
        checkKeyUse();
        checkRingCame();
        checkSessions();
        checkRemoved();
        world.hosts.forEach(host -> host.recall = host.recall.filter(check -> !check.look()));
        for (HostileWorker enemy : world.schedule.areHubsAway() ? List.<HostileWorker>of() : world.enemies) {
            for (SimulatedHost host : world.hosts) {
                host.containers.keySet().forEach(net -> host.known(net).values().forEach(peer ->
                        world.check(!enemy.isMine(peer), "%s believes %s", host.id, peer)));
            }
        }
        world.network.after(CHECK, this::watch);
    }

    /**
     * Checks that nobody sends with a key that an up-to-date receiver lacks. To be called whenever a kernel's keys change: between two looks a
     * host may take several rings, of which one is of another line.
     */
    void checkKeyUse() {
        RingMark newest = newest();
        Optional<SignedRing> ring = ring(newest);
        if (ring.isEmpty()) {
            return;
        }
        for (SimulatedHost host : world.hosts) {
            RingMark mark = takeMark(host);
            if (!mark.equals(newest) && !isParent(mark, ring.get())) {
                currentSince.remove(host.id);
            } else {
                currentSince.putIfAbsent(host.id, world.network.now());
            }
        }
        Set<Key> sentWith = new HashSet<>();
        for (SimulatedHost sender : world.hosts) {
            Long since = currentSince.get(sender.id);
            if (since == null || world.network.now() - since < HANDOVER.toNanos() || sender.kernel.isEmpty()) {
                continue;
            }
            Key primary = sender.kernel.primary().orElseThrow();
            if (!sentWith.add(primary)) {
                continue;
            }
            for (SimulatedHost receiver : world.hosts) {
                if (newest.equals(marks.get(receiver.id)) && receiver.isUp()) {
                    world.check(receiver.kernel.keys().contains(primary), "%s sends with key %d, and %s has %s", sender.id, primary.tag(),
                            receiver.id, receiver.kernel.keys().stream().map(Key::tag).toList());
                }
            }
        }
    }

    private void checkRingCame() {
        RingMark newest = newest();
        if (ring(newest).isEmpty()) {
            return;
        }
        if (!newest.equals(reachedRing)) {
            reachedRing = newest;
            reachedSince.clear();
        }
        for (SimulatedHost host : world.hosts) {
            boolean reached = host.member.filter(m -> m.node().hubs().stream().anyMatch(hub -> world.hosts.stream().anyMatch(other ->
                    other.id.equals(hub.node()) && other.isUp() && newest.equals(marks.get(other.id)) && world.network.isConnected(host.id, other.id)
                            && isGivenRing(host, other)))).isPresent();
            // It refuses the ring of one that is no manager any more, until a manager outdoes it.
            if (!reached || !host.listing.nodes().contains(newest.author())) {
                reachedSince.remove(host.processId());
            } else if (world.network.now() - reachedSince.computeIfAbsent(host.processId(), _ -> world.network.now()) > RING_WAY.toNanos()) {
                world.check(newest.equals(marks.get(host.id)), "%s reaches a hub with ring %d, and has %d", host.id, newest.version(),
                        marks.get(host.id).version());
            }
        }
    }

    private void checkSessions() {
        for (SimulatedHost host : world.hosts) {
            boolean connected = host.isUp() && world.hosts.stream().anyMatch(hub -> isReachable(host, hub) && world.network.isConnected(host.id, hub.id));
            for (SimulatedHost hub : world.hosts) {
                String key = host.processId() + " " + hub.processId();
                if (connected || host.role == Role.MANAGER || host.removed || !isReachable(host, hub)
                        || world.network.hasUnnoticedBreak(host.id, hub.id)) {
                    cutOffSince.remove(key);
                } else {
                    long since = cutOffSince.computeIfAbsent(key, _ -> world.network.now());
                    world.check(world.network.now() - since <= REACH.toNanos(), "%s has no session, and could reach %s", host.id, hub.id);
                }
            }
        }
    }

    /** A node that was removed gets no ring and no record from a hub that knows, nor has the hub its record. */
    private void checkRemoved() {
        for (SimulatedHost host : world.hosts) {
            for (SimulatedHost other : host.removed ? world.hosts : List.<SimulatedHost>of()) {
                other.member.flatMap(ClusterMember::hub).filter(hub -> hub.removed().contains(host.id)).ifPresent(hub -> {
                    world.check(!hub.connected().contains(host.id), "%s was removed, and has a session with %s", host.id, other.id);
                    world.check(hub.nodes().stream().noneMatch(record -> record.node().equals(host.id)), "%s was removed, and %s has its record",
                            host.id, other.id);
                });
            }
        }
    }

    private boolean isReachable(SimulatedHost host, SimulatedHost hub) {
        return host.isUp() && hub.member.filter(m -> m.hub().isPresent()).isPresent() && !world.network.isCut(host.id, hub.id)
                && host.listing.nodes().contains(hub.id) && host.listing.addresses().contains(hub.address);
    }

    /** A manager's certificate without a place on the hub's list gets no ring. */
    private static boolean isGivenRing(SimulatedHost host, SimulatedHost hub) {
        return host.id.equals(hub.id) || host.role == Role.WORKER || hub.listing.nodes().contains(host.id);
    }

    // ---- what must hold at the end

    private List<SimulatedHost> present() {
        return world.hosts.stream().filter(host -> !host.left).toList();
    }

    Set<RingMark> rings() {
        Set<RingMark> marks = new HashSet<>();
        present().forEach(host -> marks.add(host.member.orElseThrow().rings().mark()));
        return marks;
    }

    void checkEnd() {
        List<SimulatedHost> all = present();
        Set<RingMark> marks = rings();
        world.check(marks.size() == 1 && !marks.contains(RingMark.NONE), "several rings: %s", all.stream()
                .map(host -> host.id + " " + host.member.orElseThrow().rings().mark().version()).toList());
        boolean isListed = all.stream().anyMatch(other -> world.managers.contains(other.id) && world.hasSocket(other.id));
        Set<Key> inForce = all.stream().flatMap(host -> host.kernel.keys().stream()).collect(Collectors.toSet());
        for (SimulatedHost host : world.hosts) {
            if (host.removed && isListed) {
                all.stream().flatMap(other -> other.member.orElseThrow().hub().stream()).forEach(hub ->
                        world.check(!hub.connected().contains(host.id), "%s was removed, and has a session in the end", host.id));
            }
            // One that was removed, and of which no hub knows that, has the keys and may pass them on.
            if (isListed ? host.excluded || host.removed : host.excluded && world.hosts.stream().noneMatch(other -> other.removed && !other.excluded)) {
                world.check(Collections.disjoint(inForce, host.had), "%s left, and has one of the keys %s", host.id,
                        inForce.stream().map(Key::tag).toList());
            }
        }
        for (SimulatedHost host : all) {
            for (String net : host.containers.keySet()) {
                Map<InetAddress, Peer> expected = new TreeMap<>(world.byOctets());
                all.stream().filter(other -> other != host).forEach(other ->
                        other.announced(net).forEach(peer -> expected.put(peer.address().address(), peer)));
                Set<Peer> wrong = new HashSet<>(host.known(net).values());
                wrong.removeAll(expected.values());
                world.hosts.stream().filter(other -> other.removed && !isListed).forEach(other -> wrong.removeAll(other.announced(net)));
                Set<Peer> missing = new HashSet<>(expected.values());
                missing.removeAll(host.known(net).values());
                world.check(wrong.isEmpty() && missing.isEmpty(), "%s believes in %s, and lacks %s", host.id, wrong, missing);
            }
        }
        for (HostileWorker enemy : world.enemies) {
            world.check(world.refusals().getOrDefault(enemy.id(), 0) > 0, "nothing of %s was refused", enemy.id());
        }
    }
}
