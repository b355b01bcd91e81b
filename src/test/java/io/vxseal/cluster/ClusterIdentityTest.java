package io.vxseal.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.StandardError;
import io.vxseal.address.Cidr;
import io.vxseal.address.MacAddress;
import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.message.RingMark;
import io.vxseal.cluster.record.NodeRecord;
import io.vxseal.cluster.record.SubnetRecord;
import io.vxseal.cluster.refusal.Refusal;
import io.vxseal.cluster.ring.KeyAuthority;
import io.vxseal.cluster.ring.RingTest;
import io.vxseal.cluster.ring.RingTrust;
import io.vxseal.encryption.KeyRing;
import io.vxseal.peers.Peer;
import io.vxseal.swarm.Role;
import io.vxseal.swarm.SwarmIdentity;
import io.vxseal.swarm.TestSwarm;
import io.vxseal.swarm.UnlockKey;
import io.vxseal.swarm.UnlockKeySource;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.SecureRandom;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Certificates: which nodes may be members, and how members follow renewals, other swarms and other roots. */
class ClusterIdentityTest extends Hosts {
    @Test
    void endpointsGoAtOnceWhenTheirNodeLeavesTheSwarm() throws Exception {
        Host a = host(1, Role.MANAGER, HALF_A_DAY);
        Host b = host(2, Role.WORKER, HALF_A_DAY);
        Host c = host(3, Role.WORKER, HALF_A_DAY);
        Host d = host(4, Role.WORKER, HALF_A_DAY);
        List<Host> leaving = List.of(b, c, d);
        leaving.forEach(h -> h.cluster().announce(peer("net", "ep" + h.at().getAddress()[3], h)));
        a.start();
        await("a group", () -> a.members() == 1);
        leaving.forEach(h -> h.start(a.at()));
        await("told", () -> a.members() == 4 && a.cluster().peers("net").size() == 3);

        // It says good-bye when its certificates are gone.
        for (String file : List.of(SwarmIdentity.CERTIFICATE, SwarmIdentity.KEY, SwarmIdentity.ROOT)) {
            Files.delete(b.certificates().resolve(file));
        }
        await("good-bye", () -> a.heard().told.contains("-ep2@127.0.0.2"));
        await("the others go with the swarm", () -> b.cluster().peers("net").isEmpty());

        // The engine calls a node lost. One that has a session goes only once the session ends.
        a.cluster().lost(d.at());
        c.cluster().close();
        await("out of the group", () -> a.members() == 2);
        assertThat(a.cluster().peers("net")).hasSize(2);
        a.cluster().lost(c.at());
        await("lost", () -> a.heard().told.contains("-ep3@127.0.0.3"));
        assertThat(a.cluster().peers("net")).containsExactly(peer("net", "ep4", d));
        d.cluster().close();
        await("lost before", () -> a.heard().told.contains("-ep4@127.0.0.4"));
    }

    @Test
    void refusesNodesOfOtherSwarms() throws IOException {
        Host a = host(1, Role.MANAGER);
        TestSwarm fake = TestSwarm.make(Files.createDirectories(temp.resolve("fake")), SWARM);
        Host otherCa = host(2, Role.MANAGER, fake, HALF_A_DAY);
        Host otherSwarm = host(3, Role.MANAGER, swarm.sibling("anotheranotheranotherswarm"), HALF_A_DAY);
        otherCa.cluster().announce(peer("net", "evil", otherCa));
        a.start(otherCa.at(), otherSwarm.at());
        await("started", () -> a.members() == 1);
        otherCa.start(a.at());
        otherSwarm.start(a.at());
        await("both started", () -> otherCa.members() == 1 && otherSwarm.members() == 1);
        await("refusals counted", () -> a.cluster().status().refused() >= 2);
        pause(1500);
        assertThat(List.of(a.members(), otherCa.members(), otherSwarm.members())).containsOnly(1);
        assertThat(a.cluster().peers("net")).isEmpty();
        assertThat(a.heard().told).isEmpty();
    }

