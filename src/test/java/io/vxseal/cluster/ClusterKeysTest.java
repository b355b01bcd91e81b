package io.vxseal.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.message.RingMark;
import io.vxseal.cluster.refusal.Refusal;
import io.vxseal.cluster.ring.KeyAuthority;
import io.vxseal.cluster.ring.RingTest;
import io.vxseal.cluster.ring.RingTrust;
import io.vxseal.encryption.Key;
import io.vxseal.encryption.KeyRing;
import io.vxseal.swarm.Role;
import io.vxseal.swarm.SwarmIdentity;
import io.vxseal.swarm.TestSwarm;
import java.io.IOException;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.BooleanSupplier;
import javax.net.ssl.SSLSocketFactory;
import nl.altindag.ssl.SSLFactory;
import org.junit.jupiter.api.Test;

/** The ring of keys: generated, kept, rotated, requested, delivered by the engine; and refused where it is forged. */
class ClusterKeysTest extends Hosts {
    @Test
    void rotationMakesTheNextKeyPrimaryOnAllNodes() {
        Host a = host(1, Role.MANAGER, swarm, Duration.ofSeconds(2));
        Host b = host(2, Role.WORKER, swarm, Duration.ofSeconds(2));
        List.of(a, b).forEach(h -> h.start(a.at(), b.at()));
        await("two rotations", () -> a.heard().rings.size() >= 3 && b.heard().rings.size() >= 2);
        for (int i = 1; i < 3; i++) {
            List<Key> was = a.heard().rings.get(i - 1).keys();
            List<Key> is = a.heard().rings.get(i).keys();
            assertThat(is).hasSize(3).startsWith(was.get(2), was.get(0)).doesNotContain(was.get(1));
            assertThat(is.get(2).tag()).isGreaterThan(was.get(2).tag());
        }
        assertThat(List.copyOf(a.heard().rings)).containsAll(List.copyOf(b.heard().rings).subList(0, 2));
    }

    @Test
    void repeatedRequestsOfWorkerCauseOneRotation() {
        KeyAuthority authority = new KeyAuthority(HALF_A_DAY, Duration.ofSeconds(2), 64, new SecureRandom());
        Host a = host(1, Role.MANAGER, swarm, authority);
        Host b = host(2, Role.WORKER, swarm, authority);
        Host c = host(3, Role.WORKER, swarm, authority);
        List<Host> all = List.of(a, b, c);
        all.forEach(h -> h.start(a.at(), b.at(), c.at()));
        // A worker is told of nodes that have endpoints in its networks; the manager knows all.
        await("one group with one ring", () -> a.members() == 3 && sameRing(a, b, c));
        KeyRing before = a.ring();
        assertThat(before.keys()).allMatch(key -> key.replayWindow() == 64);

        for (int i = 0; i < 20; i++) {
            (i % 2 == 0 ? b : c).cluster().rotate();
        }
        await("rotated everywhere", () -> sameRing(a, b, c) && !a.ring().equals(before));
        KeyRing after = a.ring();
        assertThat(after.keys()).startsWith(before.keys().get(2), before.keys().get(0));
        // Longer than two rotations are apart.
        pause(4000);
        assertThat(all).allMatch(h -> h.ring().equals(after));

        a.cluster().rotate();
        await("the key maker's own wish", () -> sameRing(a, b, c) && !a.ring().equals(after));
    }

    @Test
    void enginesKeysAreNotRotatedOnRequest() {
        KeyAuthority authority = new KeyAuthority(HALF_A_DAY, Duration.ofSeconds(1), 0, new SecureRandom());
        Host a = host(1, Role.MANAGER, swarm, authority);
        Host b = host(2, Role.WORKER, swarm, authority);
        List.of(a, b).forEach(h -> h.start(a.at(), b.at()));
        a.cluster().offer(keys(10, 11, 12));
        await("everyone's", () -> sameRing(a, b) && b.ring().equals(keys(10, 11, 12)));
        a.cluster().rotate();
        b.cluster().rotate();
        pause(3000);
        assertThat(List.of(a, b)).allMatch(h -> h.ring().equals(keys(10, 11, 12)));
    }

    /** Each change once went back to the hub that it came from, and to the node's own: both counted it, and closed the session. */
    @Test
    void manyChangesOfEnginesKeysCloseNoSession() {
        KeyAuthority authority = new KeyAuthority(HALF_A_DAY, Duration.ofSeconds(1), 0, new SecureRandom());
        Host a = host(1, Role.MANAGER, swarm, authority);
        Host b = host(2, Role.WORKER, swarm, authority);
        List.of(a, b).forEach(h -> h.start(a.at(), b.at()));
        await("one group with one ring", () -> a.members() == 2 && sameRing(a, b));
        for (int tag = 10; tag < 30; tag++) {
            KeyRing now = keys(tag, tag - 1, tag + 1);
            a.cluster().offer(now);
            await("everyone's", () -> sameRing(a, b) && b.ring().equals(now));
        }
        assertThat(a.cluster().status().refusals()).isEmpty();
        assertThat(a.members()).isEqualTo(2);
    }

