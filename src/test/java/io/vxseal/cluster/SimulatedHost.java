package io.vxseal.cluster;

import io.vxseal.cluster.hub.SimulatedDisk;
import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.message.MessageChannel;
import io.vxseal.cluster.message.Timer;
import io.vxseal.cluster.record.HubView.Retention;
import io.vxseal.cluster.record.PathReport;
import io.vxseal.cluster.ring.KeyAuthority;
import io.vxseal.cluster.ring.RingStore;
import io.vxseal.cluster.ring.RingTrust;
import io.vxseal.cluster.ring.SignedRing;
import io.vxseal.cluster.ring.SimulatedTrust;
import io.vxseal.encryption.Handover;
import io.vxseal.encryption.Key;
import io.vxseal.encryption.KeyRing;
import io.vxseal.peers.Peer;
import io.vxseal.swarm.ManagerAddresses;
import io.vxseal.swarm.NodeName;
import io.vxseal.swarm.Role;
import java.net.InetAddress;
import java.time.Duration;
import java.time.Instant;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** A host of the simulation: its engine's containers, its kernel's keys, and a process that dies and comes back. */
final class SimulatedHost implements RingStore {
    static final Retention RETENTION = new Retention(Duration.ofSeconds(26), Duration.ofMinutes(10));
    private static final Duration TICK = Duration.ofSeconds(1);
    private static final Instant EPOCH = Instant.parse("2026-01-01T00:00:00Z");

    private final Simulation world;
    final String id;
    InetAddress address;
    Role role;
    /** Of the wall clock. */
    Duration offset = Duration.ZERO;
    boolean left;
    /** Set once the swarm knows that it left. */
    boolean excluded;
    /** Set once the list of nodes does not have it any more. */
    boolean removed;
    /** Keys that it ever had. */
    final Set<Key> had = new HashSet<>();

    // The engine, and what it remembers.
    final Map<String, Map<String, Peer>> containers = new TreeMap<>();
    ManagerAddresses.Listing listing = ManagerAddresses.Listing.EMPTY;

    // The kernel, which outlives the process.
    KeyRing kernel = KeyRing.EMPTY;
    private Optional<SignedRing> tmpfs = Optional.empty();
    private final SimulatedDisk disk = new SimulatedDisk();

    // The process.
    private int process;
    Optional<ClusterMember> member = Optional.empty();
    private SimulatedDriver driver;
    private Handover handover = new Handover();
    Optional<RecallCheck> recall = Optional.empty();

    SimulatedHost(Simulation world, String id, InetAddress address, Role role) {
        this.world = world;
        this.id = id;
        this.address = address;
        this.role = role;
        this.driver = new SimulatedDriver(world, this);
    }

    NodeName name() {
        return new NodeName("swarm", role, id);
    }

    boolean isUp() {
        return member.isPresent();
    }

    /** Returns which process of the host this is. */
    String processId() {
        return id + "-" + process;
    }

    private VirtualNetwork network() {
        return world.network;
    }

    // ---- the process

    /**
     * Starts the process.
     *
     * @param remembers whether its driver still knows its endpoints
     */
    void start(boolean remembers) {
        if (isUp() || left) {
            return;
        }
        int number = ++process;
        driver = new SimulatedDriver(world, this);
        handover = new Handover();
        KeyAuthority authority = new KeyAuthority(world.rotation, Duration.ofSeconds(10), 0, network().random);
        ClusterMember started = new ClusterMember(authority, RETENTION, this, disk, timer(number), network().random, new Outside(number),
                (_, node, what) -> world.refused(id, node, what));
        member = Optional.of(started);
        if (!remembers && !containers.isEmpty()) {
            started.node().recall();
            driver.forget();
            recall = Optional.of(new RecallCheck(world, this));
        }
        containers.forEach((network, endpoints) -> {
            started.node().subscribe(network, world.subnets(network));
            endpoints.values().stream().filter(driver::remembers).forEach(started.node()::announce);
        });
        started.listed(listing);
        started.become(trust());
        started.vtep(address);
        tick(number);
    }

    private RingTrust trust() {
        return new SimulatedTrust(name(), world.signatures);
    }

    private void tick(int number) {
        if (isProcess(number)) {
            member.orElseThrow().tick();
            step();
            network().after(TICK, () -> tick(number));
        }
    }

    private boolean isProcess(int number) {
        return isUp() && process == number;
    }

