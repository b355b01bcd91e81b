package io.vxseal.cluster.link;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vxseal.cluster.refusal.Refusal;
import io.vxseal.swarm.Role;
import io.vxseal.swarm.SwarmIdentity;
import io.vxseal.swarm.TestAuthority;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** Peers that hold a valid worker certificate, or held one when their session began. */
class HostileSessionTest extends LinkTest {
    /** Type of a TLS record, application_data, which the handshake's encrypted records have too. */
    private static final byte ENCRYPTED = 23;

    private static final byte[] NOTHING = new byte[0];

    @Test
    void refusesOversizedLengthsBeforeTakingMemory() throws Exception {
        HubServer hub = hub();
        long before = heap();
        try (RawClient hostile = raw(3, hub)) {
            hostile.open();
            hostile.chunk(RawClient.frame(Frame.MESSAGE, 0xFFFFFF, NOTHING));
            assertThat(heap() - before).isLessThan(4L << 20);
            hostile.awaitEnd();
        }
        atHub.await("closed node-3: malformed or oversized frame");
        assertThat(refusals.count(Refusal.FRAME)).isEqualTo(1);
    }

    @Test
    void lengthsOfGigabytesInRequestsTakeNoMemory() throws Exception {
        HubServer hub = hub();
        long before = heap();
        List<RawClient> hostile = new ArrayList<>();
        try {
            for (String head : List.of("Content-Length: 8589934592\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n7fffffff\r\n",
                    "Transfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\n", "Content-Length: 99999999999999999999\r\n\r\n")) {
                RawClient client = raw(3 + hostile.size(), hub);
                hostile.add(client);
                client.request("POST " + HubServer.PATH + " HTTP/1.1\r\nHost: hub\r\n" + head);
                client.write(RawClient.frame(Frame.MESSAGE, Messages.MAX_OCTETS, NOTHING));
            }
            dial(node(30, Role.WORKER), hub).send(octets("honest"));
            atHub.await("received honest");
            assertThat(heap() - before).isLessThan(4L << 20);
            for (RawClient client : hostile) {
                client.awaitEnd();
            }
        } finally {
            for (RawClient client : hostile) {
                client.close();
            }
        }
        atHub.await("the honest session alone", () -> hub.sessions() == 1);
        // That of the chunk within bounds, whose frame never ends; the others are not answered by a session.
        assertThat(refusals.count(Refusal.SILENCE)).isEqualTo(1);
    }

    private static long heap() {
        System.gc();
        return ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
    }

    @Test
    void skipsFramesOfUnknownTypes() throws Exception {
        HubServer hub = hub();
        try (RawClient newer = raw(3, hub)) {
            newer.open();
            newer.chunk(RawClient.frame(77, 3, octets("new")));
            newer.chunk(RawClient.frame(Frame.MESSAGE, 3, octets("old")));
            atHub.await("received old");
        }
        atHub.await("closed node-3");
        assertThat(atHub.events).hasSize(3);
    }

    /** Else a worker had a hub decrypt as fast as it can. */
    @Test
    void frameOfUnknownTypesCountForThePace() throws Exception {
        HubServer hub = hub();
        try (RawClient newer = raw(3, hub)) {
            newer.open();
            long began = System.nanoTime();
            byte[] unknown = RawClient.frame(77, 0, NOTHING);
            ByteArrayOutputStream many = new ByteArrayOutputStream();
            for (int n = 0; n < 500; n++) {
                many.writeBytes(unknown);
            }
            newer.chunk(many.toByteArray());
            newer.chunk(RawClient.frame(Frame.MESSAGE, 3, octets("old")));
            atHub.await("received old");
            // A worker has 256 frames at once, and 100 in a second.
            assertThat(System.nanoTime() - began).isGreaterThan(Duration.ofSeconds(2).toNanos());
        }
    }