    @Test
    void keysRotateOnlyWhileMajorityOfManagersIsReached() throws Exception {
        Host a = host(1, Role.MANAGER, swarm, Duration.ofSeconds(1));
        Host b = host(2, Role.MANAGER, swarm, Duration.ofSeconds(1));
        for (Host host : List.of(a, b)) {
            Files.writeString(host.managers(), """
                    [{"node_id":"node-1","addr":"127.0.0.1:2377"},{"node_id":"node-2","addr":"127.0.0.2:2377"},
                     {"node_id":"node-3","addr":"127.0.0.3:2377"}]""");
        }
        a.start();
        await("the first ring, all the same", () -> !a.ring().isEmpty());
        KeyRing first = a.ring();
        a.cluster().rotate();
        pause(4000);
        assertThat(a.ring()).isEqualTo(first);
        b.start();
        await("rotated, two of three", () -> sameRing(a, b) && !a.ring().equals(first));
    }

    /** Checks that something is refused, and that the members still get the next ring. */
    private void isRefused(Host a, Host b, String what, Refusal reason, BooleanSupplier rogue) {
        long refused = count(a, reason);
        KeyRing before = a.ring();
        // Once: rings that come fast end their session.
        await(what, rogue);
        await(what + " refused", () -> count(a, reason) > refused);
        assertThat(a.ring()).isEqualTo(before);
        b.cluster().rotate();
        await("the next ring", () -> sameRing(a, b) && !a.ring().equals(before));
        assertThat(a.ring().keys()).startsWith(before.keys().get(2), before.keys().get(0));
    }

    private static long count(Host host, Refusal reason) {
        return host.cluster().status().refusals().getOrDefault(reason.text(), 0L);
    }

    private List<Host> pair() {
        KeyAuthority authority = new KeyAuthority(HALF_A_DAY, Duration.ofSeconds(1), 0, new SecureRandom());
        Host a = host(1, Role.MANAGER, swarm, authority);
        Host b = host(2, Role.WORKER, swarm, authority);
        List.of(a, b).forEach(h -> h.start(a.at(), b.at()));
        await("one ring", () -> a.members() == 2 && sameRing(a, b));
        return List.of(a, b);
    }

    @Test
    void certificateOfAnotherRootIsRefusedAndKeysStillChange() throws Exception {
        List<Host> hosts = pair();
        TestSwarm fake = TestSwarm.make(Files.createDirectories(temp.resolve("fake-ca")), SWARM);
        SwarmIdentity identity = SwarmIdentity.read(fake.node("node-2", Role.MANAGER));
        SSLSocketFactory rogue = SSLFactory.builder()
                .withIdentityMaterial(identity.key(), new char[0], identity.chain())
                .withUnsafeTrustMaterial()
                .build().getSslSocketFactory();
        isRefused(hosts.getFirst(), hosts.getLast(), "handshake", Refusal.HANDSHAKE, () -> {
            try (Socket socket = rogue.createSocket(hosts.getFirst().at(), port)) {
                socket.getOutputStream().write(1);
                return socket.getInputStream().read() < 0;
            } catch (IOException refused) {
                return true;
            }
        });
    }

    @Test
    void ringSignedByWorkerIsRefusedAndKeysStillChange() throws Exception {
        List<Host> hosts = pair();
        Rogue worker = rogue(3, Role.WORKER, hosts.getFirst());
        worker.send(new Message.Hello(RingMark.NONE, false));
        SwarmIdentity manager = SwarmIdentity.read(swarm.node("node-9", Role.MANAGER));
        SwarmIdentity evil = SwarmIdentity.read(swarm.node("node-3", Role.WORKER));
        byte[] good = RingTrust.of(manager).sign(77, Instant.now(), false, keys(1, 2, 3), Set.of()).octets();
        byte[] forged = RingTest.resign(good, 3, evil);
        isRefused(hosts.getFirst(), hosts.getLast(), "ring", Refusal.RING, () -> {
            worker.send(new Message.Ring(forged));
            return true;
        });
    }

