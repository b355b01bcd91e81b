package io.vxseal.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.address.Cidr;
import io.vxseal.address.MacAddress;
import io.vxseal.cluster.link.Connection;
import io.vxseal.cluster.link.ConnectionListener;
import io.vxseal.cluster.link.HubClient;
import io.vxseal.cluster.link.LinkThreads;
import io.vxseal.cluster.link.LinkTimes;
import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.message.MessageCodec;
import io.vxseal.cluster.record.HubView.Retention;
import io.vxseal.cluster.refusal.Refusals;
import io.vxseal.cluster.refusal.RefusedException;
import io.vxseal.cluster.ring.KeyAuthority;
import io.vxseal.cluster.ring.RingStatus;
import io.vxseal.encryption.Key;
import io.vxseal.encryption.KeyRing;
import io.vxseal.peers.Peer;
import io.vxseal.swarm.Role;
import io.vxseal.swarm.SwarmIdentity;
import io.vxseal.swarm.TestSwarm;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Whole members on loopback addresses, with real sockets and real certificates. */
@Timeout(240)
public abstract class Hosts {
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
    /** The managers among the hosts, by address. */
    final Map<InetAddress, String> managerIds = new LinkedHashMap<>();
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
    final class Host {
        private final Cluster cluster;
        private final Witness heard;
        private final InetAddress at;
        private final Path certificates;
        private final Path managers;
        private final Path ring;

        Host(Cluster cluster, Witness heard, InetAddress at, Path certificates, Path managers, Path ring) {
            this.cluster = cluster;
            this.heard = heard;
            this.at = at;
            this.certificates = certificates;
            this.managers = managers;
            this.ring = ring;
        }

        Cluster cluster() {
            return cluster;
        }

        Witness heard() {
            return heard;
        }

        /** Returns the ring in force; {@link KeyRing#EMPTY} before any. */
        KeyRing ring() {
            return heard.rings.isEmpty() ? KeyRing.EMPTY : heard.rings.getLast();
        }

        InetAddress at() {
            return at;
        }

        Path certificates() {
            return certificates;
        }

        Path managers() {
            return managers;
        }

        /** Starts it; its engine lists the managers among itself and the others, unless the test wrote a list. */
        void start(InetAddress... others) {
            if (!Files.exists(managers)) {
                lists(others);
            }
            cluster.self(at, at);
        }

        /** Writes its engine's list of managers. */
        void lists(InetAddress... others) {
            String list = Stream.concat(Stream.of(at), Stream.of(others)).distinct().filter(managerIds::containsKey)
                    .map(each -> "{\"node_id\":\"%s\",\"addr\":\"%s:2377\"}".formatted(managerIds.get(each), each.getHostAddress()))
                    .collect(Collectors.joining(",", "[", "]"));
            try {
                Files.writeString(managers, list);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        int members() {
            return cluster.status().members().size();
        }
    }

    static long version(Host host) {
        return host.cluster.status().ring().map(RingStatus::version).orElse(0L);
    }

    /** A session with a host's hub, by its certificate, that says what it likes. */
    final class Rogue implements AutoCloseable, ConnectionListener {
        final List<Message> received = new CopyOnWriteArrayList<>();
        private final LinkThreads threads = new LinkThreads();
        private final HubClient client;
        private final Connection hub;

        Rogue(SwarmIdentity identity, InetAddress at, InetAddress other) throws Exception {
            client = new HubClient(at, identity, threads, LinkTimes.DEFAULT, this, new Refusals());
            hub = client.dial(new InetSocketAddress(other, port)).get(30, TimeUnit.SECONDS);
        }

        void send(Message message) {
            send(MessageCodec.encode(message));
        }

        void send(byte[] octets) {
            assertThat(offer(octets)).isTrue();
        }

        /** Returns whether the queue of its session had room. */
        boolean offer(byte[] octets) {
            return hub.send(octets);
        }

        boolean hasEnded() {
            return hub.hasEnded();
        }

        @Override
        public void opened(Connection connection) {}

        @Override
        public void received(Connection connection, byte[] message) {
            try {
                MessageCodec.decode(message).ifPresent(received::add);
            } catch (RefusedException e) {
                throw new IllegalStateException(e);
            }
        }

        @Override
        public void drained(Connection connection) {}

        @Override
        public void closed(Connection connection, String reason) {}

        @Override
        public void close() {
            client.close();
            threads.close();
        }
    }

    Rogue rogue(int number, Role role, Host beside) throws Exception {
        Rogue rogue = new Rogue(SwarmIdentity.read(swarm.node("node-" + number, role)), address(number), beside.at);
        open.add(rogue);
        return rogue;
    }

    Host host(int number, Role role) {
        return host(number, role, swarm, HALF_A_DAY);
    }

    Host host(int number, Role role, Duration keep) {
        return host(number, "node-" + number, role, swarm, new KeyAuthority(HALF_A_DAY, 0, new SecureRandom()), keep);
    }

    Host host(int number, Role role, TestSwarm in, Duration rotation) {
        return host(number, role, in, new KeyAuthority(rotation, 0, new SecureRandom()));
    }

    Host host(int number, Role role, TestSwarm in, KeyAuthority authority) {
        return host(number, "node-" + number, role, in, authority, SOON);
    }

    Host host(int number, String node, Role role, TestSwarm in, KeyAuthority authority, Duration keep) {
        return host(number, node, role, in, authority, keep, keep);
    }

    Host host(int number, String node, Role role, TestSwarm in, KeyAuthority authority, Duration keep, Duration away) {
        return host(number, node, role, in.node(node, role), authority, keep, away);
    }

    Host host(int number, String node, Role role, Path certificates, KeyAuthority authority, Duration keep, Duration away) {
        Path ring = temp.resolve("ring-%d-%d".formatted(port, number));
        Path managers = temp.resolve("state-%d-%d.json".formatted(port, number));
        Witness heard = new Witness();
        Cluster cluster = new Cluster(
                new ClusterSettings(certificates, managers, port, HALF_A_DAY, 0, Optional.of(ring), Optional.of(ring)),
                authority, new Retention(keep, away), heard);
        open.add(cluster);
        List.of("net", "other").forEach(network -> cluster.subscribe(network, List.of()));
        Host host = new Host(cluster, heard, address(number), certificates, managers, ring);
        if (role == Role.MANAGER) {
            managerIds.put(host.at, node);
        }
        return host;
    }

    static Path ringFile(Host host) {
        return host.ring.resolve("ring");
    }

    static boolean sameRing(Host... hosts) {
        KeyRing first = hosts[0].ring();
        return !first.isEmpty() && Stream.of(hosts).allMatch(h -> h.ring().equals(first));
    }

    public static KeyRing keys(int... tags) {
        List<Key> keys = new ArrayList<>();
        for (int tag : tags) {
            byte[] octets = new byte[16];
            Arrays.fill(octets, (byte) tag);
            keys.add(new Key(octets, tag));
        }
        return new KeyRing(keys);
    }

    static Peer peer(String network, String endpoint, Host host) {
        Cidr address = Cidr.parse("10.44.%d.%d/16".formatted(host.at.getAddress()[3], 10 + (endpoint.hashCode() & 0x7f)));
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
        // No measure of anything: a loaded machine takes half a minute to load everything.
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
