package io.vxseal.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.kernel.TestHost;
import io.vxseal.swarm.Role;
import io.vxseal.swarm.TestSwarm;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.BooleanSupplier;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Three managers, each a process in a network namespace of its own, and a bridge between them from which one is cut off;
 * or one of them is killed.
 */
@Timeout(600)
class PartitionTest {
    private static final int PORT = 4788;
    private static final int ROTATION_SECONDS = 3;
    /** A process on a loaded machine may take longer to return than the product waits. */
    private static final Duration LONG = Duration.ofMinutes(10);
    /** Set by {@code -Dvxseal.kills=20}. */
    private static final int KILLS = Integer.getInteger("vxseal.kills", 5);

    @TempDir
    private Path temp;

    private final List<AutoCloseable> open = new ArrayList<>();
    private TestHost wire;
    private TestSwarm swarm;

    @BeforeEach
    void wire() throws Exception {
        swarm = TestSwarm.make(Files.createDirectories(temp.resolve("swarm")), "swarmswarmswarmswarmswarm");
        wire = opened(new TestHost(temp.resolve("wire")));
        wire.run("ip link add between type bridge");
        wire.run("ip link set between up");
    }

    @AfterEach
    void closeAll() throws Exception {
        for (AutoCloseable closeable : open.reversed()) {
            closeable.close();
        }
    }

    @Test
    void onlyMajorityRotatesAndAllHaveOneRingAfterwards() throws Exception {
        List<Member> all = members(ClusterProcess.RETENTION.silent());
        // The first of a group makes its rings: so it is the key maker that is cut off.
        Member cut = all.get(0);
        Member one = all.get(1);
        Member two = all.get(2);

        wire.run("ip link set port-1 down");
        long cutAt = System.nanoTime();
        await("two halves", () -> cut.latest().startsWith("= 1 ")
                && Stream.of(one, two).allMatch(member -> member.latest().startsWith("= 2 ")));
        String alone = cut.latest();
        long apart = Math.max(one.version(), two.version());
        await("endpoints beyond the cut are given up",
                () -> cut.reachable().isEmpty() && one.reachable().equals(Set.of("10.66.0.3")));
        System.out.printf("measured: endpoints beyond the cut were given up within %.1f s%n", secondsSince(cutAt));
        await("the majority rotates on", () -> haveOneRing(List.of(one, two)) && one.version() >= apart + 3);
        assertThat(cut.latest()).as("the minority does not").isEqualTo(alone);

        long before = one.version();
        List<Integer> kept = cut.primaries();
        wire.run("ip link set port-1 up");
        long healedAt = System.nanoTime();
        await("one group again", () -> all.stream().allMatch(member -> member.latest().startsWith("= 3 ")));
        await("one ring again, and the majority's", () -> haveOneRing(all) && cut.version() >= before);
        await("endpoints again", () -> all.stream().allMatch(member -> member.reachable().size() == 2));
        System.out.printf("measured: one group, one ring and all endpoints within %.1f s of the heal%n", secondsSince(healedAt));
        // Those that were told before the cut was noticed may yet arrive, one after the other.
        List<Integer> caughtUp = cut.primaries().subList(kept.size() - 1, cut.primaries().size());
        assertThat(IntStream.range(1, caughtUp.size()).map(n -> caughtUp.get(n) - caughtUp.get(n - 1)))
                .as("several rotations in one step").anyMatch(step -> step > 1);
        long healed = cut.version();
        await("rotation again", () -> haveOneRing(all) && cut.version() > healed);
        assertThat(one.lines).as("the two never lost each other").doesNotContain("- 10.66.0.3");
        assertThat(two.lines).doesNotContain("- 10.66.0.2");
    }

    /** As with {@code kill -9} at random moments, while keys are rotated every three seconds. */
    @Test
    void killedMemberIsBackWithTheRingAndStaysKnown() throws Exception {
        List<Member> all = members(LONG);
        // Until they met, each may have had a ring of its own.
        all.forEach(member -> member.lines.removeIf(line -> line.startsWith("*")));
        Random random = new Random();
        for (int n = 0; n < KILLS; n++) {
            Thread.sleep(random.nextInt(ROTATION_SECONDS * 1000));
            Member victim = all.get(random.nextInt(all.size()));
            String before = victim.latest();
            victim.kill();
            victim.start();
            long version = version(before);
            await("back, and the keys rotate on", () -> all.stream().allMatch(member -> member.latest().startsWith("= 3 "))
                    && haveOneRing(all) && victim.version() > version);
            await("endpoints", () -> all.stream().allMatch(member -> member.reachable().size() == 2));
            assertThat(all).as("nobody was missed").allSatisfy(member ->
                    assertThat(member.lines).noneMatch(line -> line.startsWith("-")));
            assertThat(all).as("tags only grow").allSatisfy(member -> assertThat(member.primaries()).isSorted());
        }
    }