    @Test
    void nodeJoinsBesideConnectionsThatSendNothingOrGarbage() throws Exception {
        Host a = host(1, Role.MANAGER);
        a.start();
        await("started", () -> a.members() == 1);
        List<Socket> rogues = new ArrayList<>();
        for (int i = 0; i < 40; i++) {
            Socket rogue = new Socket(a.at(), port);
            rogues.add(rogue);
            if (i % 2 == 0) {
                rogue.getOutputStream().write("GET / HTTP/1.1\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
            }
        }
        Host b = host(2, Role.WORKER);
        long start = System.nanoTime();
        b.start(a.at());
        await("joined all the same", () -> b.members() == 2 && !b.ring().isEmpty());
        System.out.printf("measured: joined, with ring, %d ms after self() beside 40 rogue connections%n",
                millisSince(start));
        assertThat(a.cluster().status().refused()).isGreaterThanOrEqualTo(20);
        for (Socket rogue : rogues) {
            rogue.close();
        }
    }

    @Test
    void refusesForgedRingsGarbageAndRecordsOfOtherNodes() throws Exception {
        Host a = host(1, Role.MANAGER);
        managerIds.put(address(9), "node-9");
        a.start(address(9));
        await("ring", () -> !a.ring().isEmpty());
        byte[] old = Files.readAllBytes(ringFile(a));

        Rogue worker = rogue(2, Role.WORKER, a);
        worker.send(new Message.Hello(RingMark.NONE, false));
        KeyRing before = a.ring();
        // The product signs no ring with a worker's certificate, so the signer of a manager's ring is replaced.
        SwarmIdentity manager = SwarmIdentity.read(swarm.node("node-9", Role.MANAGER));
        SwarmIdentity evil = SwarmIdentity.read(swarm.node("node-8", Role.WORKER));
        byte[] good = RingTrust.of(manager).sign(77, Instant.now(), false, keys(1, 2, 3), Set.of()).octets();
        byte[] forged = RingTest.resign(good, 3, evil);

        long refused = a.cluster().status().refused();
        worker.send(new Message.Ring(forged));
        await("a worker's ring refused", () -> a.cluster().status().refused() == refused + 1);
        for (byte[] garbage : List.of(new byte[0], new byte[] {1}, new byte[] {1, 99}, new byte[] {9, 1, 2, 3},
                "hello, world".getBytes(StandardCharsets.US_ASCII), new byte[5000])) {
            worker.send(garbage);
        }
        await("garbage refused", () -> a.cluster().status().refused() == refused + 7);
        assertThat(a.ring()).isEqualTo(before);

        // A record of another node.
        worker.send(new Message.Announce(new NodeRecord("node-1", Role.MANAGER, 1L << 61, 1, address(2), 0, false, false, false, List.of())));
        await("refused to speak as another node", () -> a.cluster().status().refused() == refused + 8);
        assertThat(a.cluster().peers("net")).isEmpty();

        // A manager's newer ring is taken from any node; then the older one is a replay.
        worker.send(new Message.Ring(good));
        await("newer ring taken", () -> a.ring().equals(keys(1, 2, 3)));
        worker.send(new Message.Ring(old));
        await("older ring refused", () -> a.cluster().status().refused() == refused + 9);
        assertThat(a.cluster().status().refusals()).containsEntry(Refusal.RING_OLD.text(), 1L).containsEntry(Refusal.FOREIGN_RECORD.text(), 1L);
        assertThat(a.ring()).isEqualTo(keys(1, 2, 3));
    }

    @Test
    void waitsForCertificatesAndUsesRenewedOnes() throws Exception {
        Host a = host(1, Role.MANAGER);
        Path late = temp.resolve("late").resolve("certificates");
        Witness heard = new Witness();
        Cluster cluster = new Cluster(
                new ClusterSettings(late, temp.resolve("late-state.json"), port, HALF_A_DAY, 0,
                        Optional.of(temp.resolve("late-ring")), Optional.empty()),
                heard);
        open.add(cluster);
        Host b = new Host(
                cluster, heard, address(2), late, temp.resolve("late-state.json"), temp.resolve("late-ring"));
        a.start();
        b.start(a.at());
        await("told why", () -> b.cluster().status().problem().orElse("").contains("swarm-node.crt is not there"));
        swarm.issue("node-2", Role.WORKER, late);
        await("joined", () -> a.members() == 2 && b.members() == 2 && b.cluster().status().problem().isEmpty());
        await("a worker", () -> a.cluster().status().members().stream()
                .anyMatch(m -> m.role().equals(Optional.of(Role.WORKER))));
        swarm.issue("node-2", Role.MANAGER, late);
        managerIds.put(b.at(), "node-2");
        List.of(a, b).forEach(h -> h.lists(a.at(), b.at()));
        await("promoted", () -> a.members() == 2 && a.cluster().status().members().stream()
                .allMatch(m -> m.role().equals(Optional.of(Role.MANAGER))));
        // New connections show the new certificate: a third node joins through them.
        Host c = host(3, Role.WORKER);
        c.start(b.at());
        // Its own list has this hub alone.
        await("three", () -> a.members() == 3 && b.members() == 3 && c.members() == 2);
    }

    @Test
    void lockedManagerReportsTheRemedyAndOthersContinue() throws Exception {
        Host a = host(1, Role.MANAGER);
        Host b = host(2, Role.MANAGER);
        Path key = b.certificates().resolve(SwarmIdentity.KEY);
        Path unlocked = temp.resolve("unlocked.key");
        Files.move(key, unlocked);
        swarm.run("openssl", "pkcs8", "-topk8", "-in", unlocked.toString(), "-passout", "pass:secret", "-out", key.toString());
        List.of(a, b).forEach(h -> h.start(a.at(), b.at()));
        await("told", () -> b.cluster().status().problem().orElse("").contains("docker swarm update --autolock=false"));
        Host c = host(3, Role.WORKER);
        c.start(a.at());
        await("the others go on", () -> a.members() == 2 && sameRing(a, c));
        assertThat(b.ring().isEmpty()).isTrue();
        Files.copy(unlocked, key, StandardCopyOption.REPLACE_EXISTING);
        await("unlocked", () -> b.members() == 3 && sameRing(a, b, c) && b.cluster().status().problem().isEmpty());
        swarm.lock(b.certificates(), TestSwarm.unlockKey(1));
        await("told that it goes on", () -> b.cluster().status().problem().orElse("").contains("goes on with the certificate that it read before"));
        assertThat(b.members()).isEqualTo(3);
    }

    /** The engine does not answer at first; then the unlock key was just replaced; and nothing waits for it. */
    @Test
    void lockedManagerJoinsByTheEnginesUnlockKey() throws Exception {
        Host a = host(1, Role.MANAGER);
        Path certificates = swarm.node("node-2", Role.MANAGER);
        String unlockKey = TestSwarm.unlockKey(1);
        swarm.lock(certificates, unlockKey);
        Queue<UnlockKeySource> answers = new ConcurrentLinkedQueue<>(List.of(
                () -> {
                    throw new IOException("it answers 503: Swarm is encrypted");
                },
                () -> UnlockKey.parse(TestSwarm.unlockKey(2))));
        Host b = unlocking(2, certificates, () -> {
            UnlockKeySource next = answers.poll();
            return next == null ? UnlockKey.parse(unlockKey) : next.get();
        });
        try (StandardError log = new StandardError()) {
            List.of(a, b).forEach(h -> h.start(a.at(), b.at()));
            await("told that the engine does not answer", () -> b.cluster().status().problem().orElse("").contains("503: Swarm is encrypted"));
            await("told that its key is wrong", () -> b.cluster().status().problem().orElse("").contains("cannot be decrypted"));
            await("joined", () -> b.members() == 2 && sameRing(a, b) && b.cluster().status().problem().isEmpty());
            assertThat(log.said()).as("one line for each problem").containsOnlyOnce("cannot be decrypted");
        }

        try (StandardError log = new StandardError()) {
            swarm.issue("node-2", Role.MANAGER, certificates);
            swarm.lock(certificates, unlockKey);
            await("renewed", () -> log.said().contains("this is node node-2, MANAGER"));
        }
        await("and all is well", () -> b.members() == 2 && b.cluster().status().problem().isEmpty());
    }

    @Test
    void hangingEngineHoldsUpNothing() throws Exception {
        Host a = host(1, Role.MANAGER);
        Path certificates = swarm.node("node-2", Role.MANAGER);
        Path key = certificates.resolve(SwarmIdentity.KEY);
        Path unlocked = Files.copy(key, temp.resolve("unlocked-2.key"));
        swarm.lock(certificates, TestSwarm.unlockKey(1));
        CountDownLatch never = new CountDownLatch(1);
        Host b = unlocking(2, certificates, () -> {
            try {
                never.await();
            } catch (InterruptedException e) {
                throw new IOException(e);
            }
            return UnlockKey.parse(TestSwarm.unlockKey(1));
        });
        List.of(a, b).forEach(h -> h.start(a.at(), b.at()));
        await("asked", () -> b.cluster().status().problem().orElse("").contains("asking it"));
        Files.copy(unlocked, key, StandardCopyOption.REPLACE_EXISTING);
        await("joined", () -> b.members() == 2 && sameRing(a, b) && b.cluster().status().problem().isEmpty());
        never.countDown();
    }

    /** A manager whose engine may unlock its key. */
    private Host unlocking(int number, Path certificates, UnlockKeySource unlockKeys) {
        Path managers = temp.resolve("state-%d-%d.json".formatted(port, number));
        Path ring = temp.resolve("ring-%d-%d".formatted(port, number));
        Witness heard = new Witness();
        Cluster cluster = new Cluster(
                new ClusterSettings(certificates, managers, port, HALF_A_DAY, 0, Optional.of(ring), Optional.of(ring)), Optional.of(unlockKeys), heard);
        open.add(cluster);
        managerIds.put(address(number), "node-" + number);
        return new Host(cluster, heard, address(number), certificates, managers, ring);
    }

    @Test
    void movesToAnotherSwarmWithItsNode() throws Exception {
        Host a = host(1, Role.MANAGER);
        a.start();
        await("ring", () -> !a.ring().isEmpty());
        KeyRing before = a.ring();
        TestSwarm next = TestSwarm.make(Files.createDirectories(temp.resolve("next")), "nextnextnextnextnextnextx");
        next.issue("node-x", Role.MANAGER, a.certificates());
        managerIds.put(a.at(), "node-x");
        a.lists();
        await("there", () -> a.cluster().status().swarm().equals(Optional.of("nextnextnextnextnextnextx"))
                && a.members() == 1 && !a.ring().isEmpty() && !a.ring().equals(before));
        await("heard", () -> a.heard().rings.size() == 3);
        assertThat(a.heard().rings).element(1).isEqualTo(KeyRing.EMPTY);
    }

    @Test
    void leavesOneSwarmAndJoinsAnother() throws Exception {
        Host a = host(1, Role.MANAGER, HALF_A_DAY);
        Host b = host(2, Role.WORKER, HALF_A_DAY);
        TestSwarm next = TestSwarm.make(Files.createDirectories(temp.resolve("other")), "otherotherotherotherother");
        Host n = host(3, "node-n", Role.MANAGER, next, new KeyAuthority(HALF_A_DAY, 0, new SecureRandom()), HALF_A_DAY);
        List.of(a, b, n).forEach(h -> h.cluster().announce(peer("net", "ep" + h.at().getAddress()[3], h)));
        List.of(a, b).forEach(h -> h.start(a.at(), b.at()));
        n.start();
        await("two swarms", () -> a.cluster().peers("net").size() == 1 && sameRing(a, b) && !n.ring().isEmpty());
        KeyRing first = a.ring();

        for (String file : List.of(SwarmIdentity.CERTIFICATE, SwarmIdentity.KEY, SwarmIdentity.ROOT)) {
            Files.delete(b.certificates().resolve(file));
        }
        await("left", () -> a.cluster().peers("net").isEmpty() && b.cluster().peers("net").isEmpty());
        next.issue("node-b", Role.WORKER, b.certificates());
        b.lists(n.at());
        await("joined", () -> b.members() == 2 && sameRing(b, n) && n.members() == 2);
        await("endpoints", () -> b.cluster().peers("net").equals(Set.of(peer("net", "ep3", n)))
                && n.cluster().peers("net").equals(Set.of(peer("net", "ep2", b))));
        assertThat(a.members()).isEqualTo(1);
        assertThat(a.ring()).isEqualTo(first);
    }

    /** As after {@code docker swarm leave} and {@code docker swarm init --advertise-addr} with another address. */
    @Test
    void nodesMeetInNewSwarmAtOtherAddresses() throws Exception {
        Host a = host(1, Role.MANAGER, HALF_A_DAY);
        Host b = host(2, Role.WORKER, HALF_A_DAY);
        List.of(a, b).forEach(h -> h.start(a.at(), b.at()));
        await("together", () -> a.members() == 2 && b.members() == 2 && sameRing(a, b));
        TestSwarm next = TestSwarm.make(Files.createDirectories(temp.resolve("anew")), "anewanewanewanewanewanewx");
        for (Host each : List.of(a, b)) {
            for (String file : List.of(SwarmIdentity.CERTIFICATE, SwarmIdentity.KEY, SwarmIdentity.ROOT)) {
                Files.delete(each.certificates().resolve(file));
            }
        }
        pause(3000);
        next.issue("node-x", Role.MANAGER, a.certificates());
        managerIds.put(address(11), "node-x");
        a.lists(address(11));
        pause(1500);
        a.cluster().self(address(11), address(11));
        pause(3000);
        next.issue("node-y", Role.WORKER, b.certificates());
        b.lists(address(11));
        b.cluster().self(address(12), address(12));
        await("joined", () -> a.members() == 2 && b.members() == 2 && sameRing(a, b));
        List<SubnetRecord> subnets = List.of(new SubnetRecord(Cidr.parse("10.1.0.0/24"), InetAddress.ofLiteral("10.1.0.1")));
        a.cluster().define("new", subnets);
        for (Host each : List.of(a, b)) {
            each.cluster().subscribe("new", subnets);
            each.cluster().announce(new Peer("new", "ep" + each.at().getAddress()[3], Cidr.parse("10.1.0." + each.at().getAddress()[3] + 10 + "/24"),
                    MacAddress.of(each.at()), address(each.at().getAddress()[3] + 10)));
        }
        await("endpoints there and back", () -> a.cluster().peers("new").size() == 1 && b.cluster().peers("new").size() == 1);
    }

    /** As with {@code --data-path-addr}: the engine lists a manager by another address than the node's own, so the node dials itself. */
    @Test
    void managerThatDialsItselfLearnsOfTheOthers() throws Exception {
        Host a = host(1, Role.MANAGER, HALF_A_DAY);
        Host b = host(2, Role.WORKER, HALF_A_DAY);
        a.lists();
        b.lists(a.at());
        a.cluster().self(address(11), a.at());
        await("started", () -> a.members() == 1);
        // The dialling is refused within a second or two.
        pause(4000);
        b.start();
        await("joined", () -> a.members() == 2 && b.members() == 2 && sameRing(a, b));
        List.of(a, b).forEach(h -> h.cluster().announce(peer("net", "ep" + h.at().getAddress()[3], h)));
        await("endpoints there and back", () -> a.cluster().peers("net").size() == 1 && b.cluster().peers("net").size() == 1);
    }

    /** As during {@code docker swarm ca --rotate}, node by node. */
    @Test
    void replacedRootIsUsedWithoutRestart() throws Exception {
        TestSwarm turning = TestSwarm.make(Files.createDirectories(temp.resolve("turning")), SWARM);
        Host a = host(1, Role.MANAGER, turning, HALF_A_DAY);
        Host b = host(2, Role.WORKER, turning, HALF_A_DAY);
        List.of(a, b).forEach(h -> h.start(a.at(), b.at()));
        await("one ring", () -> a.members() == 2 && b.members() == 2 && sameRing(a, b) && version(a) > 0);
        long version = version(a);

        turning.replaceRoot();
        turning.issue("node-2", Role.WORKER, b.certificates());
        Host c = host(3, Role.WORKER, turning, HALF_A_DAY);
        c.start(a.at());
        await("a new certificate among old ones", () -> a.members() == 3 && sameRing(a, b, c));

        turning.issue("node-1", Role.MANAGER, a.certificates());
        Stream.of(c, a, b).forEach(h -> turning.trustNewRoot(h.certificates()));
        await("signed again, for those to whom the old root is nothing", () ->
                Stream.of(a, b, c).allMatch(h -> version(h) > version) && sameRing(a, b, c));
        Host d = host(4, Role.WORKER, turning, HALF_A_DAY);
        turning.trustNewRoot(d.certificates());
        d.start(a.at());
        await("one that never knew the old root", () -> a.members() == 4 && sameRing(a, b, c, d));
        assertThat(List.of(a, b, c, d)).as("the same keys all the time").allMatch(h -> h.heard().rings.size() == 1);
    }

    @Test
    void reportsTakenPortAndRetries() throws Exception {
        Host a = host(1, Role.MANAGER);
        try (ServerSocket taken = new ServerSocket(port, 1, a.at())) {
            a.start();
            await("told", () -> a.cluster().status().problem().orElse("").contains("127.0.0.1:" + taken.getLocalPort()));
        }
        await("started", () -> a.members() == 1 && a.cluster().status().problem().isEmpty());
    }
}
