package io.vxseal.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.cluster.link.LinkTimes;
import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.message.RingMark;
import io.vxseal.cluster.node.ClusterNode;
import io.vxseal.cluster.record.EndpointRecord;
import io.vxseal.cluster.record.NodeRecord;
import io.vxseal.cluster.ring.KeyAuthority;
import io.vxseal.encryption.Key;
import io.vxseal.encryption.KeyRing;
import io.vxseal.swarm.ManagerAddresses;
import io.vxseal.swarm.Role;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;

/** Nodes that meet, and what they learn of each other's endpoints, through whole members. */
class ClusterTest extends Hosts {
    @Test
    void nodesKnowEachOthersEndpointsAndHaveOneRing() {
        Host a = host(1, Role.MANAGER);
        Host b = host(2, Role.WORKER);
        Host c = host(3, Role.MANAGER);
        a.cluster().announce(peer("net", "ep-a", a));
        List.of(a, b, c).forEach(h -> h.start(a.at(), b.at(), c.at()));
        b.cluster().announce(peer("net", "ep-b", b));
        await("three members", () -> Stream.of(a, b, c).allMatch(h -> h.members() == 3));
        c.cluster().announce(peer("net", "ep-c", c));
        c.cluster().announce(peer("other", "ep-d", c));
        await("all endpoints", () ->
                a.cluster().peers("net").equals(Set.of(peer("net", "ep-b", b), peer("net", "ep-c", c)))
                && b.cluster().peers("net").equals(Set.of(peer("net", "ep-a", a), peer("net", "ep-c", c)))
                && c.cluster().peers("net").equals(Set.of(peer("net", "ep-a", a), peer("net", "ep-b", b)))
                && a.cluster().peers("other").equals(Set.of(peer("other", "ep-d", c))));
        await("one ring", () -> sameRing(a, b, c));
        assertThat(a.ring().keys()).hasSize(3).allMatch(key -> key.octets().length == 16);
        List<Integer> tags = a.ring().keys().stream().map(Key::tag).toList();
        assertThat(tags).containsExactly(tags.getFirst(), tags.getFirst() - 1, tags.getFirst() + 1);

        c.cluster().withdraw("net", "ep-c");
        await("withdrawn", () -> a.cluster().peers("net").size() == 1 && b.cluster().peers("net").size() == 1);
        long closing = System.nanoTime();
        c.cluster().close();
        // It may be gone from here before close() is back, for leaving means telling.
        await("gone with its node", () -> a.cluster().peers("other").isEmpty() && b.cluster().peers("other").isEmpty());
        System.out.printf("measured: a member that closed was gone after %d ms%n", millisSince(closing));
        await("heard", () -> a.heard().told.contains("-ep-d@127.0.0.3"));
        assertThat(a.heard().told).containsSubsequence("+ep-c@127.0.0.3", "-ep-c@127.0.0.3")
                .containsSubsequence("+ep-d@127.0.0.3", "-ep-d@127.0.0.3").contains("+ep-b@127.0.0.2");
        assertThat(a.cluster().status().members()).extracting(m -> m.role().orElseThrow())
                .containsExactlyInAnyOrder(Role.MANAGER, Role.WORKER);
        pause(2500);
        assertThat(a.members()).as("not merged back while it left").isEqualTo(2);
        assertThat(ringFile(a)).satisfies(file -> assertThat(
                PosixFilePermissions.toString(Files.getPosixFilePermissions(file))).isEqualTo("rw-------"));
    }

    /** Returns a manager that learnt the second host's endpoints before that one stopped. */
    private Host managerThatKnows(String... endpoints) {
        Host a = host(1, Role.MANAGER, HALF_A_DAY);
        Host b = host(2, Role.WORKER, HALF_A_DAY);
        for (String endpoint : endpoints) {
            b.cluster().announce(peer("net", endpoint, b));
        }
        List.of(a, b).forEach(h -> h.start(a.at(), b.at()));
        await("told", () -> a.cluster().peers("net").size() == endpoints.length);
        b.cluster().close();
        await("out of the group", () -> a.members() == 1);
        return a;
    }

