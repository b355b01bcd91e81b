package io.vxseal.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.lab.Await;
import io.vxseal.lab.Capture;
import io.vxseal.lab.Guest;
import io.vxseal.lab.Lab;
import io.vxseal.lab.Load;
import io.vxseal.lab.Product;
import io.vxseal.lab.Stack;
import io.vxseal.lab.Task;
import io.vxseal.lab.Together;
import io.vxseal.lab.Wire;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.DoubleStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestMethodOrder;

/** A service that changes under steady load, once on the built-in driver and once on the plugin, in one run. */
@Tag("stacks")
@Laboratory(installed = true)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class LoadTest {
    private static final int REQUESTS = 5000;
    private static final String UPDATE = "update --force --detach=false --quiet api";
    private static final Duration CHANGE = Duration.ofMinutes(5);
    private static final Duration NOTICE = Duration.ofSeconds(75);

    /** Seconds after the plugin's return, within which new connections have to be right. */
    private static final double RIGHT_AGAIN = 2;

    /** Seconds by which two windows of failures may differ because a question is asked only after the one before failed. */
    private static final double LONGEST_QUESTION = 5;

    private Capture capture;
    private Side theirs;
    private Side ours;

    /** One driver's stack. */
    private record Side(Lab lab, String driver, Stack stack) {

        static Side deploy(Lab lab, String driver, String text) {
            return new Side(lab, driver, Stack.deploy(lab, driver, text));
        }

        Load load(List<Guest> guests) {
            List<Task> clients = Together.map(guests, guest -> lab.swarm().task(driver + "_client", driver + "_net", guest));
            return Load.start(clients, "api", 8080, REQUESTS / guests.size());
        }

        void change(String command) {
            lab.swarm().manager().run("docker service " + command.replace("api", driver + "_api"), CHANGE).require();
        }

        Load.Result report(String what, Load load) {
            Load.Result result = load.stop();
            System.out.printf("lab: %s, %s: %s%n", what, driver, result);
            return result;
        }
    }

    @BeforeAll
    void deploy(Lab lab) throws IOException {
        Stack.prepare(lab);
        capture = lab.wire().capture("load");
        try (InputStream stream = LoadTest.class.getResourceAsStream("/stacks/load.yml")) {
            assertThat(stream).isNotNull();
            String text = new String(stream.readAllBytes(), StandardCharsets.UTF_8);
            theirs = Side.deploy(lab, "overlay", text);
            ours = Side.deploy(lab, Product.NAME, text.replace("driver: overlay", "driver: " + Product.DRIVER));
        }
    }

    @AfterAll
    void nothingWasSentInClear() {
        capture.stop();
        assertThat(capture.count(Wire.ESP)).isPositive();
        assertThat(capture.count(Wire.cleartextVxlan(ours.lab.swarm().vni(Product.NAME + "_net")))).isZero();
    }

    private void failsNoRequest(String what, List<String> commands) {
        for (Side side : List.of(theirs, ours)) {
            Load load = side.load(side.lab.guests());
            commands.forEach(side::change);
            Load.Result result = side.report(what, load);
            if (side.driver.equals(Product.NAME)) {
                assertThat(result.failures()).as(what).isEmpty();
                assertThat(result.asked()).isGreaterThanOrEqualTo(REQUESTS);
            }
        }
    }

    @Test
    @Order(1)
    void rollingUpdateFailsNoRequest() {
        failsNoRequest("rolling update", List.of(UPDATE));
    }

    @Test
    @Order(2)
    void scalingFailsNoRequest() {
        failsNoRequest("2 to 10 to 1 tasks", List.of("scale api=10", "scale api=1"));
        List.of(theirs, ours).forEach(side -> side.change("scale api=2"));
    }

    @Test
    @Order(3)
    void drainedHostFailsNoRequest(Lab lab) {
        List<Guest> manager = List.of(lab.swarm().manager());
        Load loadOfTheirs = theirs.load(manager);
        Load loadOfOurs = ours.load(manager);
        String node = lab.guest(2).name();
        manager.getFirst().sh("docker node update --availability drain " + node);
        List.of(theirs, ours).forEach(side -> side.change(UPDATE));
        theirs.report("drained host", loadOfTheirs);
        Load.Result result = ours.report("drained host", loadOfOurs);
        manager.getFirst().sh("docker node update --availability active " + node);
        List.of(theirs, ours).forEach(side -> side.change(UPDATE));
        assertThat(result.failures()).isEmpty();
        assertThat(result.asked()).isGreaterThanOrEqualTo(REQUESTS);
    }

    private static double uptime(Guest guest) {
        return Double.parseDouble(guest.sh("cat /proc/uptime").split(" ")[0]);
    }

    private void isRightAfterReturn(Lab lab, String what, Runnable absence) {
        Load load = ours.load(lab.guests());
        CompletableFuture<Void> update = CompletableFuture.runAsync(() -> ours.change(UPDATE));
        absence.run();
        Product.awaitTogether(lab.guests());
        List<Double> back = Together.map(lab.guests(), LoadTest::uptime);
        update.join();
        Load.Result result = ours.report(what, load);
        assertThat(result.failures()).allMatch(failure ->
                failure.at() < back.get(lab.guests().indexOf(failure.guest())) + RIGHT_AGAIN, "%s s after the return at %s".formatted(RIGHT_AGAIN, back));
    }

    @Test
    @Order(4)
    void killedPluginIsRightAgainTwoSecondsAfterItsReturn(Lab lab) {
        isRightAfterReturn(lab, "plugin killed during an update", () ->
                lab.guests().forEach(guest -> guest.sh("pkill -KILL -f io.vxseal.[M]ain")));
    }

    @Test
    @Order(5)
    void restartedPluginIsRightAgainTwoSecondsAfterItsReturn(Lab lab) {
        isRightAfterReturn(lab, "plugin restarted during an update", () -> Together.each(lab.guests(), guest -> {
            Product.disableByForce(guest);
            Product.enable(guest);
        }));
    }

    /** Returns the seconds between the first and the last new connection that failed. */
    private static double window(Load.Result result) {
        DoubleStream.Builder times = DoubleStream.builder();
        result.failures().stream().filter(Load.Failure::isOfNewConnection).forEach(failure -> times.add(failure.at()));
        var all = times.build().summaryStatistics();
        return all.getCount() == 0 ? 0 : all.getMax() - all.getMin();
    }

    /** The last one, because the host stays away. */
    @Test
    @Order(6)
    void unpluggedHostFailsNewConnectionsNoLongerThanOnBuiltInDriver(Lab lab) {
        List<Guest> manager = List.of(lab.swarm().manager());
        Load loadOfTheirs = theirs.load(manager);
        Load loadOfOurs = ours.load(manager);
        lab.guest(2).unplug();
        Await.pause(NOTICE);
        double windowOfTheirs = window(theirs.report("unplugged host", loadOfTheirs));
        double windowOfOurs = window(ours.report("unplugged host", loadOfOurs));
        System.out.printf("lab: new connections failed within %.1f s on overlay, %.1f s on vxseal%n", windowOfTheirs, windowOfOurs);
        assertThat(windowOfOurs).isLessThanOrEqualTo(windowOfTheirs + LONGEST_QUESTION);
    }
}