    private Timer timer(int number) {
        return new Timer() {
            @Override
            public long nanoTime() {
                return network().now();
            }

            @Override
            public Instant wallTime() {
                return EPOCH.plusNanos(network().now()).plus(offset);
            }

            @Override
            public void after(Duration delay, Runnable task) {
                network().after(delay, () -> {
                    if (isProcess(number)) {
                        task.run();
                    }
                });
            }
        };
    }

    /** SIGKILL. */
    void kill() {
        if (isUp()) {
            member = Optional.empty();
            network().reset(id);
        }
    }

    /** The host loses its power, and its containers with it. */
    void powerOff() {
        member = Optional.empty();
        containers.clear();
        kernel = KeyRing.EMPTY;
        tmpfs = Optional.empty();
        network().silence(id);
    }

    /** Forgets the ring, as when the tmpfs is gone. */
    void forgetRing() {
        tmpfs = Optional.empty();
    }

    /** SIGTERM: last words, and then the end. */
    void stop() {
        member.ifPresent(m -> {
            int number = process;
            m.away();
            long limit = network().now() + Duration.ofSeconds(2).toNanos();
            awaitHeard(number, limit);
        });
    }

    private void awaitHeard(int number, long limit) {
        if (isProcess(number)) {
            if (member.orElseThrow().node().isHeard() || network().now() >= limit) {
                kill();
            } else {
                network().after(Duration.ofMillis(20), () -> awaitHeard(number, limit));
            }
        }
    }

    /** {@code docker swarm leave}. */
    void leave() {
        removeAll();
        member.ifPresent(m -> {
            int number = process;
            m.node().goodbye();
            network().after(Duration.ofSeconds(1), () -> {
                if (isProcess(number)) {
                    // A hub that is alone may end before another manager knows.
                    excluded = m.node().isGoodbyeHeard() && m.node().hubs().stream().anyMatch(hub -> world.isAmongMajority(hub.node()));
                    kill();
                }
            });
        });
        left = true;
    }

    /** {@code docker node rm --force} of a manager, whose process goes on with the certificate and the list that it has. */
    void expel() {
        removeAll();
        left = true;
        removed = true;
        excluded = true;
    }

    /** {@code docker node rm --force} of a worker, whose process and containers go on. */
    void remove() {
        left = true;
        removed = true;
        recall = Optional.empty();
    }

    /** {@code docker swarm leave --force} while the plugin reaches nobody: nobody hears of it. */
    void vanish() {
        kill();
        containers.clear();
        left = true;
    }

    /** The engine starts with another address. The process closes its sockets, and opens them there. */
    void moveTo(InetAddress other) {
        address = other;
        containers.values().forEach(endpoints -> endpoints.replaceAll((_, peer) ->
                new Peer(peer.network(), peer.endpoint(), peer.address(), peer.mac(), other)));
        member.ifPresent(m -> {
            network().reset(id);
            m.vtep(other);
        });
    }

    /** The engine renewed the certificate with another role. */
    void become(Role now) {
        role = now;
        member.ifPresent(m -> {
            network().reset(id);
            m.become(trust());
        });
    }

    /** Takes the list of the swarm's nodes, if this is a manager whose plugin has the engine's socket. */
    void listNodes(Set<String> nodes) {
        if (!left && world.hasSocket(id) && world.managers.contains(id)) {
            member.ifPresent(m -> m.swarmNodes(nodes));
        }
    }

    void listed(ManagerAddresses.Listing now) {
        listing = now;
        member.ifPresent(m -> m.listed(now));
    }

    // ---- the engine and the driver

    void add(String network, Peer peer) {
        containers.computeIfAbsent(network, _ -> new LinkedHashMap<>()).put(peer.endpoint(), peer);
        member.ifPresent(m -> {
            m.node().subscribe(network, world.subnets(network));
            m.node().announce(peer);
        });
    }

    private void removeAll() {
        List.copyOf(containers.keySet()).forEach(network ->
                List.copyOf(containers.get(network).keySet()).forEach(endpoint -> remove(network, endpoint)));
    }

    void remove(String network, String endpoint) {
        Map<String, Peer> there = containers.get(network);
        there.remove(endpoint);
        member.ifPresent(m -> m.node().withdraw(network, endpoint));
        if (there.isEmpty()) {
            containers.remove(network);
            member.ifPresent(m -> m.node().unsubscribe(network));
            driver.remove(network);
        }
    }

    /** The endpoints of a network that this host's driver knows. */
    List<Peer> announced(String network) {
        return containers.getOrDefault(network, Map.of()).values().stream().filter(driver::remembers).toList();
    }

