package io.vxseal.cluster;


import io.vxseal.address.Cidr;
import io.vxseal.address.MacAddress;
import io.vxseal.encryption.Key;
import io.vxseal.encryption.KeyRing;
import io.vxseal.peers.Peer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;
import org.awaitility.Awaitility;
import org.jgroups.Address;
import org.jgroups.EmptyMessage;
import org.jgroups.protocols.pbcast.GMS;
import org.jgroups.stack.Protocol;
import org.jgroups.stack.ProtocolStack;
import org.jgroups.util.MessageBatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Whole members on loopback addresses, with real sockets and real certificates. */
@Timeout(240)
abstract class Hosts {
    static final String SWARM = "swarmswarmswarmswarmswarm";
    static final Duration HALF_A_DAY = Duration.ofHours(12);
    /** For what a silent member told to outlive it, so that a test sees it end. */
    private static final Duration SOON = Duration.ofSeconds(4);
    /** What keeps other JVMs off this one's ports, until it ends. */
    private static final List<ServerSocket> CLAIMS = new ArrayList<>();

    @TempDir
    static Path temp;

    static TestSwarm swarm;

    final List<AutoCloseable> open = new ArrayList<>();
    final int port = freePort();

    @BeforeAll
    static void authority() throws IOException {
        swarm = TestSwarm.make(Files.createDirectories(temp.resolve("swarm")), SWARM);
    }

    @AfterEach
    void closeAll() throws Exception {
        for (AutoCloseable closeable : open.reversed()) {
            closeable.close();
        }
    }

    /** One node: its cluster, what its listener heard, and where it is. */
    record Host(
            Cluster cluster, Witness heard, InetAddress at, Path certificates, Path managers, Path ring) {
        void start(InetAddress... others) {
            cluster.self(at, at);
            for (InetAddress other : others) {
                cluster.found(other);
            }
        }

        int members() {
            return cluster.status().members().size();
        }
    }

    static long version(Host host) {
        return host.cluster.status().ring().map(Status.Ring::version).orElse(0L);
    }

    /** A member of the group by its certificate that says what it likes. */
    final class Rogue implements AutoCloseable {
        final List<Message> received = new CopyOnWriteArrayList<>();
        final AtomicReference<List<UUID>> view = new AtomicReference<>(List.of());
        final GroupStack stack;
        /** Who spoke last. */
        volatile UUID from;

        Rogue(SwarmIdentity identity, InetAddress at, InetAddress other) throws Exception {
            this(identity, at, other, false);
        }

        /** @param apart whether it has a group of its own, and neither joins nor merges */
        Rogue(SwarmIdentity identity, InetAddress at, InetAddress other, boolean apart) throws Exception {
            stack = new GroupStack(identity, at, Optional.empty(), port, List.of(other), new Refusals(),
                    new GroupStack.Events() {
                        @Override
                        public void view(List<UUID> members, boolean merged) {
                            view.set(members);
                        }

                        @Override
                        public void met(UUID stranger) { }

                        @Override
                        public void message(UUID from, byte[] octets) {
                            try {
                                Rogue.this.from = from;
                                received.add(Wire.decode(octets));
                            } catch (RefusedException e) {
                                throw new IllegalStateException(e);
                            }
                        }
                    });
            if (apart) {
                GMS membership = stack.channel.getProtocolStack().findProtocol(GMS.class);
                stack.channel.getProtocolStack().insertProtocol(
                        new Without(membership.getId()), ProtocolStack.Position.BELOW, GMS.class);
            }
            stack.connect();
        }

        UUID other() {
            return view.get().stream().filter(member -> !member.equals(stack.self())).findFirst().orElseThrow();
        }

        void send(UUID to, byte[] octets) throws Exception {
            stack.send(to, octets);
        }

        /** To the coordinator, in another member's name. */
        void sayThatItLeft(UUID member) throws Exception {
            List<Address> members = stack.channel.getView().getMembers();
            GMS gms = stack.channel.getProtocolStack().findProtocol(GMS.class);
            Address other = members.get(view.get().indexOf(member));
            stack.channel.send(new EmptyMessage(members.getFirst())
                    .putHeader(gms.getId(), new GMS.GmsHeader(GMS.GmsHeader.LEAVE_REQ, other)));
        }

        @Override
        public void close() {
            stack.close();
        }
    }

    /** Lets no message of one protocol through. */
    private static final class Without extends Protocol {
        private final short protocol;