    /** Its keep-alives come, and it reads nothing. */
    @Test
    void closesSessionsThatTakeNothing() throws Exception {
        HubServer hub = hub();
        try (RawClient hostile = raw(3, hub)) {
            hostile.open();
            Thread alive = Thread.ofVirtual().start(() -> {
                try {
                    while (true) {
                        hostile.chunk(RawClient.frame(Frame.CLOCK, 8, new byte[8]));
                        Thread.sleep(200);
                    }
                } catch (Exception _) {
                    // Closed by the hub.
                }
            });
            atHub.await("opened node-3");
            Connection session = atHub.open.getFirst();
            while (!session.hasEnded()) {
                session.send(new byte[64 << 10]);
                Thread.sleep(1);
            }
            atHub.await("closed node-3: nothing taken");
            alive.join();
        }
        assertThat(refusals.count(Refusal.STALLED)).isEqualTo(1);
    }

    @Test
    void closesSessionsWithSlowBodies() throws Exception {
        HubServer hub = hub();
        try (RawClient hostile = raw(3, hub)) {
            hostile.open();
            hostile.chunk(RawClient.frame(Frame.MESSAGE, 100_000, NOTHING));
            Thread drip = Thread.ofVirtual().start(() -> {
                try {
                    while (true) {
                        hostile.chunk(new byte[1]);
                        Thread.sleep(100);
                    }
                } catch (Exception _) {
                    // Closed by the hub.
                }
            });
            atHub.await("closed node-3: no whole frame");
            drip.join();
        }
        assertThat(refusals.count(Refusal.SILENCE)).isEqualTo(1);
    }

    @Test
    void closesSilentSessionsOnBothSides() throws Exception {
        Recorder stalled = new Recorder() {
            @Override
            public void received(Connection connection, byte[] message) {
                try {
                    Thread.sleep(QUICK.silence().plusSeconds(3)); // As if the process were stopped: no keep-alive is read.
                } catch (InterruptedException _) {
                    Thread.currentThread().interrupt();
                }
            }
        };
        HubServer hub = hub();
        try (RawClient mute = raw(3, hub)) {
            long start = System.nanoTime();
            mute.open();
            atHub.await("closed node-3: no whole frame");
            System.out.printf("measured: a silent session was closed after %d ms%n", (System.nanoTime() - start) / 1_000_000);
        }
        Node node = node(4, authority().node("node-4", Role.WORKER), QUICK, stalled);
        dial(node, hub);
        atHub.await("opened", () -> atHub.open.size() == 1);
        atHub.open.getFirst().send(octets("stall"));
        stalled.await("closed hub: no whole frame");
    }

    @Test
    void newerSessionOfNodeReplacesOlder() throws Exception {
        HubServer hub = hub();
        SwarmIdentity identity = authority().node("node-3", Role.WORKER);
        Node first = node(3, identity);
        Node second = node(4, identity);
        dial(first, hub);
        dial(second, hub);
        first.heard().await("closed hub: closed by the peer: replaced by a newer session");
        atHub.await("three events", () -> atHub.events.size() == 3);
        assertThat(atHub.events).containsExactly("opened node-3",
                "closed node-3: replaced by a newer session of the same node", "opened node-3");
        assertThat(hub.sessions()).isEqualTo(1);
    }

    @Test
    void boundsTheRateOfSessionsOfOneCertificate() throws Exception {
        HubServer hub = hub();
        SwarmIdentity identity = authority().node("node-3", Role.WORKER);
        int refused = 0;
        for (int i = 0; i < 20; i++) {
            try (RawClient hostile = new RawClient(address(3), at(hub), identity)) {
                if (hostile.open().startsWith("HTTP/1.1 429")) {
                    refused++;
                }
            }
        }
        assertThat(refused).isBetween(5, 15);
        assertThat(refusals.count(Refusal.SESSION_RATE)).isEqualTo(refused);
        dial(node(4, Role.WORKER), hub);
        atHub.await("opened node-4");
    }

    /** Counts messages instead of keeping them: a flood has many. */
    private static class Counter extends Recorder {
        final AtomicInteger messages = new AtomicInteger();

        @Override
        public void received(Connection connection, byte[] message) {
            messages.incrementAndGet();
        }
    }

