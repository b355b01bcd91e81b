package io.vxseal.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.lab.Await;
import io.vxseal.lab.Capture;
import io.vxseal.lab.EngineEvents;
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
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.stream.IntStream;
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
    private static final Duration PAUSE = Duration.ofMillis(30);

    /** Where many tasks or plugins start: on a processor that the questions take whole they need more than minutes on an emulated host. */
    private static final Duration LONGER_PAUSE = Duration.ofMillis(200);
    private static final int FEWER_REQUESTS = 1000;

    private static final String UPDATE = "update --force --detach=false --quiet api";
    private static final Duration CHANGE = Duration.ofMinutes(10);
    private static final String NEXT = "127.0.0.1:5000/vxseal:next";
    private static final Duration NOTICE = Duration.ofSeconds(75);

    /**
     * Seconds after the plugins' return, within which new connections have to be right. On hardware it should be 2; the plugin of an
     * emulated host takes 60 to 100 times as long for its start, and as much for all that it does for the first time.
     */
    private static final double RIGHT_AGAIN = 20;

    private static final Duration QUESTION = Duration.ofSeconds(15);

    /** The stack's {@code stop_grace_period}, in seconds. */
    private static final double STOP = 30;

    /** The limit of a question where it is measured how long questions fail, which is exact to so long: the next one is asked then. */
    private static final Duration SHORT_QUESTION = Duration.ofSeconds(5);

    private Capture capture;
    private Side theirs;
    private Side ours;

    /** One driver's stack. */
    private record Side(Lab lab, String driver, Stack stack) {

        static Side deploy(Lab lab, String driver, String text) {
            return new Side(lab, driver, Stack.deploy(lab, driver, text));
        }

        Load load(List<Guest> guests, int requests, Duration pause) {
            return Load.start(clients(guests), "api", 8080, requests / guests.size(), pause, QUESTION);
        }

        Load loadApart(List<Guest> guests) {
            return Load.startApart(clients(guests), "api", 8080, REQUESTS / 2 / guests.size(), PAUSE, SHORT_QUESTION);
        }

        private List<Task> clients(List<Guest> guests) {
            return Together.map(guests, guest -> lab.swarm().task(driver + "_client", driver + "_net", guest));
        }

        void change(String command) {
            lab.swarm().manager().run("docker service " + command.replace("api", driver + "_api"), CHANGE).require();
        }

        String updateState() {
            return lab.swarm().manager().sh("docker service inspect -f '{{with .UpdateStatus}}{{.State}}{{end}}' %s_api".formatted(driver));
        }

        /** Returns the ids of the tasks that should run on a host. */
        String tasksOn(Guest guest) {
            return lab.swarm().manager().sh(
                    "docker service ps -q --filter desired-state=running --filter node=%s %s_api".formatted(guest.name(), driver));
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

    /**
     * Returns the failures that an engine is not to blame for: it says itself that it added a task that was told to stop, which refuses new
     * connections then, on either driver.
     */
    private static List<Load.Failure> notOfEngine(Load.Result result) {
        Map<Guest, List<Double>> added = new HashMap<>();
        List<Load.Failure> rest = result.failures().stream()
                .filter(failure -> !isOfEngine(failure, added.computeIfAbsent(failure.guest(), EngineEvents::stoppingTaskAdded))).toList();
        System.out.printf("lab: %d of them because an engine added a task that was told to stop, at %s%n", result.failures().size() - rest.size(), added);
        return rest;
    }

    private static boolean isOfEngine(Load.Failure failure, List<Double> added) {
        return failure.reason().endsWith("refused") && added.stream().anyMatch(at -> failure.at() >= at && failure.at() <= at + STOP);
    }

    /** Makes the changes, over and over, until there were enough questions. */
    private void failsNoRequest(String what, Duration pause, List<String> commands) {
        for (Side side : List.of(theirs, ours)) {
            Load load = side.load(side.lab.guests(), REQUESTS, pause);
            int times = 0;
            do {
                commands.forEach(side::change);
                times++;
            } while (!load.isEnough());
            List<Load.Failure> failures = notOfEngine(side.report("%s, %d times".formatted(what, times), load));
            if (side.driver.equals(Product.NAME)) {
                assertThat(failures).as(what).isEmpty();
            }
        }
    }

    @Test
    @Order(1)
    void rollingUpdateFailsNoRequest() {
        failsNoRequest("rolling update", PAUSE, List.of(UPDATE));
    }

    @Test
    @Order(2)
    void scalingFailsNoRequest() {
        failsNoRequest("2 to 10 to 1 tasks", LONGER_PAUSE, List.of("scale api=10", "scale api=1"));
        List.of(theirs, ours).forEach(side -> side.change("scale api=2"));
    }

    /** The second host is drained and filled again, over and over. */
    @Test
    @Order(3)
    void drainedHostFailsNoRequest(Lab lab) {
        List<Guest> manager = List.of(lab.swarm().manager());
        Load loadOfTheirs = theirs.load(manager, REQUESTS, PAUSE);
        Load loadOfOurs = ours.load(manager, REQUESTS, PAUSE);
        int times = 0;
        do {
            assertTasksOnSecondHost(lab);
            setAvailability(lab, "drain");
            setAvailability(lab, "active");
            times++;
        } while (!loadOfTheirs.isEnough() || !loadOfOurs.isEnough());
        String what = "drained host, %d times".formatted(times);
        notOfEngine(theirs.report(what, loadOfTheirs));
        assertThat(notOfEngine(ours.report(what, loadOfOurs))).isEmpty();
    }

    private void assertTasksOnSecondHost(Lab lab) {
        for (Side side : List.of(theirs, ours)) {
            assertThat(side.tasksOn(lab.guest(2))).as("tasks of %s on the second host", side.driver).isNotEmpty();
        }
    }

    /** Sets the second host's availability, and waits for both drivers' tasks by an update, which spreads them as well. */
    private void setAvailability(Lab lab, String availability) {
        lab.swarm().manager().sh("docker node update --availability %s %s".formatted(availability, lab.guest(2).name()));
        Together.each(List.of(theirs, ours), side -> side.change(UPDATE));
    }

    private static double uptime(Guest guest) {
        return Double.parseDouble(guest.sh("cat /proc/uptime").split(" ")[0]);
    }

    /** Returns the host's uptime before the first question that its plugin answers. */
    private static double firstAnswer(Guest guest) {
        return Await.value("an answer of the plugin on " + guest, CHANGE, () -> {
            double asked = uptime(guest);
            return Product.status(guest).map(_ -> asked);
        });
    }

    /** Returns the hosts' uptimes before the first look at which their plugins are connected and have one ring. */
    private static List<Double> awaitReturn(List<Guest> guests) {
        return Await.value("the return of the plugins on " + guests, CHANGE, () -> {
            List<Double> looked = Together.map(guests, LoadTest::uptime);
            return Product.areTogether(guests) ? Optional.of(looked) : Optional.empty();
        });
    }

    /** Takes the plugins away during an update. Another follows their return: the first may be over by then. */
    private void isRightAfterReturn(Lab lab, String what, Consumer<Guest> absence) {
        Load load = ours.load(lab.guests(), FEWER_REQUESTS, LONGER_PAUSE);
        CompletableFuture<Void> update = CompletableFuture.runAsync(() -> ours.change(UPDATE));
        Await.until("the update to be under way", CHANGE, () -> ours.updateState().equals("updating"));
        List<Double> gone = Together.map(lab.guests(), LoadTest::uptime);
        List<Double> answering = Together.map(lab.guests(), guest -> {
            absence.accept(guest);
            return firstAnswer(guest);
        });
        List<Double> back = awaitReturn(lab.guests());
        update.join();
        ours.change(UPDATE);
        Load.Result result = ours.report(what, load);
        List<Load.Failure> failures = notOfEngine(result);
        double last = last(failures, lab.guests(), back);
        System.out.printf("lab: %s: answers after %s s, connected after %s s, last question that failed %.1f s after that%n",
                what, seconds(gone, answering), seconds(gone, back), last);
        for (int host = 0; host < back.size(); host++) {
            double from = back.get(host);
            System.out.printf("lab: tasks on %s became healthy %s s after that%n", lab.guests().get(host),
                    EngineEvents.healthy(lab.guests().get(host), ours.driver + "_api").stream().map(at -> "%.1f".formatted(at - from)).toList());
        }
        assertThat(result.failures()).as("failures on kept connections").noneMatch(Load.Failure::isOfKeptConnection);
        assertThat(result.failures()).as("failures before").allMatch(failure -> failure.at() >= gone.get(lab.guests().indexOf(failure.guest())));
        assertThat(last).isLessThan(RIGHT_AGAIN);
    }

    private static List<Long> seconds(List<Double> from, List<Double> until) {
        return IntStream.range(0, from.size()).mapToObj(host -> Math.round(until.get(host) - from.get(host))).toList();
    }

    /** Returns how long after the return the last question was asked that failed, in seconds; 0 if none was. */
    private static double last(List<Load.Failure> failures, List<Guest> guests, List<Double> back) {
        return failures.stream().mapToDouble(failure -> failure.at() - back.get(guests.indexOf(failure.guest())))
                .filter(after -> after > 0).max().orElse(0);
    }

    @Test
    @Order(4)
    void killedPluginIsRightAgainAfterItsReturn(Lab lab) {
        isRightAfterReturn(lab, "plugin killed during an update", guest -> Product.signal(List.of(guest), "KILL"));
    }

    @Test
    @Order(5)
    void upgradedPluginIsRightAgainAfterItsReturn(Lab lab) {
        Together.each(lab.guests(), guest -> Product.publish(guest, NEXT, "another build"));
        isRightAfterReturn(lab, "plugin upgraded during an update", guest -> {
            Product.disableByForce(guest);
            Product.upgrade(guest, NEXT);
            Product.enable(guest);
        });
        assertThat(Together.map(lab.guests(), guest -> guest.sh("docker plugin inspect -f '{{.Config.Description}}' " + Product.NAME)))
                .containsOnly("another build");
    }

    /** Returns for how many seconds questions failed, from when the other host lost its power on. */
    private static double reportWindow(String driver, String kind, double unplugged, Load.Result result, Predicate<Load.Failure> which) {
        double window = Math.max(0, result.last(which) - unplugged);
        System.out.printf("lab: unplugged host, %s: questions on %s connections failed for %.1f s%n", driver, kind, window);
        return window;
    }

    /** The last one, because the host stays away. */
    @Test
    @Order(6)
    void unpluggedHostFailsNewConnectionsNoLongerThanOnBuiltInDriver(Lab lab) {
        assertTasksOnSecondHost(lab);
        Guest manager = lab.swarm().manager();
        Load loadOfTheirs = theirs.loadApart(List.of(manager));
        Load loadOfOurs = ours.loadApart(List.of(manager));
        double unplugged = uptime(manager);
        lab.guest(2).unplug();
        Await.pause(NOTICE);
        Load.Result resultOfTheirs = theirs.report("unplugged host", loadOfTheirs);
        Load.Result resultOfOurs = ours.report("unplugged host", loadOfOurs);
        reportWindow("overlay", "kept", unplugged, resultOfTheirs, Load.Failure::isOfKeptConnection);
        reportWindow("vxseal", "kept", unplugged, resultOfOurs, Load.Failure::isOfKeptConnection);
        double windowOfTheirs = reportWindow("overlay", "new", unplugged, resultOfTheirs, Load.Failure::isOfNewConnection);
        double windowOfOurs = reportWindow("vxseal", "new", unplugged, resultOfOurs, Load.Failure::isOfNewConnection);
        assertThat(resultOfTheirs.failures()).as("failures on the built-in driver, without which nothing is compared")
                .anyMatch(Load.Failure::isOfNewConnection);
        assertThat(windowOfOurs).isLessThanOrEqualTo(windowOfTheirs + SHORT_QUESTION.toSeconds());
    }
}