        Without(short protocol) {
            this.protocol = protocol;
        }

        @Override
        public Object down(org.jgroups.Message message) {
            return message.getHeader(protocol) == null ? down_prot.down(message) : null;
        }

        @Override
        public Object up(org.jgroups.Message message) {
            return message.getHeader(protocol) == null ? up_prot.up(message) : null;
        }

        @Override
        public void up(MessageBatch batch) {
            batch.removeIf(message -> message.getHeader(protocol) != null, true);
            if (!batch.isEmpty()) {
                up_prot.up(batch);
            }
        }
    }

    Rogue rogue(int number, Role role, Host beside) throws Exception {
        Rogue rogue = new Rogue(SwarmIdentity.read(swarm.node("node-" + number, role)), address(number), beside.at);
        open.add(rogue);
        await("rogue in", () -> beside.members() == 2);
        return rogue;
    }

    Host host(int number, Role role) {
        return host(number, role, swarm, HALF_A_DAY);
    }

    Host host(int number, Role role, Duration keep) {
        return host(number, "node-" + number, role, swarm, new KeyAuthority(HALF_A_DAY, 0), keep);
    }

    Host host(int number, Role role, TestSwarm in, Duration rotation) {
        return host(number, role, in, new KeyAuthority(rotation, 0));
    }

    Host host(int number, Role role, TestSwarm in, KeyAuthority authority) {
        return host(number, "node-" + number, role, in, authority, SOON);
    }

    Host host(int number, String node, Role role, TestSwarm in, KeyAuthority authority, Duration keep) {
        return host(number, node, role, in, authority, keep, keep);
    }

    Host host(int number, String node, Role role, TestSwarm in, KeyAuthority authority, Duration keep, Duration away) {
        Path certificates = in.node(node, role);
        Path ring = temp.resolve("ring-%d-%d".formatted(port, number));
        Path managers = temp.resolve("state-%d-%d.json".formatted(port, number));
        Witness heard = new Witness();
        Cluster cluster = new Cluster(
                new Cluster.Settings(certificates, managers, port, HALF_A_DAY, 0, Optional.of(ring)),
                authority, new Node.Keep(keep, away), heard);
        open.add(cluster);
        return new Host(cluster, heard, address(number), certificates, managers, ring);
    }

    static Path ringFile(Host host) {
        return host.ring.resolve("ring");
    }

    static boolean sameRing(Host... hosts) {
        KeyRing first = hosts[0].cluster.ring();
        return !first.isEmpty() && Stream.of(hosts).allMatch(h -> h.cluster.ring().equals(first));
    }

    static KeyRing keys(int... tags) {
        List<Key> keys = new ArrayList<>();
        for (int tag : tags) {
            byte[] octets = new byte[16];
            Arrays.fill(octets, (byte) tag);
            keys.add(new Key(octets, tag));
        }
        return new KeyRing(keys);
    }

    static Peer peer(String network, String endpoint, Host host) {
        Cidr address = Cidr.parse("10.44.0." + (host.at.getAddress()[3] + 10) + "/24");
        return new Peer(network, endpoint, address, MacAddress.of(address.address()), host.at);
    }

    static InetAddress address(int number) {
        return InetAddress.ofLiteral("127.0.0." + number);
    }

    /**
     * A port of its own for every test: sockets of the one before may linger. And for every JVM, as several test at the same
     * addresses at the same time: each looks for a port on which nobody listens anywhere, and claims it by listening at an
     * address that no host has.
     */
    private static synchronized int freePort() {
        for (int port = 21000 + (int) (ProcessHandle.current().pid() % 10000); ; port++) {
            try {
                new ServerSocket(port).close();
                CLAIMS.add(new ServerSocket(port, 1, address(100)));
                return port;
            } catch (IOException _) {
                // Taken: the next.
            }
        }
    }

    static long millisSince(long nanos) {
        return Duration.ofNanos(System.nanoTime() - nanos).toMillis();
    }

    static void await(String what, BooleanSupplier condition) {
        // No measure of anything: a loaded machine takes half a minute to load JGroups.
        Awaitility.await(what).atMost(Duration.ofSeconds(90)).pollInterval(Duration.ofMillis(10)).pollInSameThread()
                .until(condition::getAsBoolean);
    }

    static void pause(long millis) {
        try {
            Thread.sleep(millis);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }
}
