package io.vxseal.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.lab.Await;
import io.vxseal.lab.Capture;
import io.vxseal.lab.Footprint;
import io.vxseal.lab.Guest;
import io.vxseal.lab.Lab;
import io.vxseal.lab.PingsBothWays;
import io.vxseal.lab.Product;
import io.vxseal.lab.Swarm;
import io.vxseal.lab.Task;
import io.vxseal.lab.Together;
import io.vxseal.lab.Wire;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Base64;
import java.util.Deque;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestMethodOrder;

/** Ends of the plugin's process that its networks must not notice: two containers ping each other throughout each of them. */
@Laboratory(installed = true)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class CrashTest {

    /** Crashes of each host; {@code ./test --soak} sets more. Two JVMs that start on emulated hosts take a minute. */
    private static final int CRASHES = Integer.getInteger("vxseal.crashes", 2);

    /** Seed of the moments at which processes are killed. */
    private static final long SEED = Long.getLong("vxseal.crashes.seed", 1);

    private static final int PER_SECOND = 20;
    private static final int OTHER_PORT = 4801;
    private static final Duration LONGEST = Duration.ofMinutes(15 + 2L * CRASHES);
    private static final Duration STEP = Duration.ofHours(1);
    private static final String DISCOVER_NEW = "NetworkDriver.DiscoverNew";

    /** The activity that a crash interrupts. */
    private enum Moment { JOIN, OTHER_KEYS, ROTATION, LEAVE, REST }

    private final Random random = new Random(SEED);
    private final SecureRandom octets = new SecureRandom();
    private List<Footprint> before;
    private Capture capture;
    private List<Task> tasks;
    /** [previous, primary, next], with tags from 1 up. They are the engine's keys, because those rotate on command, and at once. */
    private final Deque<String> keys = new ArrayDeque<>();
    private int firstTag = 1;

    @BeforeAll
    void serve(Lab lab) {
        before = Together.map(lab.guests(), Footprint::of);
        capture = lab.wire().capture("crash");
        lab.swarm().createNetwork("my-net", Product.DRIVER, "--opt encrypted");
        tasks = lab.swarm().serve("web", "my-net");
        tasks.getFirst().awaitAnswer(tasks.getLast());
        keys.addAll(List.of(key(), key(), key()));
        deliver(lab, 2, "'Keys':['%s','%s','%s'],'Tags':[2,1,3]".formatted(nth(1), nth(0), nth(2)));
        Product.awaitTogether(lab.guests());
        tasks.getFirst().awaitAnswer(tasks.getLast());
        tasks.getLast().awaitAnswer(tasks.getFirst());
    }

    /** Runs what the networks must not notice: every ping that leaves meanwhile is answered, and once. */
    private void unnoticed(Runnable what) {
        try (PingsBothWays pings = PingsBothWays.start(tasks, PER_SECOND, LONGEST)) {
            what.run();
            System.out.printf("%d pings meanwhile, all back%n", pings.stopWithoutLoss());
        }
    }

    private Task.Flood flood(int from, int to) {
        return tasks.get(from).flood(tasks.get(to), PER_SECOND, (int) LONGEST.toSeconds() * PER_SECOND);
    }

    @Test
    @Order(1)
    void killedPluginRecoversAndNextJoinWorks(Lab lab) {
        unnoticed(() -> killOnBothHosts(lab));
    }

    private void killOnBothHosts(Lab lab) {
        System.out.printf("kills: -Dvxseal.crashes.seed=%d%n", SEED);
        for (int n = 0; n < CRASHES; n++) {
            Moment moment = Moment.values()[n % Moment.values().length];
            List<String> processes = Together.map(lab.guests(), guest -> Product.process(guest).orElseThrow());
            List<Duration> delays = lab.guests().stream().map(_ -> Duration.ofMillis(random.nextInt(1500))).toList();
            begin(moment, lab);
            Together.each(lab.guests(), guest -> {
                Await.pause(delays.get(lab.guests().indexOf(guest)));
                guest.sh("kill -9 " + processes.get(lab.guests().indexOf(guest)));
            });
            awaitBack(lab, processes);
            if (moment == Moment.JOIN) {
                lab.guests().forEach(guest -> lab.swarm().task("more", "my-net", guest));
            }
            System.out.println("killed on both hosts, in the middle of: " + moment);
        }
        if (lab.swarm().manager().run("docker service inspect more", Duration.ofSeconds(30)).ok()) {
            lab.swarm().removeService("more");
        }
    }

    private void begin(Moment moment, Lab lab) {
        switch (moment) {
            case REST -> { }
            case JOIN -> lab.swarm().startEverywhere("more", "my-net");
            case LEAVE -> lab.swarm().manager().sh("docker service rm more");
            case OTHER_KEYS -> {
                keys.clear();
                keys.addAll(List.of(key(), key(), key()));
                firstTag += keys.size();
                deliver(lab, 2, "'Keys':['%s','%s','%s'],'Tags':[%d,%d,%d]".formatted(
                        nth(1), nth(0), nth(2), firstTag + 1, firstTag, firstTag + 2));
                // The other host has them as well then; both still accept the old ones.
                Product.awaitTogether(lab.guests());
            }
            case ROTATION -> {
                String pruned = keys.removeFirst();
                keys.addLast(key());
                deliver(lab, 3, "'Key':'%s','Tag':%d,'Primary':'%s','PrimaryTag':%d,'Prune':'%s','PruneTag':%d"
                        .formatted(nth(2), firstTag + 3, nth(1), firstTag + 2, pruned, firstTag));
                firstTag++;
            }
        }
    }

    private static void deliver(Lab lab, int type, String data) {
        Product.call(lab.swarm().manager(), DISCOVER_NEW, "{'DiscoveryType':%d,'DiscoveryData':{%s}}".formatted(type, data));
    }

    private String nth(int place) {
        return List.copyOf(keys).get(place);
    }

    private String key() {
        byte[] key = new byte[16];
        octets.nextBytes(key);
        return Base64.getEncoder().encodeToString(key);
    }

    private static void awaitBack(Lab lab, List<String> processes) {
        Together.each(IntStream.range(0, processes.size()).boxed().toList(), n -> awaitBack(lab.guests().get(n), processes.get(n)));
        Product.awaitTogether(lab.guests());
    }

    private static void awaitBack(Guest guest, String process) {
        Await.until("the engine to start the plugin on " + guest + " again", Duration.ofSeconds(60),
                () -> Product.process(guest).filter(now -> !now.equals(process)).isPresent());
    }

    /** The networks are in the kernel, and the other node knows this node's endpoints. */
    @Test
    @Order(2)
    void recoversFromTornStateFilesAfterForcedDisable(Lab lab) {
        unnoticed(() -> tearStateFiles(lab));
    }

    private void tearStateFiles(Lab lab) {
        Guest damaged = lab.guest(2);
        List<String> states = Product.stateFiles(damaged);
        Product.disableByForce(damaged);
        states.forEach(file -> damaged.sh("truncate -s $(($(stat -c %s FILE) / 2)) FILE".replace("FILE", file)));
        Product.enable(damaged);
        Product.awaitTogether(lab.guests());
        Await.until("the plugin to have its endpoints again", Duration.ofSeconds(30), () ->
                damaged.sh(Product.LOG + " | tail -n 40").contains("recovered 1 endpoints of this node"));
        assertThat(damaged.sh(Product.LOG + " | tail -n 40")).contains("cannot be read", "recovered from the kernel");
        assertItWorks(lab, "after-disable");
    }

    private static void assertItWorks(Lab lab, String service) {
        List<Task> more = lab.swarm().serve(service, "my-net");
        more.getFirst().awaitAnswer(more.getLast());
        assertThat(Swarm.pingAcross(more, 3)).matches(Task.Pings::allBack);
        lab.swarm().removeService(service);
    }

    /** Its files are removed with it; its networks and their protection stay in the kernel. */
    @Test
    @Tag("soak")
    @Order(3)
    void recoversNetworksAfterForcedRemovalAndReinstallation(Lab lab) {
        unnoticed(() -> removeAndInstall(lab));
    }

    private void removeAndInstall(Lab lab) {
        Guest removed = lab.guest(2);
        Capture again = lab.wire().capture("installed-again");

        Product.removeByForce(removed);
        assertThat(Swarm.pingAcross(tasks, 3)).as("pings without a plugin").matches(Task.Pings::allBack);
        Product.here().install(removed);
        Product.awaitTogether(lab.guests());
        tasks.getFirst().awaitAnswer(tasks.getLast());

        assertThat(Swarm.pingAcross(tasks, 3)).matches(Task.Pings::allBack);
        again.stop();
        assertThat(again.count(Wire.ESP)).isPositive();
        assertThat(again.count(Wire.CLEARTEXT_VXLAN)).as("in clear").isZero();
    }

    /** What an earlier process sealed for nodes that this one has not heard of is kept for a time, by whatever the clock says. */
    @Test
    @Tag("soak")
    @Order(4)
    void clockThatStepsForwardAfterRestartEndsNoPath(Lab lab) {
        unnoticed(() -> stepClockWithoutHub(lab));
    }

    private void stepClockWithoutHub(Lab lab) {
        Guest stepped = lab.guest(2);
        String unheard = "OUTPUT -p tcp --dport 4788 -j REJECT --reject-with tcp-reset";
        // It says that it will be back, so the other node keeps its part for longer than this takes.
        Product.disableByForce(stepped);
        stepped.sh("iptables -I " + unheard);
        Product.enable(stepped);

        stepped.stepClock(STEP);
        Await.until("the plugin on " + stepped + " to say that it hears of no node", Duration.ofMinutes(1), () ->
                Product.status(stepped).orElseThrow().path("conditions").findValuesAsText("kind").contains("no_hub"));

        stepped.stepClock(STEP.negated());
        stepped.sh("iptables -D " + unheard);
        Product.awaitTogether(lab.guests());
    }

    private static void restart(Guest guest) {
        String process = Product.process(guest).orElseThrow();
        guest.sh("kill -9 " + process);
        awaitBack(guest, process);
        Await.until("the plugin on " + guest + " to answer", Duration.ofSeconds(60), () -> Product.status(guest).isPresent());
    }

    @Test
    @Order(5)
    void sentNothingInClearThroughout() {
        assertThat(capture.stop().count(Wire.CLEARTEXT_VXLAN)).as("in clear").isZero();
    }

    /** While the networks move to the other port, their traffic stops. */
    @Test
    @Order(6)
    void changedVxlanPortSendsNothingInClearOnEither(Lab lab) {
        Capture moved = lab.wire().capture("other-port");
        List<Task.Flood> both = List.of(flood(0, 1), flood(1, 0));

        Together.each(lab.guests(), guest -> {
            Product.disableByForce(guest);
            Product.set(guest, "VXSEAL_VXLAN_PORT", OTHER_PORT);
            Product.enable(guest);
        });
        Product.awaitTogether(lab.guests());
        tasks.getFirst().awaitAnswer(tasks.getLast());
        tasks.getLast().awaitAnswer(tasks.getFirst());

        assertThat(both).as("the floods still run").allMatch(Task.Flood::isRunning);
        Together.each(both, Task.Flood::stop);
        assertThat(Swarm.pingAcross(tasks, 3)).matches(Task.Pings::allBack);
        moved.stop();
        assertThat(moved.count(Wire.ESP)).isPositive();
        assertThat(moved.count(Wire.CLEARTEXT_VXLAN)).as("in clear on the port before").isZero();
        assertThat(moved.count("udp port " + OTHER_PORT)).as("in clear on the port now").isZero();
    }

    @Test
    @Order(7)
    void leavesNothingBehindAlthoughClockStepsBack(Lab lab) {
        Guest stepped = lab.guest(2);
        stepped.stepClock(STEP);
        restart(stepped);
        stepped.stepClock(STEP.negated());
        lab.swarm().removeService("web");
        lab.swarm().removeNetwork("my-net");
        for (int n = 0; n < before.size(); n++) {
            // A process that has just started keeps its predecessor's states for 90 s, whatever its networks.
            Footprint.awaitAsBefore(lab.guests().get(n), before.get(n), Duration.ofMinutes(2));
        }
    }
}
