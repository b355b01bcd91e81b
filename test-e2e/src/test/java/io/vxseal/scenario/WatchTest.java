package io.vxseal.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.vxseal.lab.Await;
import io.vxseal.lab.Dropped;
import io.vxseal.lab.Fault;
import io.vxseal.lab.Guest;
import io.vxseal.lab.Lab;
import io.vxseal.lab.Outcome;
import io.vxseal.lab.Product;
import io.vxseal.lab.Prometheus;
import io.vxseal.lab.Task;
import io.vxseal.lab.Together;
import io.vxseal.lab.Withheld;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestMethodOrder;

/** Faults that the plugin finds by itself and that "vxseal check" finds, as status, the log and a Prometheus on one of the hosts show them. */
@Tag("soak")
@Laboratory(installed = true)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class WatchTest {

    /** Within which a fault is found. */
    private static final Duration FOUND = Duration.ofSeconds(30);

    private static final Duration HEALTHY = Duration.ofSeconds(Integer.getInteger("vxseal.healthy", 600));
    private static final Duration ALERT = Duration.ofMinutes(2);

    private static final Duration COMMAND = Duration.ofMinutes(2);

    /** Time of datagrams that nobody answers: several times what makes a path silent. */
    private static final Duration ONE_WAY = Duration.ofSeconds(90);

    private static final String ATTACHED = "docker run --rm --network %s busybox sleep 0";

    private static final String ESP = "-p esp";
    private static final String VXLAN = "-p udp --dport 4789";
    private static final String LARGE = "-m length --length 1401:65535";
    private static final String HUBS = "-i eth0 -p tcp --dport 4788";

    private Guest manager;
    private Guest worker;
    private Task here;
    private Task there;
    private Prometheus prometheus;

    @BeforeAll
    void scrape(Lab lab) {
        manager = lab.guest(1);
        worker = lab.guest(2);
        Together.each(lab.guests(), guest -> {
            Product.disable(guest);
            Product.set(guest, "VXSEAL_METRICS", guest.address() + ":" + Prometheus.PORT);
            Product.enable(guest);
        });
        Product.awaitTogether(lab.guests());
        lab.swarm().createNetwork("my-net", Product.DRIVER, "--opt encrypted");
        List<Task> tasks = lab.swarm().serve("web", "my-net");
        here = tasks.getFirst();
        there = tasks.getLast();
        here.awaitAnswer(there);
        prometheus = Prometheus.start(manager, lab.guests());
    }

    /** Returns the kinds of the conditions that a host's status has. */
    private static Set<String> conditions(Guest guest) {
        Set<String> kinds = new TreeSet<>();
        JsonNode status = Product.status(guest).orElseThrow();
        status.path("conditions").forEach(condition -> kinds.add(condition.path("kind").asText()));
        return kinds;
    }

    private static void awaitConditions(Guest guest, Duration limit, String... kinds) {
        long start = System.nanoTime();
        Await.until(() -> "%s to have %s; it has %s".formatted(guest, List.of(kinds), conditions(guest)), limit, () ->
                conditions(guest).equals(Set.of(kinds)));
        System.out.printf("%s: %s after %.1f s%n", guest, List.of(kinds), (System.nanoTime() - start) / 1e9);
    }

    /** Returns the names of the checks whose findings need mending on a host. */
    private static Set<String> unfit(Guest guest) {
        Set<String> checks = new TreeSet<>();
        for (JsonNode finding : check(guest)) {
            if (!finding.path("fit").asBoolean()) {
                checks.add(finding.path("check").asText());
            }
        }
        return checks;
    }

    private static JsonNode check(Guest guest) {
        long start = System.nanoTime();
        JsonNode findings = guest.run("vxseal check --json", COMMAND).json();
        System.out.printf("%s: check took %.1f s%n", guest, (System.nanoTime() - start) / 1e9);
        return findings;
    }

    private static String log(Guest guest) {
        return guest.sh(Product.LOG);
    }

    @Test
    @Order(1)
    void healthySwarmRaisesNothingAndIsCounted() {
        try (Task.Flood flood = here.flood(there, 5, 5 * (int) HEALTHY.toSeconds())) {
            assertHealthy();
        }
        assertThat(unfit(manager)).isEmpty();
        assertThat(unfit(worker)).isEmpty();
        assertThat(prometheus.value("sum(vxseal_endpoints{where=\"local\"})")).isEqualTo(2);
        assertThat(prometheus.value("count(count_values(\"version\", vxseal_ring_version))")).isEqualTo(1);
        assertThat(prometheus.value("min(vxseal_xfrm_states_found)")).isEqualTo(4);
        double sealed = prometheus.value("vxseal_peer_sealed_packets_total{instance=~\"%s:.*\"}".formatted(manager.address()));
        double opened = prometheus.value("vxseal_peer_opened_packets_total{instance=~\"%s:.*\"}".formatted(worker.address()));
        assertThat(sealed).isGreaterThan(100);
        assertThat(opened).isBetween(sealed * 0.9 - 50, sealed * 1.1 + 50);
    }

    private void assertHealthy() {
        long end = System.nanoTime() + HEALTHY.toNanos();
        for (long nextCheck = System.nanoTime(); System.nanoTime() < end; ) {
            assertThat(conditions(manager)).isEmpty();
            assertThat(conditions(worker)).isEmpty();
            assertThat(prometheus.firing()).isEmpty();
            if (System.nanoTime() >= nextCheck) {
                assertThat(unfit(manager)).isEmpty();
                assertThat(unfit(worker)).isEmpty();
                nextCheck += Duration.ofMinutes(1).toNanos();
            }
        }
    }

    /** Nothing comes back but the replies to what the plugin asks. */
    @Test
    @Order(2)
    void datagramsInOneDirectionRaiseNothing() {
        Guest.Spawned datagrams = here.sendUnanswered(there, 9999, ONE_WAY);
        long end = System.nanoTime() + ONE_WAY.toNanos();
        while (System.nanoTime() < end) {
            assertThat(conditions(manager)).isEmpty();
            assertThat(conditions(worker)).isEmpty();
        }
        datagrams.await().require();
        assertThat(manager.sh("vxseal events --no-follow --last 1000")).doesNotContain("none comes back");
    }

    @Test
    @Order(3)
    void blockedEspIsFoundAndAlertFiresAndResolves() {
        try (Task.Flood flood = here.flood(there, 5, 3000)) {
            try (Dropped esp = Dropped.on(worker, ESP)) {
                awaitConditions(manager, FOUND, "path_silent");
                assertThat(log(manager)).contains("node %s: packets are sealed for it and none comes back".formatted(worker.address()));
                assertThat(manager.sh("vxseal status")).contains("trouble").contains(worker.address());
                assertThat(unfit(manager)).containsExactly("path");
                Await.until("the alert", ALERT, () -> prometheus.firing().contains("VxsealPathSilent " + manager.address()));
            }
            awaitConditions(manager, FOUND);
            Await.until("the alert's end", ALERT, () -> prometheus.firing().isEmpty());
            assertThat(log(manager)).contains("over, after it began at");
            assertThat(flood.isRunning()).isTrue();
        }
    }

    @Test
    @Order(4)
    void espBlockedBothWaysIsFoundOnBothHosts() {
        try (Task.Flood from = here.flood(there, 5, 3000); Task.Flood back = there.flood(here, 5, 3000)) {
            try (Dropped one = Dropped.on(manager, ESP); Dropped other = Dropped.on(worker, ESP)) {
                awaitConditions(manager, FOUND, "path_silent");
                awaitConditions(worker, FOUND, "path_silent");
                // Here the rules are on the hosts that are checked.
                assertThat(Together.map(List.of(manager, worker), WatchTest::unfit)).allMatch(Set.of("firewall", "path")::equals);
            }
            Together.each(List.of(manager, worker), guest -> awaitConditions(guest, FOUND));
            assertThat(List.of(from, back)).allMatch(Task.Flood::isRunning);
        }
    }

    @Test
    @Order(5)
    void blockedVxlanPortIsFound() {
        try (Task.Flood flood = here.flood(there, 5, 3000)) {
            try (Dropped vxlan = Dropped.on(worker, VXLAN)) {
                awaitConditions(manager, FOUND, "path_silent");
                assertThat(unfit(manager)).containsExactly("path");
            }
            awaitConditions(manager, FOUND);
            assertThat(flood.isRunning()).isTrue();
        }
    }

    /** Nothing on the path says that it drops large packets, so the kernel does not know: the watch tries one where packets are exchanged. */
    @Test
    @Order(6)
    void pathThatDropsLargePacketsIsFound() {
        try (Task.Flood flood = here.flood(there, 5, 3000)) {
            try (Dropped large = Dropped.on(worker, LARGE)) {
                awaitConditions(manager, FOUND, "path_mtu");
                awaitConditions(worker, FOUND, "path_mtu");
                assertThat(log(manager)).contains("packets of 1424 octets, which network", "are lost on the way");
                assertThat(check(manager).findValuesAsText("found")).anyMatch(found -> found.contains("packets of up to 13"));
                assertThat(unfit(manager)).containsExactly("path");
            }
            awaitConditions(manager, FOUND);
            awaitConditions(worker, FOUND);
            assertThat(unfit(manager)).isEmpty();
            assertThat(flood.isRunning()).isTrue();
        }
    }

    /** Packets may be lost before the route is looked at again: the condition is the same, with the cause as soon as it is known. */
    @Test
    @Order(7)
    void linkWithSmallMtuIsFound() {
        try (Fault small = Fault.on(manager, "ip link set eth0 mtu 1400", "ip link set eth0 mtu 1500")) {
            awaitConditions(manager, FOUND, "path_mtu");
            Await.until("the route's MTU in the status", FOUND, () -> manager.sh("vxseal status").contains("com.docker.network.driver.mtu=1400"));
            assertThat(unfit(manager)).contains("MTU");
        }
        awaitConditions(manager, FOUND);
    }

    @Test
    @Order(8)
    void foreignPolicyIsFound() {
        String policy = "ip xfrm policy %s dir out src 0.0.0.0/0 dst 10.55.0.0/24 proto udp";
        try (Fault foreign = Fault.on(manager, policy.formatted("add") + " priority 0 action allow", policy.formatted("delete"))) {
            awaitConditions(manager, FOUND, "obstacle");
            assertThat(unfit(manager)).contains("foreign policies");
        }
        awaitConditions(manager, FOUND);
    }

    @Test
    @Order(9)
    void nodeWithoutHubIsFound() {
        try (Dropped hubs = Dropped.on(manager, HUBS)) {
            awaitConditions(worker, FOUND, "no_hub");
            // 26 s after it last heard of the worker, before the check ends, the manager forgets it, and the path with it.
            assertThat(unfit(worker)).contains("cluster", "cluster port").isSubsetOf("cluster", "cluster port", "path");
        }
        awaitConditions(worker, Duration.ofSeconds(60));
    }

    @Test
    @Order(10)
    void clockThatIsAnHourOffIsFound() {
        worker.stepClock(Duration.ofHours(1));
        try {
            awaitConditions(worker, FOUND, "clock");
            assertThat(log(worker)).contains("behind this node's: set the wrong one");
            assertThat(unfit(worker)).containsExactly("clock");
        } finally {
            worker.stepClock(Duration.ofHours(-1));
        }
        awaitConditions(worker, FOUND);
    }

    @Test
    @Order(11)
    void vniOfAnotherDeviceIsFound(Lab lab) {
        lab.swarm().createNetwork("second", Product.DRIVER, "--opt encrypted", "--attachable");
        String device = "ip link add other type vxlan id %d dstport 4789 local %s".formatted(lab.swarm().vni("second"), worker.address());
        try (Fault other = Fault.on(worker, device, "ip link delete other")) {
            assertCannotStart("second");
            awaitConditions(worker, FOUND, "refused");
            assertThat(unfit(worker)).contains("refused", "foreign VXLAN");
        }
        worker.run(ATTACHED.formatted("second"), COMMAND).require();
        awaitConditions(worker, FOUND);
        lab.swarm().removeNetwork("second");
    }

    /** Starts a container outside of any service, which the engine does not try again as it does tasks. */
    private void assertCannotStart(String network) {
        Outcome start = worker.run(ATTACHED.formatted(network), COMMAND);
        assertThat(start.ok()).as(start.toString()).isFalse();
        assertThat(start.err()).contains("could not join network");
    }

    /** The only manager's plugin is away, and what the worker's kept of its keys is gone. */
    @Test
    @Order(12)
    void withheldKeysAreFound(Lab lab) {
        Product.disableByForce(manager);
        Product.disableByForce(worker);
        worker.sh("rm -f /run/docker/plugins/vxseal.run/ring/*; umount /run/docker/plugins/vxseal.run/ring || true");
        Product.enable(worker);
        try {
            awaitConditions(worker, FOUND, "no_hub", "keys_missing");
            assertThat(unfit(worker)).contains("cluster", "keys");
        } finally {
            Product.enable(manager);
        }
        Product.awaitTogether(lab.guests());
        awaitConditions(worker, FOUND);
        here.awaitAnswer(there);
    }

    @Test
    @Order(13)
    void missingModuleIsFound(Lab lab) {
        lab.swarm().removeService("web");
        // A process that has just started keeps its predecessor's states for 90 s.
        Await.until("no states on " + worker, Duration.ofMinutes(2), () -> worker.sh("ip xfrm state").isEmpty());
        lab.swarm().createNetwork("third", Product.DRIVER, "--opt encrypted", "--attachable");
        try (Withheld esp = Withheld.from(worker, "esp4")) {
            assertCannotStart("third");
            awaitConditions(worker, FOUND, "refused");
            assertThat(conditions(manager)).isEmpty();
            assertThat(unfit(worker)).contains("ESP", "refused");
        }
        worker.run(ATTACHED.formatted("third"), COMMAND).require();
        awaitConditions(worker, FOUND);
        assertThat(unfit(worker)).isEmpty();
    }
}
