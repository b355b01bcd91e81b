package io.vxseal.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.cluster.refusal.Refusal;
import io.vxseal.cluster.ring.KeyAuthority;
import io.vxseal.encryption.KeyRing;
import io.vxseal.swarm.Role;
import io.vxseal.swarm.TestAuthority;
import io.vxseal.swarm.TestSwarm;
import java.nio.file.Files;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Nodes whose membership of the swarm ends while they have a session: it ends, and no later ring reaches them. */
class EndedMembershipTest extends Hosts {
    private static final Duration SHORT = Duration.ofSeconds(5);

    private static KeyAuthority authorityOfQuickRotations() {
        return new KeyAuthority(HALF_A_DAY, Duration.ofSeconds(2), 0, new SecureRandom());
    }

    private static boolean hasSession(Host hub, String node) {
        return hub.cluster().status().sessions().stream().anyMatch(session -> session.node().equals(node));
    }

    private static long refused(Host host, Refusal reason) {
        return host.cluster().status().refusals().getOrDefault(reason.text(), 0L);
    }

    /** Makes another ring, and checks that it reaches some hosts and not another. */
    private static void ringReachesOnly(Host manager, Host outsider, Host... others) {
        KeyRing before = outsider.ring();
        manager.cluster().offer(keys(7, 8, 9));
        await("ring", () -> Stream.of(others).allMatch(host -> host.ring().equals(keys(7, 8, 9))));
        pause(1500);
        assertThat(outsider.ring()).isEqualTo(before);
    }

    private Host host(int number, Role role, TestAuthority authority, Instant until) {
        String node = "node-" + number;
        authority.node(node, role, until);
        return host(number, node, role, authority.path(node), authorityOfQuickRotations(), HALF_A_DAY, HALF_A_DAY);
    }

    @Test
    void sessionEndsWhenItsCertificateExpires() throws Exception {
        TestAuthority authority = new TestAuthority(Files.createDirectories(temp.resolve("expiring")), SWARM);
        Instant later = Instant.now().plus(HALF_A_DAY);
        Host a = host(1, Role.MANAGER, authority, later);
        Host b = host(2, Role.WORKER, authority, later);
        Host c = host(3, Role.WORKER, authority, Instant.now().plusSeconds(20));
        Stream.of(a, b, c).forEach(each -> each.start(a.at()));
        await("one ring", () -> hasSession(a, "node-2") && hasSession(a, "node-3") && sameRing(a, b, c));
        await("expired", () -> !hasSession(a, "node-3") && refused(a, Refusal.CERTIFICATE) > 0);
        ringReachesOnly(a, c, a, b);
        assertThat(hasSession(a, "node-2")).isTrue();
    }

    /** As after {@code docker node rm --force} and {@code docker swarm ca --rotate}. */
    @Test
    void sessionOfRemovedNodeEndsAndKeysAreRotatedWhenRootWasReplaced() throws Exception {
        TestSwarm turning = TestSwarm.make(Files.createDirectories(temp.resolve("rotated")), SWARM);
        List<Host> hosts = Stream.of(1, 2, 3).map(number -> host(number, "node-" + number, number == 1 ? Role.MANAGER : Role.WORKER,
                turning, authorityOfQuickRotations(), HALF_A_DAY)).toList();
        Host a = hosts.get(0);
        Host b = hosts.get(1);
        Host removed = hosts.get(2);
        hosts.forEach(each -> each.start(a.at()));
        await("one ring", () -> hasSession(a, "node-2") && hasSession(a, "node-3") && sameRing(a, b, removed));
        KeyRing before = a.ring();

        turning.replaceRoot();
        turning.issue("node-1", Role.MANAGER, a.certificates());
        turning.issue("node-2", Role.WORKER, b.certificates());
        await("renewed", () -> hasSession(a, "node-2") && hasSession(a, "node-3") && sameRing(a, b, removed));
        Stream.of(a, b).forEach(each -> turning.trustNewRoot(each.certificates()));
        await("session ended", () -> !hasSession(a, "node-3") && refused(a, Refusal.CERTIFICATE) > 0);
        await("keys rotated", () -> sameRing(a, b) && !a.ring().equals(before));
        await("none of its keys left", () -> sameRing(a, b) && Collections.disjoint(a.ring().keys(), before.keys()));
        assertThat(removed.ring()).isEqualTo(before);
        ringReachesOnly(a, removed, a, b);
    }

    /** As after {@code docker node rm --force} of a worker that is up. */
    @Test
    void sessionOfRemovedWorkerEndsAndKeysAreRotatedWhenEngineListsItNoMore() {
        List<Host> hosts = Stream.of(1, 2, 3).map(number -> host(number, "node-" + number, number == 1 ? Role.MANAGER : Role.WORKER,
                swarm, authorityOfQuickRotations(), HALF_A_DAY)).toList();
        Host a = hosts.get(0);
        Host b = hosts.get(1);
        Host removed = hosts.get(2);
        hosts.forEach(each -> each.start(a.at()));
        removed.cluster().announce(peer("net", "its", removed));
        await("one ring", () -> hasSession(a, "node-2") && hasSession(a, "node-3") && sameRing(a, b, removed)
                && b.cluster().peers("net").size() == 1);
        KeyRing before = a.ring();

        a.cluster().swarmNodes(Set.of("node-1", "node-2", "node-3"));
        a.cluster().swarmNodes(Set.of("node-1", "node-2"));
        await("session ended", () -> !hasSession(a, "node-3") && refused(a, Refusal.NODE) > 0 && b.cluster().peers("net").isEmpty());
        await("none of its keys left", () -> sameRing(a, b) && Collections.disjoint(a.ring().keys(), before.keys()));
        assertThat(removed.ring()).isEqualTo(before);
        ringReachesOnly(a, removed, a, b);
        assertThat(hasSession(a, "node-2")).isTrue();
        assertThat(hasSession(a, "node-3")).isFalse();
    }

    @Test
    void managerRemovedFromListHasNoSessionUntilItShowsWorkersCertificate() throws Exception {
        List<Host> hosts = Stream.of(1, 2, 3).map(number -> host(number, "node-" + number, number == 3 ? Role.WORKER : Role.MANAGER,
                swarm, authorityOfQuickRotations(), HALF_A_DAY, SHORT)).toList();
        Host a = hosts.get(0);
        Host removed = hosts.get(1);
        Host c = hosts.get(2);
        hosts.forEach(each -> each.start(a.at(), removed.at()));
        await("one ring", () -> hasSession(a, "node-2") && hasSession(a, "node-3") && sameRing(a, removed, c));
        KeyRing before = a.ring();
        assertThat(removed.ring()).isEqualTo(before);

        Stream.of(a, c).forEach(each -> each.lists(a.at()));
        await("session ended", () -> !hasSession(a, "node-2") && refused(a, Refusal.NODE) > 0);
        await("keys rotated", () -> sameRing(a, c) && !a.ring().equals(before));
        await("none of its keys left", () -> sameRing(a, c) && Collections.disjoint(a.ring().keys(), before.keys()));
        assertThat(Collections.disjoint(a.ring().keys(), removed.ring().keys())).isTrue();
        ringReachesOnly(a, removed, a, c);

        swarm.issue("node-2", Role.WORKER, removed.certificates());
        removed.lists(a.at());
        await("admitted as a worker", () -> hasSession(a, "node-2") && sameRing(a, removed, c));
    }
}
