package io.vxseal.cluster;

import io.vxseal.cluster.record.NodeRecord;
import io.vxseal.peers.Peer;
import io.vxseal.swarm.Role;
import java.net.InetAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;

/** Random events in a simulated swarm: what happens to containers, processes, hosts, links, roles and addresses. */
final class Schedule {
    static final Duration TROUBLE = Duration.ofSeconds(90);
    /** Five seconds for the processes, and the time for all nodes to have sessions and what the hubs decide. */
    private static final Duration HUBS_BACK = Duration.ofSeconds(20);
    /** Numbers of the events that leave no node silent for so long that what it has is anybody's: as all hostile schedules, and cuts and roles. */
    private static final int[] HOSTILE_WITH_CUTS = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 15};
    /** Seconds of a cut beside hostile nodes: with the time for both ends to notice it shorter than a silent node's record stands. */
    private static final int SHORT_CUT = 5;
    /** Beside hostile nodes, from the beginning of one to that of the next. */
    private static final Duration CUTS_APART = Duration.ofSeconds(40);

    private final Simulation world;
    private final Random random;
    private final boolean hostile;
    private final Extra extra;
    /** Endpoints whose successors are there already. */
    private final Set<String> replaced = new HashSet<>();
    /** Addresses that no node has any more. */
    private final List<InetAddress> freed = new ArrayList<>();
    private int moved;
    private long hubsAreBack;
    private long nextCut;

    /** What happens in a schedule beyond what happens in all of them. */
    enum Extra {
        NONE,
        /** Nodes change their addresses, join again under other ids, or are removed. */
        MOVES,
        /** All hubs restart at once, beside hostile nodes. */
        HUBS_RESTART,
        /** Links are cut and roles change, beside hostile nodes. */
        CUTS;

        /** Returns what schedules with this seed have; those with odd seeds have hostile nodes. */
        static Extra of(long seed) {
            return switch ((int) (seed % 4)) {
                case 0 -> MOVES;
                case 1 -> CUTS;
                case 3 -> HUBS_RESTART;
                default -> NONE;
            };
        }
    }

    Schedule(Simulation world, Random random, boolean hostile, Extra extra) {
        this.world = world;
        this.random = random;
        this.hostile = hostile;
        this.extra = extra;
    }

    void begin() {
        if (hostile) {
            int some = 1 + random.nextInt(3);
            for (int n = 0; n < some; n++) {
                world.enemies.add(new HostileWorker(world, n, random));
            }
            world.enemies.forEach(HostileWorker::begin);
        }
        int events = 5 + random.nextInt(25);
        for (int n = 0; n < events; n++) {
            world.network.at(world.network.now() + (long) (random.nextDouble() * TROUBLE.toNanos()), this::something);
        }
        if (extra == Extra.HUBS_RESTART) {
            world.network.after(Duration.ofSeconds(5).plus(upTo(60)), this::restartHubs);
        }
    }

    private Duration upTo(int seconds) {
        return Duration.ofMillis(random.nextInt(seconds * 1000));
    }

    private int kind() {
        if (hostile) {
            return extra == Extra.CUTS ? HOSTILE_WITH_CUTS[random.nextInt(HOSTILE_WITH_CUTS.length)] : random.nextInt(9);
        }
        return random.nextInt(extra == Extra.MOVES ? 21 : 16);
    }

    private void something() {
        SimulatedHost host = someHost();
        switch (kind()) {
            case 0, 1 -> {
                if (host.isUp()) {
                    world.startContainer(host);
                }
            }
            case 2 -> someEndpoint(host).ifPresent(peer -> {
                world.note("%s ends %s", host.id, peer.endpoint());
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
                world.note("%s's clock is off by %s", host.id, host.offset);
            }
            case 6 -> {
                world.note("%s wants other keys", host.id);
                host.member.ifPresent(ClusterMember::requestRotation);
            }
            case 7 -> {
                SimulatedHost other = someHost();
                world.note("%s's engine says that %s is lost", host.id, other.id);
                host.member.ifPresent(m -> m.lost(other.address));
                world.network.after(upTo(20), () -> host.member.ifPresent(m -> m.found(other.address)));
            }
            case 8 -> {
                SimulatedHost other = someHost();
                if ((!hostile || extra == Extra.CUTS) && host != other) {
                    cut(Set.of(host.id), Set.of(other.id), upTo(hostile ? SHORT_CUT : 60));
                }
            }
            case 9 -> split();
            case 10 -> powerCut(host);
            case 11 -> {
                world.note("%s stops in good order", host.id);
                host.stop();
                world.network.after(upTo(100).plusSeconds(3), () -> host.start(true));
            }
            case 12 -> kill(host, upTo(20));
            case 13 -> changeRole(host);
            case 14 -> {
                if (!world.managers.contains(host.id) && host.isUp() && !isAwayForAllHubs(host)) {
                    world.note("%s leaves the swarm", host.id);
                    host.leave();
                }
            }
            case 15 -> {
                Set<String> one = new LinkedHashSet<>(List.of(host.id));
                Set<String> rest = ids();
                rest.removeAll(one);
                cut(one, rest, upTo(hostile ? SHORT_CUT : 80));
            }
            case 16 -> changeAddress(host);
            case 17 -> joinAgain(host);
            case 18 -> removeManager(host);
            case 19, 20 -> removeWorker(host);
            default -> throw new IllegalStateException();
        }
    }

    /**
     * Returns whether hubs were told that a node is away, and none has heard of it since. If it leaves then, nobody hears that, and its record
     * stands for ten minutes.
     */
    private boolean isAwayForAllHubs(SimulatedHost host) {
        List<NodeRecord> records = world.hosts.stream().flatMap(each -> each.member.stream())
                .flatMap(member -> member.hub().stream()).flatMap(hub -> hub.nodes().stream())
                .filter(record -> record.node().equals(host.id)).toList();
        return records.stream().anyMatch(NodeRecord::away) && records.stream().allMatch(record -> record.away() || record.silent());
    }

    private boolean isPinned(SimulatedHost host) {
        return world.managers.contains(host.id) || world.enemies.stream().anyMatch(enemy -> enemy.victims.contains(host.id));
    }

    /** Until all are back an enemy may have what it claims; nobody holds it against the one that had it before. */
    private void restartHubs() {
        world.note("all hubs are killed");
        for (SimulatedHost host : world.hosts) {
            if (world.managers.contains(host.id)) {
                Duration gone = upTo(5);
                host.kill();
                world.network.after(gone, () -> host.start(true));
            }
        }
        hubsAreBack = world.network.now() + HUBS_BACK.toNanos();
    }

    /** Returns whether hubs, or nodes of the same hosts, are not back yet since all were killed. */
    boolean areHubsAway() {
        return world.network.now() < hubsAreBack;
    }

    private Set<String> ids() {
        Set<String> all = new LinkedHashSet<>();
        world.hosts.forEach(host -> all.add(host.id));
        return all;
    }

    private void move(SimulatedHost from) {
        SimulatedHost to = someHost();
        Optional<Peer> moving = someEndpoint(from);
        if (from == to || !from.isUp() || !to.isUp() || moving.isEmpty()) {
            return;
        }
        Peer old = moving.get();
        Peer moved = new Peer(old.network(), world.newEndpoint(), old.address(), old.mac(), to.address);
        world.note("%s moves from %s to %s as %s", old.endpoint(), from.id, to.id, moved.endpoint());
        replaced.add(old.endpoint());
        boolean together = random.nextBoolean();
        if (together) {
            to.add(old.network(), moved);
            world.network.after(upTo(2), () -> end(from, old));
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
        world.note("%s is killed for %s%s%s", host.id, gone, remembers ? "" : ", forgets its endpoints", ring ? "" : ", and its ring");
        host.kill();
        if (!ring) {
            host.forgetRing();
        }
        if (random.nextInt(4) == 0) {
            // A container that ends meanwhile.
            someEndpoint(host).ifPresent(peer -> end(host, peer));
        }
        world.network.after(gone, () -> host.start(remembers));
    }

    private void powerCut(SimulatedHost host) {
        Duration gone = upTo(80).plusSeconds(5);
        world.note("%s loses its power for %s", host.id, gone);
        host.powerOff();
        world.network.after(gone, () -> host.start(true));
    }

    private void split() {
        Set<String> one = new LinkedHashSet<>();
        Set<String> other = new LinkedHashSet<>();
        world.hosts.forEach(host -> (random.nextBoolean() ? one : other).add(host.id));
        cut(one, other, upTo(hostile ? SHORT_CUT : 80));
    }

    private void cut(Set<String> one, Set<String> other, Duration time) {
        if (hostile && world.network.now() < nextCut) {
            return;
        }
        nextCut = world.network.now() + CUTS_APART.toNanos();
        world.note("%s are cut off from %s for %s", one, other, time);
        one.forEach(a -> other.forEach(b -> world.network.cut(a, b)));
        world.network.after(time, () -> {
            world.note("mended: %s and %s", one, other);
            one.forEach(a -> other.forEach(b -> world.network.mend(a, b)));
        });
    }

    private void changeRole(SimulatedHost host) {
        if (world.managers.contains(host.id)) {
            if (world.managers.size() < 3) {
                return;
            }
            world.note("%s is demoted", host.id);
            world.managers.remove(host.id);
            world.network.after(upTo(5), () -> world.become(host));
        } else if (world.managers.size() < 7) {
            world.note("%s is promoted", host.id);
            world.managers.add(host.id);
            world.become(host);
        }
        world.listingChanged();
    }

    private void removeManager(SimulatedHost host) {
        if (world.managers.contains(host.id) && world.managers.size() > 2 && host.isUp()) {
            world.note("%s is removed from the swarm", host.id);
            world.managers.remove(host.id);
            host.expel();
            world.listingChanged();
        }
    }

    /** {@code docker node rm --force}: the worker goes on with the certificate that it has. */
    private void removeWorker(SimulatedHost host) {
        boolean isUnheard = isAwayForAllHubs(host) && world.managers.stream().noneMatch(world::hasSocket);
        if (!world.managers.contains(host.id) && host.role == Role.WORKER && !isUnheard) {
            world.note("%s is removed from the swarm", host.id);
            host.remove();
        }
    }

    /** An endpoint that its host has and that may go. */
    private Optional<Peer> someEndpoint(SimulatedHost host) {
        List<Peer> all = host.containers.values().stream().flatMap(each -> each.values().stream())
                .filter(peer -> !replaced.contains(peer.endpoint()))
                .filter(peer -> world.enemies.stream().noneMatch(enemy -> enemy.claimed.contains(peer.address().address()))).toList();
        return all.isEmpty() ? Optional.empty() : Optional.of(all.get(random.nextInt(all.size())));
    }

    private SimulatedHost someHost() {
        while (true) {
            SimulatedHost host = world.hosts.get(random.nextInt(world.hosts.size()));
            if (!host.left) {
                return host;
            }
        }
    }

    // ---- moves

    /** The node's engine starts with another address: a new one, or one that another node had. */
    private void changeAddress(SimulatedHost host) {
        InetAddress before = host.address;
        InetAddress now = freed.isEmpty() || random.nextBoolean()
                ? InetAddress.ofLiteral("10.1.1." + ++moved)
                : freed.remove(random.nextInt(freed.size()));
        world.note("%s moves from %s to %s", host.id, before.getHostAddress(), now.getHostAddress());
        world.move(host, now);
        freed.add(before);
        if (random.nextBoolean()) {
            world.hosts.forEach(other -> world.network.after(upTo(20), () -> other.member.ifPresent(m -> m.lost(before))));
        }
    }

    /** A worker leaves the swarm, with a good-bye or without, and its host joins again: another node at the same address. */
    private void joinAgain(SimulatedHost host) {
        if (world.managers.contains(host.id) || !host.isUp()) {
            return;
        }
        boolean goodbye = random.nextBoolean();
        Duration gone = upTo(40).plusSeconds(2);
        world.note("%s leaves the swarm%s, and is back under another id after %s", host.id, goodbye ? "" : " without a word", gone);
        if (goodbye) {
            host.leave();
        } else {
            host.vanish();
        }
        world.network.after(gone, () -> world.join(host.address));
    }
}