    /** Returns three members that know each other; the first one makes the rings, and has rotated once. */
    private List<Member> members(Duration silent) throws Exception {
        Member first = new Member(1, silent);
        await("a group", () -> first.latest().startsWith("= 1 "));
        List<Member> all = List.of(first, new Member(2, silent), new Member(3, silent));
        await("one group", () -> all.stream().allMatch(member -> member.latest().startsWith("= 3 ")));
        await("one ring", () -> haveOneRing(all));
        long version = first.version();
        await("rotation", () -> haveOneRing(all) && first.version() > version);
        await("endpoints", () -> all.stream().allMatch(member -> member.reachable().size() == 2));
        return all;
    }

    /** Three managers that know each other from the engine's list alone, as in a swarm that is older than the plugin. */
    private final class Member implements AutoCloseable {
        /** All lines except the periodic ones, of which only the last counts. */
        final List<String> lines = new CopyOnWriteArrayList<>();

        private final List<String> command;
        private Process process;
        private Thread listener;
        private volatile String latest = "";

        Member(int number, Duration silent) throws Exception {
            String address = "10.66.0." + number;
            Path pin = temp.resolve("host-" + number);
            TestHost host = opened(new TestHost(pin));
            wire.run("ip link add port-" + number + " type veth peer name eth0 netns " + pin);
            wire.run("ip link set port-" + number + " master between up");
            host.run("ip link set eth0 up");
            host.run("ip address add " + address + "/24 dev eth0");
            Path managers = temp.resolve("state-" + number + ".json");
            Files.writeString(managers, """
                    [{"node_id":"node-1","addr":"10.66.0.1:2377"},{"node_id":"node-2","addr":"10.66.0.2:2377"},
                     {"node_id":"node-3","addr":"10.66.0.3:2377"}]""");
            command = new ArrayList<>(host.prefix());
            command.addAll(List.of(
                    Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-Xmx128m", "-cp",
                    System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
                    MemberProcess.class.getName(),
                    swarm.node("node-" + number, Role.MANAGER).toString(), managers.toString(),
                    temp.resolve("ring-" + number).toString(), Integer.toString(PORT),
                    Integer.toString(ROTATION_SECONDS), address, Long.toString(silent.toSeconds())));
            opened(this);
            start();
        }

        void start() throws IOException {
            process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
            listener = Thread.ofVirtual().start(this::listen);
        }

        /** Kills the process; its output is kept. */
        void kill() throws InterruptedException {
            process.destroyForcibly().waitFor();
            listener.join();
            lines.clear();
            latest = "";
        }

        private void listen() {
            try (BufferedReader said =
                    new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
                for (String line = said.readLine(); line != null; line = said.readLine()) {
                    if (line.startsWith("=")) {
                        latest = line;
                    } else {
                        lines.add(line);
                    }
                }
            } catch (IOException ended) {
                // So has what it says.
            }
        }

        String latest() {
            return latest;
        }

        /** Returns the ring that it last reported, without the number of members. */
        String ring() {
            return latest.replaceFirst("^= \\d+ ", "");
        }

        long version() {
            return PartitionTest.version(latest);
        }

        /** Returns the tags of the keys that it sent with, in order. */
        List<Integer> primaries() {
            return lines.stream().filter(line -> line.startsWith("*"))
                    .map(line -> Integer.valueOf(line.replaceAll("^\\* \\[(\\d+).*", "$1"))).toList();
        }

        /** Returns the endpoints of others that it knows. */
        Set<String> reachable() {
            Set<String> known = new LinkedHashSet<>();
            for (String line : lines) {
                if (line.startsWith("*")) {
                    continue;
                }
                String endpoint = line.substring(2);
                if (line.startsWith("+") ? !known.add(endpoint) : !known.remove(endpoint)) {
                    throw new AssertionError("told twice: " + lines);
                }
            }
            return known;
        }

        @Override
        public void close() throws Exception {
            process.destroyForcibly().waitFor();
        }
    }

    /** Returns the reported number; 0 if none was reported. */
    private static long version(String latest) {
        return latest.isEmpty() ? 0 : Long.parseLong(latest.split(" ")[2]);
    }

    private static double secondsSince(long nanos) {
        return (System.nanoTime() - nanos) / 1e9;
    }

    private static boolean haveOneRing(List<Member> members) {
        return members.stream().map(Member::ring).distinct().count() == 1;
    }

    private <T extends AutoCloseable> T opened(T closeable) {
        open.add(closeable);
        return closeable;
    }

    private static void await(String what, BooleanSupplier condition) {
        Awaitility.await(what).atMost(Duration.ofSeconds(90)).pollInterval(Duration.ofMillis(20)).pollInSameThread()
                .until(condition::getAsBoolean);
    }
}
