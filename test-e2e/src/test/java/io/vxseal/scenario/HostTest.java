package io.vxseal.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.vxseal.lab.Await;
import io.vxseal.lab.Capture;
import io.vxseal.lab.Guest;
import io.vxseal.lab.Lab;
import io.vxseal.lab.PingsBothWays;
import io.vxseal.lab.Product;
import io.vxseal.lab.Swarm;
import io.vxseal.lab.Task;
import io.vxseal.lab.Together;
import io.vxseal.lab.Wire;
import io.vxseal.lab.Xfrm;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestMethodOrder;

/**
 * Hosts that leave, return and change under an encrypted network: their endpoints are forgotten, and work again when they are back.
 * Part of the longer campaign, because booting and upgrading emulated hosts takes minutes.
 */
@Tag("soak")
@Laboratory(installed = true)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class HostTest {

    private Capture capture;
    private Guest manager;
    private Guest worker;

    @BeforeAll
    void serve(Lab lab) {
        manager = lab.guest(1);
        worker = lab.guest(2);
        capture = lab.wire().capture("hosts");
        lab.swarm().createNetwork("my-net", Product.DRIVER, "--opt encrypted");
        assertTheyReachEachOther(lab.swarm().serve("web", "my-net"));
    }

    @AfterAll
    void nothingWasInClear() {
        assertThat(capture.stop().count(Wire.ESP)).isPositive();
        assertThat(capture.count(Wire.CLEARTEXT_VXLAN)).as("in clear").isZero();
    }

    private static void assertTheyReachEachOther(List<Task> tasks) {
        tasks.getFirst().awaitAnswer(tasks.getLast());
        assertThat(Swarm.pingAcross(tasks, 3)).matches(Task.Pings::allBack);
    }

    private List<Task> web(Lab lab) {
        return Together.map(lab.guests(), guest -> lab.swarm().task("web", "my-net", guest));
    }

    /** Returns the seconds until the manager's kernel holds nothing for the worker any more. */
    private double secondsUntilForgotten(Duration limit) {
        long start = System.nanoTime();
        Await.until(manager + " to have neither states nor entries for " + worker, limit, () ->
                Xfrm.of(manager).states(manager, worker).isEmpty()
                        && Xfrm.of(manager).states(worker, manager).isEmpty()
                        && Xfrm.of(manager).policies(manager, worker).isEmpty()
                        && entries().isEmpty());
        return (System.nanoTime() - start) / 1e9;
    }

    /** Returns the forwarding entries and neighbours that lead to the worker. */
    private String entries() {
        return manager.sh("for n in /run/docker/plugins/vxseal.run/netns/*; do"
                + " nsenter --net=$n sh -c 'bridge fdb show; ip neigh show nud permanent'; done"
                + " | grep -E 'dst %s( |$)|02:42.*PERMANENT' || true".formatted(worker.address().replace(".", "\\.")));
    }

    @Test
    @Order(1)
    void powerLossForgetsHostAndRebootRestoresIt(Lab lab) {
        assertThat(entries()).isNotEmpty();
        worker.unplug();
        System.out.printf("forgotten %.1f s after the power cut%n", secondsUntilForgotten(Duration.ofSeconds(40)));

        worker.boot();
        Product.awaitTogether(lab.guests());
        assertTheyReachEachOther(web(lab));
    }

    @Test
    @Order(2)
    void restartedEngineRestoresItsNetworks(Lab lab) {
        Together.each(lab.guests(), Guest::restartEngine);
        Product.awaitTogether(lab.guests());
        assertTheyReachEachOther(web(lab));
    }

    @Test
    @Order(3)
    void leavingNodeIsForgottenAndItsAddressReusable(Lab lab) {
        String before = nodeId();
        Swarm.leave(worker);
        System.out.printf("forgotten %.1f s after docker swarm leave%n", secondsUntilForgotten(Duration.ofSeconds(10)));

        lab.swarm().join(worker);
        Product.awaitTogether(lab.guests());
        assertThat(nodeId()).isNotEqualTo(before);
        assertTheyReachEachOther(web(lab));
    }

    private String nodeId() {
        return Product.status(worker).orElseThrow().path("node").path("id").asText();
    }

    /** Returns how often the plugin has loaded a certificate. */
    private static int identities(Guest guest) {
        return Integer.parseInt(guest.sh(Product.LOG + " | grep -c 'this is node'"));
    }

    @Test
    @Order(4)
    void statusCommandShowsWhatPluginKnows() {
        assertThat(worker.sh("vxseal status")).contains(nodeId()).contains("IPSEC");
        assertThat(worker.sh("vxseal status --json")).contains(nodeId()).contains("statesFound");
    }

    /** Prints a user's waiting time on a node that does not have the network yet, and the plugin's part of it. */
    @Test
    @Order(4)
    void firstAnswerOnNewNetworkSpendsLittleTimeInPlugin(Lab lab) {
        lab.swarm().createNetwork("late-net", Product.DRIVER, "--opt encrypted");
        double before = pluginMillis();
        long start = System.nanoTime();
        lab.swarm().startEverywhere("late", "late-net");
        double created = seconds(start);
        List<Task> tasks = Together.map(lab.guests(), guest -> lab.swarm().task("late", "late-net", guest));
        double running = seconds(start);
        tasks.getLast().awaitAnswer(tasks.getFirst());
        double answered = seconds(start);
        System.out.printf("first answer %.1f s after service create began: command %.1f, tasks running on both %.1f, ping %.1f;"
                        + " the plugin's calls on the new node %.3f%n",
                answered, created, running - created, answered - running, (pluginMillis() - before) / 1e3);
        lab.swarm().removeService("late");
        lab.swarm().removeNetwork("late-net");
    }

    private static double seconds(long start) {
        return (System.nanoTime() - start) / 1e9;
    }

    private double pluginMillis() {
        double sum = 0;
        for (JsonNode call : Product.status(worker).orElseThrow().path("calls")) {
            sum += call.path("count").asLong() * call.path("meanMillis").asDouble();
        }
        return sum;
    }

    @Test
    @Order(5)
    void rootRotationUnderTrafficKeepsAllNodesConnected(Lab lab) {
        List<Task> tasks = web(lab);
        Task.Flood pings = tasks.getFirst().flood(tasks.getLast(), 20, 20 * 600);
        List<Optional<String>> processes = Together.map(lab.guests(), Product::process);
        List<Integer> identities = Together.map(lab.guests(), HostTest::identities);

        lab.swarm().rotateRoot();

        Await.until("the plugins to take up their new certificates", Duration.ofSeconds(60), () -> {
            List<Integer> now = Together.map(lab.guests(), HostTest::identities);
            return IntStream.range(0, now.size()).allMatch(n -> now.get(n) > identities.get(n));
        });
        Product.awaitTogether(lab.guests());
        assertThat(Together.map(lab.guests(), Product::process)).as("nobody was restarted").isEqualTo(processes);
        // Existing connections prove nothing; a new one does.
        Product.disableByForce(worker);
        Product.enable(worker);
        Product.awaitTogether(lab.guests());
        assertThat(pings.isRunning()).isTrue();
        Task.Pings sent = pings.stop();
        assertThat(sent.sent() - sent.received()).as("unanswered of %d pings, except for the one under way", sent.sent()).isLessThanOrEqualTo(1);
        assertTheyReachEachOther(tasks);
    }

    @Test
    @Order(6)
    void upgradedPluginTakesOverNetworks(Lab lab) {
        List<Task> tasks = web(lab);
        Product.publish(manager, "127.0.0.1:5000/vxseal:next", "another build");
        Task.Flood pings = tasks.getFirst().flood(tasks.getLast(), 20, 20 * 600);
        Product.disableByForce(manager);
        Product.upgrade(manager, "127.0.0.1:5000/vxseal:next");
        Product.enable(manager);
        Product.awaitTogether(lab.guests());
        assertThat(manager.sh("docker plugin inspect -f '{{.Config.Description}}' " + Product.NAME)).isEqualTo("another build");
        assertThat(pings.isRunning()).isTrue();
        Task.Pings sent = pings.stop();
        assertThat(sent.sent() - sent.received()).as("unanswered of %d pings, except for the one under way", sent.sent()).isLessThanOrEqualTo(1);
        List<Task> more = lab.swarm().serve("more", "my-net");
        assertTheyReachEachOther(more);
    }

    @Test
    @Order(7)
    void hostThatJoinsAndRestartsCostsOthersNoPing(Lab lab) {
        List<Task> others = web(lab);
        try (PingsBothWays pings = PingsBothWays.start(others, 20, Duration.ofMinutes(15))) {
            Guest third = lab.addGuest(Product.here());
            Product.awaitTogether(lab.guests());
            lab.swarm().task("web", "my-net", third).awaitAnswer(others.getFirst());
            third.unplug();
            third.boot();
            Product.awaitTogether(lab.guests());
            lab.swarm().task("web", "my-net", third).awaitAnswer(others.getFirst());
            System.out.printf("%d pings while a host joined and restarted, all back%n", pings.stopWithoutLoss());
        }
    }
}