    @Test
    void endpointsOfRestartedNodeStayKnown() {
        Host a = managerThatKnows("stays", "goes");
        assertThat(a.cluster().peers("net")).hasSize(2);

        Host again = host(2, Role.WORKER, HALF_A_DAY);
        again.cluster().announce(peer("net", "stays", again));
        again.cluster().announce(peer("net", "comes", again));
        again.start(a.at());
        await("as it is now", () -> a.heard().told.contains("+comes@127.0.0.2"));
        assertThat(a.heard().told).containsExactly(
                "+stays@127.0.0.2", "+goes@127.0.0.2", "-goes@127.0.0.2", "+comes@127.0.0.2");
    }

    @Test
    void nodeThatLostItsStateLearnsItsEndpointsFromHubs() {
        Host a = managerThatKnows("ep-b");
        a.cluster().announce(peer("net", "ep-a", a));

        Host again = host(2, Role.WORKER, HALF_A_DAY);
        again.cluster().recall();
        again.start(a.at());
        await("recalled", () -> again.heard().told.contains("?ep-b@127.0.0.2"));
        // Its listener announces nothing in answer, so it has nothing.
        await("gone", () -> a.heard().told.contains("-ep-b@127.0.0.2"));
        assertThat(again.heard().told).doesNotContain("?ep-a@127.0.0.1");
    }

    /** The driver of a loaded host can take longer than the hubs are given to answer. */
    @Test
    void forgottenEndpointsStayKnownWhileTheNodeRecoversThem() {
        Host a = managerThatKnows("ep-b");

        Host again = host(2, Role.WORKER, HALF_A_DAY);
        again.heard().whenRecalled = own -> {
            pause(ClusterNode.RECALL.toMillis() + 1_000);
            own.forEach(again.cluster()::announce);
        };
        again.cluster().recall();
        again.cluster().announce(peer("net", "ep-c", again));
        again.start(a.at());

        await("all told", () -> a.heard().told.contains("+ep-c@127.0.0.2"));
        assertThat(a.heard().told).doesNotContain("-ep-b@127.0.0.2");
        assertThat(a.cluster().peers("net")).containsExactlyInAnyOrder(peer("net", "ep-b", again), peer("net", "ep-c", again));
    }

    @Test
    void hubAcknowledgesLastRecordAndGoodbye() throws Exception {
        Host a = host(1, Role.MANAGER, HALF_A_DAY);
        a.start();
        await("started", () -> a.members() == 1);
        Rogue leaving = rogue(2, Role.WORKER, a);
        NodeRecord away = new NodeRecord("node-2", Role.WORKER, 1, 2, address(2), 0, true, false, false, List.of());
        leaving.send(new Message.Hello(RingMark.NONE, false));
        leaving.send(new Message.Announce(away));
        await("answered", () -> leaving.received.contains(new Message.Acknowledge(1, 2, List.of())));
        leaving.send(new Message.Goodbye(1, 3));
        await("answered", () -> leaving.received.contains(new Message.Acknowledge(0, 0, List.of())));
    }

    @Test
    void newNodeAtSameAddressReplacesTheOldOne() {
        Host a = host(1, Role.MANAGER, HALF_A_DAY);
        Host b = host(2, Role.WORKER, HALF_A_DAY);
        b.cluster().announce(peer("net", "old", b));
        List.of(a, b).forEach(h -> h.start(a.at(), b.at()));
        await("told", () -> a.cluster().peers("net").size() == 1);
        b.cluster().close();
        Host other = host(2, "another", Role.WORKER, swarm, new KeyAuthority(HALF_A_DAY, 0, new SecureRandom()), HALF_A_DAY);
        other.cluster().announce(peer("net", "new", other));
        other.start(a.at());
        await("replaced", () -> a.cluster().peers("net").equals(Set.of(peer("net", "new", other))));
    }

    /** As while its plugin is replaced by another build: its networks work on in the kernel. */
    @Test
    void nodeThatStoppedInGoodOrderIsKeptLonger() throws InterruptedException {
        Host a = host(1, "node-1", Role.MANAGER, swarm, new KeyAuthority(HALF_A_DAY, 0, new SecureRandom()), Duration.ofMillis(1), HALF_A_DAY);
        Host b = host(2, Role.WORKER);
        b.cluster().announce(peer("net", "ep-b", b));
        List.of(a, b).forEach(h -> h.start(a.at(), b.at()));
        await("told", () -> a.cluster().peers("net").size() == 1);
        b.cluster().close();
        await("out of the group", () -> a.members() == 1);
        Awaitility.await("its endpoints stay").during(Duration.ofSeconds(3)).until(() -> a.cluster().peers("net").size() == 1);
        a.cluster().lost(b.at());
        await("lost by the engine's word", () -> a.cluster().peers("net").isEmpty());
    }

