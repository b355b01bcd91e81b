package io.vxseal.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.lab.Await;
import io.vxseal.lab.Capture;
import io.vxseal.lab.Guest;
import io.vxseal.lab.Lab;
import io.vxseal.lab.Observations;
import io.vxseal.lab.Product;
import io.vxseal.lab.Stack;
import io.vxseal.lab.Task;
import io.vxseal.lab.Wire;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.regex.Pattern;
import org.assertj.core.api.SoftAssertions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/**
 * Stacks like those that people run, each once on the built-in driver and once on the plugin, with the driver's lines changed and nothing
 * else. Their containers observe the same. Two of them in {@code ./test}, all in {@code ./test --stacks}.
 */
@Laboratory(installed = true)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class StacksTest {
    private static final Duration COMMAND = Duration.ofSeconds(90);
    private static final Duration CHANGE = Duration.ofMinutes(3);
    private static final Duration LOAD = Duration.ofMinutes(15);
    private static final String BUILT_IN = "driver: overlay";

    /** An observation of the client's address: the observer, and whom the servers saw. */
    private static final Pattern OWN_ADDRESS = Pattern.compile("(.+?): (tcp|udp) to .* sees \\[\\1 on \\w+]");

    @BeforeAll
    void makeImage(Lab lab) {
        Stack.prepare(lab);
    }

    @Test
    @Tag("stacks")
    void votingApplicationBehavesAsOnBuiltInDriver(Lab lab) {
        compare(lab, "voting", stack -> List.of(stack.observe()));
    }

    @Test
    @Tag("stacks")
    void databaseOnInternalNetworkBehavesAsOnBuiltInDriver(Lab lab) {
        compare(lab, "database", stack -> {
            for (Guest guest : lab.guests()) {
                stack.attach(guest, "attached-" + guest, "data", 7000);
            }
            return List.of(stack.observe());
        });
    }

    @Test
    @Tag("stacks")
    void reverseProxyBehavesAsOnBuiltInDriver(Lab lab) {
        BothSides both = observe(lab, "proxy", stack -> {
            List<Observations> all = new ArrayList<>(List.of(stack.observe()));
            for (String change : List.of("--endpoint-mode dnsrr", "--endpoint-mode vip")) {
                stack.update("blog", change);
                all.add(stack.observe());
            }
            stack.update("blog", "--replicas 0");
            all.add(stack.observe());
            return all;
        });
        // The built-in driver takes the address away with the last task. The plugin's refuses.
        SoftAssertions.assertSoftly(softly -> {
            assertFailsWithoutTasks(softly, both.theirs.getLast(), "overlay", "unreachable");
            assertFailsWithoutTasks(softly, both.ours.getLast(), Product.NAME, "refused");
        });
        assertSame("proxy", new BothSides(withoutReasons(both.theirs), withoutReasons(both.ours)));
    }

    /** How connections to the service without tasks failed, from where its name is known. */
    private static boolean isFailureOfBlog(String line) {
        return line.contains("blog") && line.matches(".*: (tcp|udp) to .*\\[!.*]") && !line.contains("no-address");
    }

    private static void assertFailsWithoutTasks(SoftAssertions softly, Observations last, String driver, String reason) {
        // By its name alone: the engine's name server keeps the first VIP of a service that gets another one (moby, issue 38575).
        softly.assertThat(last.lines().stream().filter(StacksTest::isFailureOfBlog).filter(line -> line.contains("blog:8080"))).as("connections to no task on %s", driver)
                .isNotEmpty().allSatisfy(line -> assertThat(line).endsWith("[!%s]".formatted(reason)));
    }

    private static List<Observations> withoutReasons(List<Observations> all) {
        List<Observations> some = new ArrayList<>(all);
        some.addLast(some.removeLast().map(line -> isFailureOfBlog(line) ? line.replaceFirst("\\[!.*]$", "[!]") : line));
        return some;
    }

    @Test
    @Tag("stacks")
    void monitoringBehavesAsOnBuiltInDriver(Lab lab) {
        compare(lab, "monitoring", stack -> List.of(stack.observe()));
    }

    @Test
    void messageQueueWithoutVipBehavesAsOnBuiltInDriver(Lab lab) {
        compare(lab, "queue", stack -> List.of(stack.observe()));
    }

    /** The jobs come once their ledger answers: how often they fail before depends on when it starts. */
    @Test
    void batchOfJobsBehavesAsOnBuiltInDriver(Lab lab) {
        compare(lab, "batch", stack -> {
            Observations ledger = stack.observe();
            stack.deploy(read("batch-jobs"));
            List<String> jobs = stack.outcomes("job");
            List<String> sweeps = stack.outcomes("sweep");
            assertThat(jobs).as("jobs").isNotEmpty().containsOnly("Complete");
            assertThat(sweeps).as("sweeps").isNotEmpty().containsOnly("Complete");
            return List.of(ledger, new Observations(Set.of("jobs: " + jobs, "sweeps: " + sweeps), Set.of()));
        });
    }

    /** It starts alone, and the plugin has served another service before: otherwise an emulated host takes seconds for the same work. */
    @Test
    @Tag("stacks")
    void taskReachesItsOwnServiceFromItsFirstMoment(Lab lab) {
        String file = read("early");
        for (String driver : List.of("overlay", Product.DRIVER)) {
            try (Stack stack = Stack.deploy(lab, "early", file.replace(BUILT_IN, "driver: " + driver))) {
                if (driver.equals(Product.DRIVER)) {
                    awaitOtherService(lab);
                }
                stack.update("early", "--replicas 1");
                Task task = lab.swarm().task("early_early", "early_net", lab.swarm().manager());
                String failures = Await.value("the task's answer to itself", CHANGE, () ->
                        Optional.of(task.exec("cat /failures", COMMAND).out()).filter(text -> text.endsWith("end\n")));
                System.out.printf("lab: failures of a task that asks its own service, %s: %s", driver, failures);
                if (driver.equals(Product.DRIVER)) {
                    assertThat(failures).isEqualTo("end\n");
                }
            }
        }
    }

    private static void awaitOtherService(Lab lab) {
        Await.until("the other service in the status", CHANGE, () -> Product.status(lab.swarm().manager())
                .filter(status -> status.path("services").findValuesAsText("name").contains("early_other")).isPresent());
    }

    /** Each service is updated twice: to have both networks, then to have the plugin's alone. The plugin has served another before. */
    @Test
    @Tag("stacks")
    void stackThatMovesToPluginFailsNoRequest(Lab lab) {
        try (Stack _ = Stack.deploy(lab, "early", onPlugin(read("early")))) {
            awaitOtherService(lab);
        }
        String before = read("moving");
        Capture capture = lab.wire().capture("moving");
        List<Integer> encrypted;
        try (Stack stack = Stack.deploy(lab, "moving", before)) {
            encrypted = move(lab, stack, before);
        }
        capture.stop();
        assertThat(encrypted).as("networks that encrypt, the built-in driver's and the plugin's").hasSize(2);
        assertNothingInClear("the stack that moves", capture, encrypted);
    }

    /** Returns the VNIs of the encrypted networks. */
    private static List<Integer> move(Lab lab, Stack stack, String before) {
        String ask = "while [ ! -e /run/moved ]; do sleep 0.2; exec 3<>/dev/tcp/%s/8000 && read -t 20 answer <&3 && echo \"$answer\" || echo failed; done";
        List<Guest.Spawned> loads = lab.guests().stream().map(guest -> guest.spawn(ask.formatted(guest.address()), LOAD)).toList();
        stack.deploy(onPlugin(before));
        assertThat(stack.drivers()).as("drivers after the line was changed in place").containsOnly("overlay");
        String added = "\n  new:\n    driver: %s\n    driver_opts: {encrypted: \"\"}\n".formatted(Product.DRIVER);
        String both = before.replace("[old]", "[old, new]") + added;
        stack.deploy(both);
        List<Integer> encrypted = stack.encryptedNetworks().stream().map(lab.swarm()::vni).toList();
        stack.deploy(before.substring(0, before.indexOf("  old:")).replace("[old]", "[new]") + added);
        assertThat(lab.swarm().manager().sh("docker service inspect -f '{{len .Spec.TaskTemplate.Networks}}' moving_web moving_client").lines())
                .as("networks of each service").containsOnly("1");
        lab.guests().forEach(guest -> guest.sh("touch /run/moved"));
        for (Guest.Spawned load : loads) {
            List<String> answers = load.await().require().lines().toList();
            System.out.println("lab: " + answers.size() + " requests while the stack moved");
            assertThat(answers).hasSizeGreaterThan(100).allMatch(answer -> answer.matches("\\S+ \\S+( web=[0-9a-f]{12})+( last)?"));
        }
        return encrypted;
    }

    private static void assertNothingInClear(String of, Capture capture, List<Integer> vnis) {
        assertThat(vnis).isNotEmpty();
        assertThat(capture.count(Wire.ESP)).as("sealed packets of %s", of).isPositive();
        for (int vni : vnis) {
            assertThat(capture.count(Wire.cleartextVxlan(vni))).as("packets of %s in clear", of).isZero();
        }
    }

    /** What was observed with either driver, in the same order. */
    private record BothSides(List<Observations> theirs, List<Observations> ours) {}

    private static void compare(Lab lab, String name, Function<Stack, List<Observations>> observing) {
        assertSame(name, observe(lab, name, observing));
    }

    private static BothSides observe(Lab lab, String name, Function<Stack, List<Observations>> observing) {
        String file = read(name);
        assertThat(file).contains(BUILT_IN);
        BothSides both = new BothSides(
                observe(lab, name, file, "overlay", observing),
                observe(lab, name, onPlugin(file), Product.NAME, observing));
        assertWorks(lab, name, both.ours.getFirst());
        return both;
    }

    /** Two sides on which nothing works would be the same. */
    private static void assertWorks(Lab lab, String name, Observations first) {
        assertThat(first.lines()).as("%s: what its servers reach", name).noneMatch(line -> line.matches(".*: behind .*=(failed|unknown)\\b.*"));
        for (Guest guest : lab.guests()) {
            assertThat(first.lines().stream().filter(line -> line.startsWith(guest.name() + ": "))).as("%s: published ports on %s", name, guest)
                    .noneMatch(line -> line.contains("[!"));
        }
        if (first.lines().stream().anyMatch(line -> line.contains(" to vip of "))) {
            assertThat(first.clients()).as("%s: clients that servers see at VIPs", name).anyMatch(line -> line.contains(" to vip of "));
        }
    }

    private static void assertSame(String name, BothSides both) {
        for (int n = 0; n < both.theirs.size(); n++) {
            Observations ours = both.ours.get(n);
            assertThat(ours.lines()).as("%s, observation %d", name, n + 1)
                    .containsExactlyInAnyOrderElementsOf(both.theirs.get(n).lines());
            // This is what differs, and should: the built-in driver shows its balancer.
            assertThat(ours.clients()).as("the clients that servers see").allMatch(line -> OWN_ADDRESS.matcher(line).matches());
            assertThat(both.theirs.get(n).clients().stream().filter(line -> line.contains(" to vip of "))).as("the clients that servers see at VIPs")
                    .noneMatch(line -> OWN_ADDRESS.matcher(line).matches());
        }
    }

    private static List<Observations> observe(
            Lab lab, String name, String text, String driver, Function<Stack, List<Observations>> observing) {
        Capture capture = lab.wire().capture(name + "-" + driver);
        List<Observations> all;
        List<Integer> encrypted;
        try (Stack stack = Stack.deploy(lab, name, text)) {
            all = observing.apply(stack);
            encrypted = stack.encryptedNetworks().stream().map(lab.swarm()::vni).toList();
        }
        assertThat(encrypted).as("encrypted networks of %s", name).hasSize(text.split("encrypted:", -1).length - 1);
        keep(name + "-" + driver, all);
        capture.stop();
        assertNothingInClear(driver, capture, encrypted);
        return all;
    }

    /** Writes observations where a person may compare them. */
    private static void keep(String name, List<Observations> all) {
        try {
            Path folder = Files.createDirectories(Lab.home().resolve("target/stacks"));
            List<String> lines = new ArrayList<>();
            for (Observations one : all) {
                lines.addAll(one.lines());
                lines.addAll(one.clients());
                lines.add("");
            }
            Files.write(folder.resolve(name + ".txt"), lines);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    /** Returns a stack's file with the driver's lines changed, and nothing else. */
    private static String onPlugin(String file) {
        return file.replace(BUILT_IN, "driver: " + Product.DRIVER);
    }

    private static String read(String name) {
        try (InputStream stream = StacksTest.class.getResourceAsStream("/stacks/" + name + ".yml")) {
            assertThat(stream).isNotNull();
            return new String(stream.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }
}