    @Test
    void readsFloodOfMessagesAtItsPace() throws Exception {
        Counter counter = new Counter();
        HubServer hub = hub(counter, QUICK);
        Node hostile = node(3, Role.WORKER);
        Connection up = dial(hostile, hub);
        long accepted = 0;
        long end = System.nanoTime() + 3_000_000_000L;
        while (System.nanoTime() < end) {
            if (up.send(new byte[5_000])) {
                accepted++;
            } else {
                Thread.sleep(1);
            }
        }
        assertThat(counter.messages.get()).isBetween(256, 256 + 3 * 100 + 100);
        assertThat(hostile.heard().open).hasSize(1);
        System.out.printf("measured: of a flood %d messages were sent and %d read in 3 s%n", accepted, counter.messages.get());
    }

    @Test
    void readsNoMoreFromPeerWhoseMessagesAreNotHandled() throws Exception {
        Counter counter = new Counter() {
            @Override
            public void received(Connection connection, byte[] message) {
                super.received(connection, message);
                connection.hold(message.length);
            }
        };
        HubServer hub = hub(counter, QUICK);
        Connection up = dial(node(3, Role.MANAGER), hub);
        int messages = 2 * HeldMessages.MAX_MESSAGES;
        for (int sent = 0; sent < messages; sent++) {
            assertThat(up.send(new byte[5_000])).isTrue();
        }
        counter.await("some received", () -> counter.messages.get() >= HeldMessages.MAX_MESSAGES);
        // Longer than a silent session stands.
        Thread.sleep(QUICK.silence().plusSeconds(1));
        assertThat(counter.messages.get()).as("those of the last octets that were read included").isBetween(64, 75);
        Connection down = counter.open.getFirst();
        for (int released = 0; released < messages - HeldMessages.MAX_MESSAGES; released++) {
            down.release(5_000);
            int least = HeldMessages.MAX_MESSAGES + released;
            counter.await("the next", () -> counter.messages.get() >= least);
        }
        down.release(5_000);
        counter.await("the last", () -> counter.messages.get() == messages);
        assertThat(counter.open).hasSize(1);
    }

    @Test
    void peerThatDoesNotReadDelaysNoOther() throws Exception {
        HubServer hub = hub();
        try (RawClient stalled = raw(3, hub)) {
            stalled.open();
            Thread alive = keepAlive(stalled);
            Node other = node(4, Role.WORKER);
            dial(other, hub);
            atHub.await("two", () -> atHub.open.size() == 2);
            Connection down = atHub.open.stream().filter(c -> c.peer().node().equals("node-3")).findFirst().orElseThrow();
            Connection toOther = atHub.open.stream().filter(c -> c.peer().node().equals("node-4")).findFirst().orElseThrow();
            int accepted = 0;
            long start = System.nanoTime();
            while (down.send(new byte[100_000])) {
                accepted++;
                Thread.sleep(1);
            }
            assertThat(accepted).isLessThan(200);
            assertThat(toOther.send(octets("prompt"))).isTrue();
            other.heard().await("received prompt");
            System.out.printf("measured: %d messages of 100 kB queued in %d ms for a peer that reads nothing%n",
                    accepted, (System.nanoTime() - start) / 1_000_000);
            assertThat(atHub.events).doesNotContain("drained node-3");
            stalled.input().readNBytes(accepted * 90_000);
            atHub.await("drained node-3");
            assertThat(down.send(octets("again"))).isTrue();
            stalled.close();
            alive.join();
        }
        atHub.await("closed node-3");
    }

    private static Thread keepAlive(RawClient client) {
        return Thread.ofVirtual().start(() -> {
            try {
                while (true) {
                    client.chunk(RawClient.frame(Frame.KEEP_ALIVE, 0, NOTHING));
                    Thread.sleep(300);
                }
            } catch (Exception _) {
                // The session ended.
            }
        });
    }