    @Test
    void deadHostIsGoneWithinHalfAMinute() {
        assertThat(ClusterProcess.RETENTION.silent()).isGreaterThan(LinkTimes.DEFAULT.silence()).isLessThan(Duration.ofSeconds(30));
    }

    @Test
    void managersThatStartedApartMeetOnceTheyAreListed() {
        Host a = host(1, Role.MANAGER);
        Host b = host(2, Role.MANAGER);
        a.cluster().announce(peer("net", "ep-a", a));
        a.start();
        b.start();
        await("two rings", () -> version(a) == 1 && version(b) == 1 && !a.ring().isEmpty() && !b.ring().isEmpty());
        assertThat(a.ring()).isNotEqualTo(b.ring());
        KeyRing first = a.ring();
        KeyRing second = b.ring();
        Instant firstMade = a.cluster().status().ring().orElseThrow().made();
        Instant secondMade = b.cluster().status().ring().orElseThrow().made();

        long found = System.nanoTime();
        List.of(a, b).forEach(h -> h.lists(a.at(), b.at()));
        await("one group", () -> a.members() == 2 && b.members() == 2);
        System.out.printf("measured: one group %d ms after found()%n", millisSince(found));
        await("endpoints", () -> b.cluster().peers("net").size() == 1);
        await("one ring", () -> sameRing(a, b));
        System.out.printf("measured: one ring and all endpoints %d ms after found()%n", millisSince(found));
        // Measured: a third of a second. A failed attempt to dial costs a few seconds more.
        assertThat(millisSince(found)).isLessThan(6000);
        // Both have the same version, so the ring made first wins; of two made at once, node-2's, whose id is greater.
        assertThat(a.ring()).isEqualTo(firstMade.isBefore(secondMade) ? first : second);
    }

    @Test
    void ringReachesNewNodeBeforeEndpointsDo() throws Exception {
        Host host = host(1, Role.MANAGER);
        host.start();
        host.cluster().announce(peer("net", "ep", host));
        await("a ring", () -> !host.ring().isEmpty());
        Rogue node = rogue(2, Role.WORKER, host);
        node.send(new Message.Subscribe(Set.of("net"), false));
        node.send(new Message.Hello(RingMark.NONE, false));
        await("told", () -> node.received.stream().anyMatch(Message.Records.class::isInstance));
        assertThat(node.received).satisfiesExactly(
                first -> assertThat(first).isInstanceOf(Message.Welcome.class),
                second -> assertThat(second).isInstanceOf(Message.Ring.class),
                third -> assertThat(((Message.Records) third).records().getFirst().networks().getFirst().endpoints())
                        .extracting(EndpointRecord::id).containsExactly("ep"));
    }

    /** The engine names no other node to a plugin that is installed on a running swarm. */
    @Test
    void findsManagersInTheEnginesList() throws Exception {
        Host a = host(1, Role.MANAGER);
        Host b = host(2, Role.WORKER);
        a.start();
        b.start();
        await("alone", () -> a.members() == 1);
        assertThat(b.members()).isZero();
        Files.writeString(
                b.managers(),
                "[{\"node_id\":\"node-1\",\"addr\":\"%s:2377\"}]".formatted(a.at().getHostAddress()));
        await("two", () -> a.members() == 2 && b.members() == 2);
        await("one ring", () -> sameRing(a, b));
    }

    @Test
    void parsesTheEnginesListOfManagers() throws Exception {
        String json = "[{\"node_id\":\"a\",\"addr\":\"10.55.0.1:2377\"},{\"node_id\":\"b\",\"addr\":\"[fd00::1]:2377\"},"
                + "{\"node_id\":\"c\",\"addr\":\"manager.example:2377\"},{\"node_id\":\"d\"}]";
        ManagerAddresses.Listing read = ManagerAddresses.parse(json.getBytes(StandardCharsets.UTF_8));
        assertThat(read.addresses()).containsExactly(InetAddress.ofLiteral("10.55.0.1"), InetAddress.ofLiteral("fd00::1"));
        assertThat(read.nodes()).containsExactlyInAnyOrder("a", "b", "c", "d");
        assertThat(ManagerAddresses.parse("null".getBytes(StandardCharsets.UTF_8)))
                .isEqualTo(ManagerAddresses.Listing.EMPTY);
    }
}