    @Test
    void ringOfDemotedManagerIsRefusedAndKeysStillChange() throws Exception {
        List<Host> hosts = pair();
        SwarmIdentity demoted = SwarmIdentity.read(swarm.node("node-9", Role.MANAGER));
        byte[] ring = RingTrust.of(demoted).sign(2, Instant.now(), false, keys(1, 2, 3), Set.of()).octets();
        Rogue worker = rogue(9, Role.WORKER, hosts.getFirst());
        worker.send(new Message.Hello(RingMark.NONE, false));
        isRefused(hosts.getFirst(), hosts.getLast(), "ring of a former manager", Refusal.RING_AUTHOR, () -> {
            worker.send(new Message.Ring(ring));
            return true;
        });
    }

    @Test
    void ringsOfVersionsNearTheEndAreRefusedAndKeysStillChange() throws Exception {
        List<Host> hosts = pair();
        managerIds.put(address(9), "node-9");
        hosts.forEach(host -> host.lists(hosts.getFirst().at(), address(9)));
        SwarmIdentity manager = SwarmIdentity.read(swarm.node("node-9", Role.MANAGER));
        Rogue worker = rogue(3, Role.WORKER, hosts.getFirst());
        worker.send(new Message.Hello(RingMark.NONE, false));
        byte[] good = RingTrust.of(manager).sign(2, Instant.now(), false, keys(1, 2, 3), Set.of()).octets();
        for (long version : List.of(Long.MAX_VALUE, 1L << 40, 2_000_000L, 0L, -1L)) {
            byte[] ring = good.clone();
            ByteBuffer.wrap(ring).putLong(1, version);
            byte[] signed = RingTest.resign(ring, 3, manager);
            long refused = count(hosts.getFirst(), Refusal.RING_VERSION);
            worker.send(new Message.Ring(signed));
            await("version " + version, () -> count(hosts.getFirst(), Refusal.RING_VERSION) > refused);
        }
        assertThat(version(hosts.getFirst())).isEqualTo(1);
        KeyRing before = hosts.getFirst().ring();
        managerIds.remove(address(9));
        hosts.forEach(host -> host.lists(hosts.getFirst().at()));
        await("the ring after a manager's removal", () -> version(hosts.getFirst()) == 2 && version(hosts.getLast()) == 2
                && !hosts.getLast().ring().equals(before));
        assertThat(hosts.getLast().ring().keys()).startsWith(before.keys().get(2), before.keys().get(0));
    }

    @Test
    void floodOfGarbageIsRefusedAndKeysStillChange() throws Exception {
        List<Host> hosts = pair();
        byte[] garbage = new byte[4096];
        new Random(1).nextBytes(garbage);
        AtomicBoolean over = new AtomicBoolean();
        List<Thread> flood = new ArrayList<>();
        for (Host host : hosts) {
            for (int i = 0; i < 4; i++) {
                flood.add(Thread.ofVirtual().start(() -> {
                    while (!over.get()) {
                        try (Socket socket = new Socket(host.at(), port)) {
                            while (!over.get()) {
                                socket.getOutputStream().write(garbage);
                            }
                        } catch (IOException refused) {
                            // That is what it is for; once more.
                        }
                    }
                }));
            }
        }
        try {
            isRefused(hosts.getFirst(), hosts.getLast(), "garbage", Refusal.HANDSHAKE, () -> true);
        } finally {
            over.set(true);
            for (Thread thread : flood) {
                thread.join();
            }
        }
    }

    @Test
    void ringOutlivesCrashOfAllNodes() throws Exception {
        Host a = host(1, Role.MANAGER);
        a.start();
        await("ring", () -> !a.ring().isEmpty());
        KeyRing before = a.ring();
        a.cluster().close();
        Host again = host(1, Role.MANAGER);
        long start = System.nanoTime();
        again.start();
        await("ring from the file", () -> again.ring().equals(before));
        System.out.printf("measured: ring read back %d ms after self()%n", millisSince(start));
        await("in a group", () -> again.members() == 1);
        pause(2000);
        assertThat(again.ring()).isEqualTo(before);
    }

    @Test
    void enginesKeysReplaceGeneratedOnes() {
        Host a = host(1, Role.MANAGER, swarm, Duration.ofSeconds(2));
        Host b = host(2, Role.WORKER, swarm, Duration.ofSeconds(2));
        KeyRing workers = keys(7, 8, 9);
        b.cluster().offer(workers);
        await("a worker keeps to its engine's", () -> b.ring().equals(workers));
        List.of(a, b).forEach(h -> h.start(a.at(), b.at()));
        await("together", () -> a.members() == 2 && b.members() == 2 && !a.ring().isEmpty());
        assertThat(b.ring()).isEqualTo(workers);
        KeyRing managers = keys(10, 11, 12);
        a.cluster().offer(managers);
        await("everyone's", () -> sameRing(a, b) && a.ring().equals(managers));
        pause(3000);
        assertThat(a.ring()).as("no rotation by time").isEqualTo(managers);
        assertThat(b.cluster().status().ring().orElseThrow().external()).isTrue();
    }
}