    @Test
    void closesSessionsOfRemovedNodesAndRefusesNewOnes() throws Exception {
        HubServer hub = hub();
        Node removed = node(3, Role.WORKER);
        Node stays = node(4, Role.WORKER);
        dial(removed, hub);
        dial(stays, hub);
        hub.recheck(name -> name.node().equals("node-3") ? Optional.of("removed from the swarm") : Optional.empty());
        atHub.await("closed node-3: node may not have a session: removed from the swarm");
        removed.heard().await("removed from the swarm");
        assertThatThrownBy(() -> dial(removed, hub)).hasMessageContaining(Refusal.NODE.text());
        assertThat(refusals.count(Refusal.NODE)).isEqualTo(2);
        assertThat(stays.heard().open).hasSize(1);
    }

    @Test
    void closesStandingSessionWhenItsCertificateExpires() throws Exception {
        HubServer hub = hub();
        Node node = node(3, authority().node("node-3", Role.WORKER, Instant.now().plusSeconds(4)));
        dial(node, hub);
        node.heard().await("closed hub: closed by the peer: certificate does not hold: it expired");
        assertThatThrownBy(() -> dial(node, hub)).isInstanceOf(ExecutionException.class);
        assertThat(refusals.count(Refusal.CERTIFICATE)).isEqualTo(1);
    }

    @Test
    void closesSessionsOfAnotherRootWhenTheRootIsReplaced() throws Exception {
        HubServer hub = hub();
        Node before = node(3, Role.WORKER);
        dial(before, hub);
        TestAuthority next = new TestAuthority(folder.resolve("next"), "s1");
        hub.identityChanged(next.node("hub", Role.MANAGER));
        before.heard().await("closed by the peer: certificate does not hold");
        assertThatThrownBy(() -> dial(before, hub)).isInstanceOf(ExecutionException.class);
        Node after = node(4, next.node("node-4", Role.WORKER));
        dial(after, hub);
        before.client().identityChanged(next.node("node-3", Role.WORKER));
        dial(before, hub);
        atHub.await("both", () -> hub.sessions() == 2);
    }

    @Test
    void renewedCertificateOpensNewSession() throws Exception {
        HubServer hub = hub();
        Node node = node(3, Role.WORKER);
        dial(node, hub);
        node.client().identityChanged(authority().node("node-3", Role.MANAGER));
        node.heard().await("closed hub: this node's certificate changed");
        dial(node, hub);
        atHub.await("a manager", () -> atHub.open.size() == 1 && atHub.open.getFirst().peer().role() == Role.MANAGER);
    }

    /** Else the node would keep the role that it had before, with this hub. */
    @Test
    void closesSessionThatWasBegunWithTheCertificateFromBefore() throws Exception {
        HubServer hub = hub();
        Node node = node(3, Role.WORKER);
        InetAddress loopback = InetAddress.getLoopbackAddress();
        try (ServerSocket between = new ServerSocket(0, 1, loopback)) {
            InetSocketAddress dialled = new InetSocketAddress(loopback, between.getLocalPort());
            CompletableFuture<Connection> first = node.client().dial(dialled);
            try (Socket client = between.accept(); Socket server = new Socket(loopback, hub.port())) {
                Thread.ofVirtual().start(() -> forward(server, client));
                // The first encrypted record of the client has its certificate, which the hub is to see late.
                byte[] record = record(client);
                while (record[0] != ENCRYPTED) {
                    server.getOutputStream().write(record);
                    record = record(client);
                }
                node.client().identityChanged(authority().node("node-3", Role.MANAGER));
                server.getOutputStream().write(record);
                Thread.ofVirtual().start(() -> forward(client, server));
                node.heard().await("closed hub: this node's certificate changed");
                assertThat(first).succeedsWithin(Duration.ofSeconds(20));
                assertThat(atHub.roles).containsExactly(Role.WORKER);
            }
            // At the same address, of which the client has a ticket with the certificate from before. Hubs resume no handshake.
            Thread.ofVirtual().start(() -> forwardAll(between, hub.port()));
            CompletableFuture<Connection> second = node.client().dial(dialled);
            assertThat(second).succeedsWithin(Duration.ofSeconds(20));
            atHub.await("a manager", () -> atHub.roles.equals(List.of(Role.WORKER, Role.MANAGER)));
        }
    }

