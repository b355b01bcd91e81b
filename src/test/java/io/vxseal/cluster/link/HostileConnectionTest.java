package io.vxseal.cluster.link;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vxseal.cluster.refusal.Refusal;
import io.vxseal.swarm.Role;
import io.vxseal.swarm.SwarmIdentity;
import io.vxseal.swarm.TestAuthority;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import org.junit.jupiter.api.Test;

/** Outsiders who connect to a hub, beside whom an honest node gets its session in at most twice its usual time. */
class HostileConnectionTest extends LinkTest {
    private static final InetAddress ATTACKER = address(66);
    private static final int ROUNDS = 7;

    /** What the scheduler of a busy machine adds to a join of some twenty milliseconds. */
    private static final long NOISE_MILLIS = 150;

    /** For the hub's places and for the attackers' own ends, which this process has as well. */
    private static final long HEAP = 16 << 20;

    /** What an outsider does on one connection; blocks or returns, and is interrupted in the end. */
    private interface Attack {
        void run(InetSocketAddress hub) throws Exception;
    }

    private HubServer hub;
    private Node honest;
    private volatile boolean over;

    private void honestNodeJoinsBeside(String what, int connections, Attack attack) throws Exception {
        hub = hub();
        honest = node(2, Role.WORKER);
        long usual = joinMillis();
        long before = heap();
        CountDownLatch begun = new CountDownLatch(connections);
        List<Thread> attackers = new ArrayList<>();
        for (int i = 0; i < connections; i++) {
            attackers.add(Thread.ofVirtual().start(() -> {
                begun.countDown();
                while (!over) {
                    try {
                        attack.run(at(hub));
                    } catch (Exception _) {
                        // The hub closed it, or the test is over.
                    }
                }
            }));
        }
        try {
            begun.await();
            Thread.sleep(300);
            long beside = joinMillis();
            long grown = heap() - before;
            System.out.printf("measured: a node joins in %d ms, beside %s in %d ms; the heap grew by %d KiB; refused: %s%n",
                    usual, what, beside, grown >> 10, refusals.counts());
            assertThat(beside).isLessThanOrEqualTo(2 * usual + NOISE_MILLIS);
            assertThat(grown).isLessThan(HEAP);
            assertThat(refusals.counts()).isNotEmpty();
        } finally {
            over = true;
            attackers.forEach(Thread::interrupt);
            for (Thread attacker : attackers) {
                attacker.join();
            }
        }
    }

    /** Median of some joins, each a TCP connection, a handshake and a session. */
    private long joinMillis() throws Exception {
        List<Long> nanos = new ArrayList<>();
        for (int i = 0; i < ROUNDS; i++) {
            long start = System.nanoTime();
            Connection connection = dial(honest, hub);
            nanos.add(System.nanoTime() - start);
            connection.close("joined");
            Thread.sleep(1_000); // Within the rate of one node's sessions.
        }
        Collections.sort(nanos);
        return nanos.get(ROUNDS / 2) / 1_000_000;
    }

    /** Holds an idle connection until the end, and opens it again whenever it gave way. */
    private void idleAgainAndAgain(InetSocketAddress hub, InetAddress from) throws Exception {
        while (!over) {
            try {
                idle(hub, from, new byte[0]);
            } catch (IOException _) {
                // It gave way, and is back.
            }
            Thread.sleep(20);
        }
    }

    private static long heap() {
        System.gc();
        return ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
    }

    private static void idle(InetSocketAddress hub, InetAddress from, byte[] hello) throws IOException {
        try (Socket socket = RawClient.connect(from, hub)) {
            socket.setSoTimeout(60_000);
            socket.getOutputStream().write(hello);
            while (socket.getInputStream().read() >= 0) {
                // Takes the hub's part of the handshake, and answers nothing.
            }
        }
    }

    private static byte[] clientHello() throws Exception {
        SSLContext context = SSLContext.getInstance("TLSv1.3");
        context.init(null, null, null);
        SSLEngine engine = context.createSSLEngine();
        engine.setUseClientMode(true);
        ByteBuffer hello = ByteBuffer.allocate(20_000);
        engine.wrap(ByteBuffer.allocate(0), hello);
        return Arrays.copyOf(hello.array(), hello.position());
    }

    @Test
    void honestNodeJoinsBesideIdleConnections() throws Exception {
        honestNodeJoinsBeside("300 idle connections", 300, hub -> idle(hub, ATTACKER, new byte[0]));
        assertThat(refusals.count(Refusal.DISPLACED)).isPositive();
    }

    /** As a container of the same host does, whose packets leave with the host's address. */
    @Test
    void honestNodeJoinsBesideIdleConnectionsOfItsAddress() throws Exception {
        honestNodeJoinsBeside("20 idle connections of its own address", 20, hub -> {
            idle(hub, address(2), new byte[0]);
            Thread.sleep(500);
        });
    }

    @Test
    void honestNodeJoinsBesideIdleConnectionsOverIpv6() throws Exception {
        hubAddress = HUB_IPV6;
        honestNodeJoinsBeside("20 idle connections of its own IPv6 address", 20, hub -> {
            idle(hub, HUB_IPV6, new byte[0]);
            Thread.sleep(500);
        });
        assertThat(refusals.count(Refusal.DISPLACED)).isPositive();
    }

    @Test
    void honestNodeJoinsBesideHalfOpenHandshakes() throws Exception {
        byte[] hello = clientHello();
        honestNodeJoinsBeside("300 half-open handshakes", 300, hub -> {
            idle(hub, ATTACKER, hello);
            Thread.sleep(1_000);
        });
    }

