package io.vxseal.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.kernel.TestHost;
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
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Three managers, each in a network namespace of its own, and a bridge between them from which one is cut off. */
@Timeout(240)
class PartitionTest {
    private static final int PORT = 4788;
    private static final int ROTATION_SECONDS = 3;

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
    void onlyTheMajorityRotatesAndAllHaveOneRingWhenTheyMeetAgain() throws Exception {
        // The first of a group makes its rings: so it is the key maker that is cut off.
        Member cut = new Member(1);
        await("a group", () -> cut.latest().startsWith("= 1 "));
        Member one = new Member(2);
        Member two = new Member(3);
        List<Member> all = List.of(cut, one, two);
        await("one group", () -> all.stream().allMatch(member -> member.latest().startsWith("= 3 ")));
        await("one ring", () -> haveOneRing(all));
        long version = cut.version();
        await("rotation", () -> haveOneRing(all) && cut.version() > version);
        await("endpoints", () -> all.stream().allMatch(member -> member.reachable().size() == 2));

        wire.run("ip link set port-1 down");
        await("two halves", () -> cut.latest().startsWith("= 1 ")
                && Stream.of(one, two).allMatch(member -> member.latest().startsWith("= 2 ")));
        String alone = cut.latest();
        long apart = Math.max(one.version(), two.version());
        await("the majority rotates on", () -> haveOneRing(List.of(one, two)) && one.version() >= apart + 3);
        assertThat(cut.latest()).as("the minority does not").isEqualTo(alone);
        await("endpoints beyond the cut are given up",
                () -> cut.reachable().isEmpty() && one.reachable().equals(Set.of("10.66.0.3")));

        long before = one.version();
        wire.run("ip link set port-1 up");
        await("one group again", () -> all.stream().allMatch(member -> member.latest().startsWith("= 3 ")));
        await("one ring again, and the majority's", () -> haveOneRing(all) && cut.version() >= before);
        await("endpoints again", () -> all.stream().allMatch(member -> member.reachable().size() == 2));
        long healed = cut.version();
        await("rotation again", () -> haveOneRing(all) && cut.version() > healed);
        assertThat(one.lines).as("the two never lost each other").doesNotContain("- 10.66.0.3");
        assertThat(two.lines).doesNotContain("- 10.66.0.2");
    }

    /** Three managers that know of each other from the engine's list alone, as in a swarm that was there before. */
    private final class Member implements AutoCloseable {
        /** Everything but what it says over and over, of which only the last counts. */
        final List<String> lines = new CopyOnWriteArrayList<>();

        private final Process process;
        private volatile String latest = "";

        Member(int number) throws Exception {
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
            List<String> command = new ArrayList<>(host.prefix());
            command.addAll(List.of(
                    Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-Xmx128m", "-cp",
                    System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
                    MemberProcess.class.getName(),
                    swarm.node("node-" + number, Role.MANAGER).toString(), managers.toString(),
                    temp.resolve("ring-" + number).toString(), Integer.toString(PORT),
                    Integer.toString(ROTATION_SECONDS), address));
            process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
            opened(this);
            Thread.ofVirtual().start(this::listen);
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

        /** All but the number of members. */
        String ring() {
            return latest.replaceFirst("^= \\d+ ", "");
        }

        long version() {
            return Long.parseLong(ring().replaceFirst(" .*", ""));
        }

        /** Others' endpoints that it knows. */
        Set<String> reachable() {
            Set<String> known = new LinkedHashSet<>();
            for (String line : lines) {
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

    private static boolean haveOneRing(List<Member> members) {
        return members.stream().map(Member::ring).distinct().count() == 1;
    }

    private <T extends AutoCloseable> T opened(T closeable) {
        open.add(closeable);
        return closeable;
    }

    private static void await(String what, BooleanSupplier condition) throws InterruptedException {
        long deadline = System.nanoTime() + Duration.ofSeconds(90).toNanos();
        while (!condition.getAsBoolean()) {
            assertThat(System.nanoTime()).as(what).isLessThan(deadline);
            Thread.sleep(20);
        }
    }
}
