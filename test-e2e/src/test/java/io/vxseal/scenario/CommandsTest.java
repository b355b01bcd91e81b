package io.vxseal.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.vxseal.lab.Await;
import io.vxseal.lab.Dropped;
import io.vxseal.lab.Guest;
import io.vxseal.lab.Lab;
import io.vxseal.lab.Outcome;
import io.vxseal.lab.Product;
import io.vxseal.lab.Task;
import io.vxseal.lab.Together;
import io.vxseal.lab.Xfrm;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestMethodOrder;

/** The operator's commands about the whole swarm, on two hosts whose kernels seal what they send each other. */
@Laboratory(installed = true)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class CommandsTest {
    private static final Duration COMMAND = Duration.ofSeconds(90);

    /** Within which a fault is found. */
    private static final Duration FOUND = Duration.ofSeconds(30);

    private Guest manager;
    private Guest worker;
    private Task onManager;
    private Task onWorker;

    @BeforeAll
    void seal(Lab lab) {
        manager = lab.guest(1);
        worker = lab.guest(2);
        Product.awaitTogether(lab.guests());
        lab.swarm().createNetwork("my-net", Product.DRIVER, "--opt encrypted");
        List<Task> tasks = lab.swarm().serve("web", "my-net");
        onManager = tasks.getFirst();
        onWorker = tasks.getLast();
        onManager.awaitAnswer(onWorker);
        Product.awaitTogether(lab.guests());
    }

    @Test
    @Order(1)
    void statusOfSwarmHasBothHostsOnEach(Lab lab) {
        for (Guest guest : lab.guests()) {
            JsonNode swarm = guest.run("vxseal status --swarm --json", COMMAND).json();
            assertThat(swarm.path("silent")).as(swarm.toString()).isEmpty();
            assertThat(swarm.path("nodes").findValuesAsText("address")).containsExactlyInAnyOrder(manager.address(), worker.address());
            assertThat(swarm.path("nodes").findValuesAsText("role")).containsExactlyInAnyOrder("manager", "worker");
            assertThat(swarm.path("nodes").findValuesAsText("ring").stream().distinct()).as("versions of the ring").hasSize(1);
        }
    }

    @Test
    @Order(2)
    void checkOfSwarmPassesSealedAndNamesTheHostThatDropsEsp() {
        Outcome passes = manager.run("vxseal check --swarm", COMMAND);
        assertThat(passes.require()).contains("2 nodes, 2 paths pass, none does not");
        try (Task.Flood flood = onWorker.flood(onManager, 5, 600); Dropped esp = Dropped.on(manager, "-p esp")) {
            // Before the check, whose own packets come from the other node.
            Await.until("the worker to find that nothing comes back", FOUND, () -> Product.status(worker).orElseThrow()
                    .path("conditions").findValuesAsText("kind").equals(List.of("path_silent")));
            assertThat(flood.isRunning()).isTrue();
            Outcome blocked = manager.run("vxseal check --swarm", COMMAND);
            assertThat(blocked.exit()).as(blocked.toString()).isEqualTo(1);
            assertThat(blocked.out()).contains("X", "ESP").doesNotContain("2 paths pass");
        }
    }

    /** The first line says that the connection stands, so that the damage comes after it. */
    @Test
    @Order(3)
    void eventsFollowsRepairOfTheKernelsStates() {
        Guest.Spawned follower = worker.spawn("vxseal events --json --last 1 > /run/events.json", Duration.ofMinutes(3));
        Await.until("the latest event", COMMAND, () -> worker.run("test -s /run/events.json", COMMAND).ok());
        worker.sh("ip xfrm state flush");
        Await.until("the repair among the events", COMMAND, () -> worker.run("grep -q '\"kind\":\"repaired\"' /run/events.json", COMMAND).ok());
        follower.interrupt();
        assertThat(worker.sh("vxseal events --no-follow").lines()).anyMatch(line -> line.contains("  repaired  "));
        Await.until("the states to be back", COMMAND, () -> !Xfrm.of(worker).states(worker, manager).isEmpty());
    }

    @Test
    @Order(4)
    void supportArchiveHasNeitherKeysOfTheKernelNorOfTheNode(Lab lab) {
        Together.each(lab.guests(), guest -> {
            // A key of 128 bits and the salt, which ip prints as 40 hexadecimal digits; the key alone is secret, too.
            guest.sh("ip xfrm state | grep -o '0x[0-9a-f]\\{40\\}' | cut -c 3-34 | sort -u > /run/secrets.txt");
            assertThat(guest.sh("cat /run/secrets.txt").lines()).as("keys in the kernel").hasSize(3);
            guest.sh("grep -v -e '-----' -e ':' /var/lib/docker/swarm/certificates/swarm-node.key | grep . >> /run/secrets.txt");
            guest.run("rm -f /run/support.zip; vxseal support --output /run/support.zip", COMMAND).require();
            guest.sh("busybox unzip -p /run/support.zip > /run/support.txt");
            assertThat(guest.sh("cat /run/support.txt")).contains("proto esp", "vxseal_ring_keys 3.0");
            assertThat(guest.sh("grep -a -c -i -F -f /run/secrets.txt /run/support.txt || true")).isEqualTo("0");
            assertThat(guest.sh("head -n 1 /run/secrets.txt >> /run/support.txt; grep -a -c -i -F -f /run/secrets.txt /run/support.txt"))
                    .as("what the search finds if there is one").isEqualTo("1");
        });
    }

    /** The one that support is asked for. What the engine knows of it is in the archive, though it has no socket. */
    @Test
    @Order(5)
    void supportArchiveHasSettingsOfPluginThatDoesNotStart() {
        Product.disableByForce(worker);
        Product.set(worker, "VXSEAL_KEY_ROTATION", "often");
        Product.set(worker, "VXSEAL_VXLAN_PORT", "4800");
        try {
            worker.run("rm -f /run/support.zip; vxseal support --output /run/support.zip", COMMAND).require();
            assertThat(worker.sh("busybox unzip -p /run/support.zip status.txt")).contains("no socket of the plugin found");
            assertThat(worker.sh("busybox unzip -p /run/support.zip plugin.txt")).contains("VXSEAL_KEY_ROTATION=often");
            assertThat(worker.sh("busybox unzip -p /run/support.zip check.json")).contains("UDP port 4800 or TCP port 4788");
        } finally {
            Product.set(worker, "VXSEAL_KEY_ROTATION", "12h");
            Product.set(worker, "VXSEAL_VXLAN_PORT", "4789");
            Product.enable(worker);
        }
    }
}
