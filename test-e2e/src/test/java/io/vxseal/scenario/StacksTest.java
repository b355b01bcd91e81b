package io.vxseal.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.lab.Capture;
import io.vxseal.lab.Guest;
import io.vxseal.lab.Lab;
import io.vxseal.lab.Observations;
import io.vxseal.lab.Product;
import io.vxseal.lab.Stack;
import io.vxseal.lab.Wire;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.Function;
import java.util.regex.Pattern;
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
        compare(lab, "proxy", stack -> {
            List<Observations> all = new ArrayList<>(List.of(stack.observe()));
            for (String change : List.of("--endpoint-mode dnsrr", "--endpoint-mode vip")) {
                stack.update("blog", change);
                all.add(stack.observe());
            }
            stack.update("blog", "--replicas 0");
            all.add(stack.observe().map(StacksTest::withoutTasks));
            return all;
        });
    }

    /** Leaves out how a service without tasks fails: the plugin refuses at once, the built-in driver's address leads nowhere. */
    private static String withoutTasks(String line) {
        return line.contains("blog")
                ? line.replaceFirst("\\[!(forbidden|refused|unreachable)]$", "[!]").replaceFirst("(ping vip of blog on apps) \\w+$", "$1")
                : line;
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
            Set<String> jobs = Set.of("jobs: " + stack.outcomes("job"), "sweeps: " + stack.outcomes("sweep"));
            return List.of(ledger, new Observations(jobs, Set.of()));
        });
    }

    /** Each service is updated twice: to have both networks, then to have the plugin's alone. */
    @Test
    @Tag("stacks")
    void stackThatMovesToPluginFailsNoRequest(Lab lab) {
        String before = read("moving");
        try (Stack stack = Stack.deploy(lab, "moving", before)) {
            move(lab, stack, before);
        }
    }

    private static void move(Lab lab, Stack stack, String before) {
        String ask = "while [ ! -e /run/moved ]; do exec 3<>/dev/tcp/%s/8000 && read -t 20 answer <&3 && echo \"$answer\" || echo failed; done";
        List<Guest.Spawned> loads = lab.guests().stream().map(guest -> guest.spawn(ask.formatted(guest.address()), LOAD)).toList();
        stack.deploy(before.replace(BUILT_IN, "driver: " + Product.DRIVER));
        assertThat(stack.drivers()).as("drivers after the line was changed in place").containsOnly("overlay");
        String added = "\n  new:\n    driver: %s\n    driver_opts: {encrypted: \"\"}\n".formatted(Product.DRIVER);
        String both = before.replace("[old]", "[old, new]") + added;
        stack.deploy(both);
        stack.deploy(before.substring(0, before.indexOf("  old:")).replace("[old]", "[new]") + added);
        lab.guests().forEach(guest -> guest.sh("touch /run/moved"));
        for (Guest.Spawned load : loads) {
            List<String> answers = load.await().out().lines().toList();
            System.out.println("lab: " + answers.size() + " requests while the stack moved");
            assertThat(answers).hasSizeGreaterThan(100).allMatch(answer -> answer.matches(".* web=[0-9a-f]{12}"));
        }
    }

    private static void compare(Lab lab, String name, Function<Stack, List<Observations>> observing) {
        String file = read(name);
        assertThat(file).contains(BUILT_IN);
        List<Observations> theirs = observe(lab, name, file, "overlay", observing);
        List<Observations> ours = observe(lab, name, file.replace(BUILT_IN, "driver: " + Product.DRIVER), Product.NAME, observing);
        for (int n = 0; n < theirs.size(); n++) {
            assertThat(ours.get(n).lines()).as("%s, observation %d", name, n + 1).containsExactlyInAnyOrderElementsOf(theirs.get(n).lines());
            // This is what differs, and should: the built-in driver shows its balancer.
            assertThat(ours.get(n).clients()).as("the clients that servers see").allMatch(line -> OWN_ADDRESS.matcher(line).matches());
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
        keep(name + "-" + driver, all);
        capture.stop();
        assertThat(encrypted).isNotEmpty();
        assertThat(capture.count(Wire.ESP)).as("sealed packets of %s", driver).isPositive();
        for (int vni : encrypted) {
            assertThat(capture.count(Wire.cleartextVxlan(vni))).as("packets of %s in clear", driver).isZero();
        }
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

    private static String read(String name) {
        try (InputStream stream = StacksTest.class.getResourceAsStream("/stacks/" + name + ".yml")) {
            assertThat(stream).isNotNull();
            return new String(stream.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }
}