    @Test
    void honestNodeJoinsBesideSlowHandshakes() throws Exception {
        byte[] hello = clientHello();
        honestNodeJoinsBeside("100 slow handshakes", 100, hub -> {
            try (Socket socket = RawClient.connect(ATTACKER, hub)) {
                for (byte octet : hello) {
                    socket.getOutputStream().write(octet);
                    Thread.sleep(100);
                }
            }
        });
        assertThat(refusals.count(Refusal.DISPLACED) + refusals.count(Refusal.DEADLINE)).isPositive();
    }

    @Test
    void honestNodeJoinsBesideIdleConnectionsOfManyAddresses() throws Exception {
        honestNodeJoinsBeside("120 idle connections of 8 addresses", 120, hub -> {
            idle(hub, address(70 + (int) (Thread.currentThread().threadId() % 8)), new byte[0]);
            Thread.sleep(200);
        });
    }

    /** As many as fill all places, none with more than four of them. */
    @Test
    void honestNodeJoinsBesideFewIdleConnectionsOfEachOfManyAddresses() throws Exception {
        AtomicInteger next = new AtomicInteger();
        honestNodeJoinsBeside("64 idle connections of 16 addresses", 64, hub -> {
            idleAgainAndAgain(hub, address(70 + next.getAndIncrement() % 16));
        });
        assertThat(refusals.count(Refusal.DISPLACED)).isPositive();
    }

    /** More than there are places, one of each address. The node had a session before, which tells it from them. */
    @Test
    void knownNodeJoinsBesideOneIdleConnectionOfEachOfHundredsOfAddresses() throws Exception {
        AtomicInteger next = new AtomicInteger();
        honestNodeJoinsBeside("400 idle connections of as many addresses", 400, hub -> {
            idleAgainAndAgain(hub, address(512 + next.getAndIncrement()));
        });
        assertThat(refusals.count(Refusal.DISPLACED)).isPositive();
    }

    @Test
    void honestNodeJoinsBesideFloodOfConnections() throws Exception {
        honestNodeJoinsBeside("a flood of connections", 4, hub -> {
            RawClient.connect(ATTACKER, hub).close();
            Thread.sleep(2);
        });
        assertThat(refusals.count(Refusal.CONNECTION_RATE)).isPositive();
    }

    /** By one who has a certificate, each session in place of the one before. */
    @Test
    void honestNodeJoinsBesideFloodOfSessions() throws Exception {
        SwarmIdentity identity = authority().node("node-3", Role.WORKER);
        honestNodeJoinsBeside("a flood of sessions", 4, hub -> {
            try (RawClient client = new RawClient(ATTACKER, hub, identity)) {
                client.open();
            }
        });
        assertThat(refusals.count(Refusal.SESSION_RATE)).isPositive();
        assertThat(hub.sessions()).isLessThanOrEqualTo(2);
    }

    @Test
    void closesConnectionsThatAreNoSessionsInTime() throws Exception {
        hub = hub();
        try (Socket silent = RawClient.connect(ATTACKER, at(hub));
                RawClient headless = new RawClient(ATTACKER, at(hub), authority().node("node-3", Role.WORKER))) {
            silent.setSoTimeout(20_000);
            assertThat(silent.getInputStream().read()).isEqualTo(-1);
            headless.awaitEnd();
            assertThat(refusals.count(Refusal.DEADLINE)).isEqualTo(2);
            oneAddressMayHaveItsWholeShare();
        }
    }

    /** None of its connections is pending, so only the last of these is one too many. */
    private void oneAddressMayHaveItsWholeShare() throws Exception {
        List<Socket> share = new ArrayList<>();
        try {
            for (int n = 0; n <= Admission.Limits.DEFAULT.pendingPerSource(); n++) {
                share.add(RawClient.connect(ATTACKER, at(hub)));
            }
            // The hub accepts it after all of those.
            dial(node(2, Role.WORKER), hub);
            assertThat(refusals.count(Refusal.DISPLACED)).isEqualTo(1);
        } finally {
            for (Socket socket : share) {
                socket.close();
            }
        }
    }

    @Test
    void refusesOutsidersAndExpiredCertificates() throws Exception {
        hub = hub();
        SwarmIdentity outsider = new TestAuthority(folder, "s2").node("node-3", Role.WORKER);
        assertThatThrownBy(() -> dial(node(3, outsider), hub)).hasMessageContaining("no session with the hub");
        assertThat(atHub.events).isEmpty();
        SwarmIdentity old = authority().node("node-4", Role.WORKER, Instant.now().plusSeconds(3));
        Thread.sleep(3_100);
        assertThatThrownBy(() -> new RawClient(ATTACKER, at(hub), old).open()).isInstanceOf(IOException.class);
        atHub.await("counted", () -> refusals.count(Refusal.HANDSHAKE) >= 2);
        assertThat(atHub.events).isEmpty();
    }

    @Test
    void refusesRequestsThatAreNotForSessions() throws Exception {
        hub = hub();
        SwarmIdentity identity = authority().node("node-3", Role.WORKER);
        for (String head : List.of(
                "GET /v1/session HTTP/1.1\r\nHost: hub\r\n\r\n",
                "POST /other HTTP/1.1\r\nHost: hub\r\nContent-Length: 0\r\n\r\n")) {
            try (RawClient client = new RawClient(ATTACKER, at(hub), identity)) {
                assertThat(client.request(head)).startsWith("HTTP/1.1 404");
            }
        }
        assertThat(refusals.count(Refusal.REQUEST)).isEqualTo(2);
        try (RawClient client = new RawClient(ATTACKER, at(hub), identity)) {
            assertThat(client.request("POST /v1/session HTTP/1.1\r\nHost: hub\r\nX: " + "x".repeat(10_000) + "\r\n\r\n"))
                    .startsWith("HTTP/1.1 431");
        }
        assertThat(atHub.events).isEmpty();
    }
}