    /** Returns the endpoints that are there and that the driver does not know. */
    Set<String> forgotten() {
        return driver.forgotten();
    }

    /** What the driver was told of a network. */
    Map<InetAddress, Peer> known(String network) {
        return driver.known(network);
    }

    private final class Outside implements Surroundings {
        private final int number;

        Outside(int number) {
            this.number = number;
        }

        @Override
        public void dial(InetAddress hub) {
            @Nullable SimulatedHost other = world.at(hub);
            network().after(Duration.ofNanos(network().roundTrip()), () -> {
                if (!isProcess(number)) {
                    return;
                }
                boolean reached = other != null && other.isUp() && !network().isCut(id, other.id) && other.member.orElseThrow().hub().isPresent();
                if (!reached) {
                    network().after(Duration.ofMillis(network().random.nextInt(2000)), () -> {
                        if (isProcess(number)) {
                            member.orElseThrow().hubFailed(hub);
                        }
                    });
                    return;
                }
                List<MessageChannel> ends = network().open(name(), up(number), other.name(), other.down(other.process));
                other.member.orElseThrow().nodeOpened(ends.getLast());
                member.orElseThrow().hubReached(hub, ends.getFirst());
            });
        }

        @Override
        public void changed(List<PeerChange> changes) {
            driver.change(changes);
        }

        @Override
        public void recalled(List<Peer> endpoints, Runnable then) {
            network().after(Duration.ofMillis(network().random.nextInt(3000)), () -> {
                if (isProcess(number)) {
                    driver.recover(endpoints).forEach(member.orElseThrow().node()::announce);
                    then.run();
                }
            });
        }

        @Override
        public void checkPaths(Consumer<Optional<PathReport>> then) {
            then.accept(Optional.empty());
        }

        @Override
        public void keys(KeyRing keys) {
            had.addAll(keys.keys());
            boolean alone = driver.isAlone();
            kernel = handover.start(alone ? KeyRing.EMPTY : kernel, keys, network().now());
            world.kernelChanged();
            handover.dueIn(network().now()).ifPresent(due -> network().after(due, () -> {
                if (isProcess(number)) {
                    step();
                }
            }));
        }

        @Override
        public void refuseFormerManagers(Set<String> nodes) {
            // No engine of a simulation keeps a manager's certificate for long.
            world.check(nodes.isEmpty(), "%s takes %s for former managers", id, nodes);
        }

        @Override
        public void refuseRemoved(Set<String> nodes) {
            // The hub itself refuses their sessions.
            world.check(nodes.stream().allMatch(world::isRemoved), "%s takes %s for removed nodes", id, nodes);
        }
    }

    private void step() {
        handover.advance(network().now()).ifPresent(ring -> {
            kernel = ring;
            world.kernelChanged();
        });
    }

    /** This process's end of a session with a hub. */
    private VirtualNetwork.End up(int number) {
        return new VirtualNetwork.End() {
            @Override
            public void received(MessageChannel channel, Message message) {
                member.orElseThrow().hubReceived(channel, message);
            }

            @Override
            public void drained(MessageChannel channel) {
                member.orElseThrow().hubDrained(channel);
            }

            @Override
            public void closed(MessageChannel channel) {
                member.orElseThrow().hubClosed(channel);
            }

            @Override
            public boolean isAlive() {
                return isProcess(number);
            }
        };
    }

    /** This hub's end of a session with a node. */
    private VirtualNetwork.End down(int number) {
        return new VirtualNetwork.End() {
            @Override
            public void received(MessageChannel channel, Message message) {
                member.orElseThrow().nodeReceived(channel, message);
            }

            @Override
            public void drained(MessageChannel channel) {
                member.orElseThrow().nodeDrained(channel);
            }

            @Override
            public void closed(MessageChannel channel) {
                member.orElseThrow().nodeClosed(channel);
            }

            @Override
            public boolean isAlive() {
                return isProcess(number);
            }
        };
    }

    /** A session for one that does not play by the rules. */
    MessageChannel openFor(NodeName hostile, VirtualNetwork.End end) {
        List<MessageChannel> ends = network().open(hostile, end, name(), down(process));
        member.orElseThrow().nodeOpened(ends.getLast());
        return ends.getFirst();
    }

    // ---- memory

    @Override
    public Optional<SignedRing> read(RingTrust trust) {
        return tmpfs;
    }

    @Override
    public void write(SignedRing ring) {
        tmpfs = Optional.of(ring);
    }
}