    /** Forwards all connections: when one ends while the next opens, the HTTP client opens another that it does not need, and sends on either. */
    private static void forwardAll(ServerSocket from, int port) {
        try {
            while (true) {
                Socket client = from.accept();
                Socket server = new Socket(from.getInetAddress(), port);
                Thread.ofVirtual().start(() -> forward(server, client));
                Thread.ofVirtual().start(() -> forward(client, server));
            }
        } catch (IOException _) {
            // The test is over.
        }
    }

    /** Reads a record of TLS as it is: its type, two octets of the version, two of the length, and so many (RFC 8446, section 5.1). */
    private static byte[] record(Socket from) throws IOException {
        byte[] header = from.getInputStream().readNBytes(5);
        int length = (header[3] & 0xff) << 8 | header[4] & 0xff;
        byte[] record = Arrays.copyOf(header, 5 + length);
        assertThat(from.getInputStream().readNBytes(record, 5, length)).isEqualTo(length);
        return record;
    }

    private static void forward(Socket from, Socket to) {
        try (from; to) {
            from.getInputStream().transferTo(to.getOutputStream());
        } catch (IOException _) {
            // One of the two has closed.
        }
    }

    @Test
    void nodesAcceptManagersOnlyAsHubs() throws Exception {
        HubServer hub = hub(authority().node("demoted", Role.WORKER), atHub, QUICK);
        Node node = node(3, Role.WORKER);
        assertThatThrownBy(() -> dial(node, hub)).hasMessageContaining("hub is not a manager");
        assertThat(node.refusals().count(Refusal.CERTIFICATE)).isEqualTo(1);
        assertThat(node.heard().events).isEmpty();
    }

    @Test
    void boundsMemoryOfIncompleteMessagesOfAllSessions() throws Exception {
        HubServer hub = hub();
        List<RawClient> hostile = new ArrayList<>();
        try {
            for (int i = 3; i < 25; i++) {
                RawClient client = raw(i, hub);
                hostile.add(client);
                sendAllButLastOctet(client);
            }
            atHub.await("one closed", () -> refusals.count(Refusal.MEMORY) > 0);
        } finally {
            for (RawClient client : hostile) {
                client.close();
            }
        }
        atHub.await("all closed", () -> atHub.open.isEmpty());
        Node node = node(30, Role.WORKER);
        dial(node, hub).send(new byte[Messages.MAX_OCTETS]);
        atHub.await("received " + Messages.MAX_OCTETS);
    }

    /** Opens a session and sends the largest message but for its last octet, in the background. */
    private static void sendAllButLastOctet(RawClient client) throws Exception {
        client.open();
        Thread.ofVirtual().start(() -> {
            try {
                client.chunk(RawClient.frame(Frame.MESSAGE, Messages.MAX_OCTETS, new byte[Messages.MAX_OCTETS - 1]));
            } catch (IOException _) {
                // Closed by the hub meanwhile.
            }
        });
    }

    @Test
    void honestMessagesArriveBesideIncompleteOnesOfMany() throws Exception {
        HubServer hub = hub(atHub, LinkTimes.DEFAULT);
        Connection honest = dial(node(2, Role.WORKER), hub);
        List<RawClient> hostile = new ArrayList<>();
        try {
            for (int i = 3; i < 23; i++) {
                RawClient client = raw(i, hub);
                hostile.add(client);
                sendAllButLastOctet(client);
            }
            atHub.await("one closed", () -> refusals.count(Refusal.MEMORY) > 0);
            assertThat(honest.send(new byte[100_000])).isTrue();
            atHub.await("received 100000");
            assertThat(honest.send(octets("and a small one"))).isTrue();
            atHub.await("received and a small one");
            assertThat(honest.hasEnded()).isFalse();
        } finally {
            for (RawClient client : hostile) {
                client.close();
            }
        }
    }
}
