package io.vxseal.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.lab.Capture;
import io.vxseal.lab.Guest;
import io.vxseal.lab.Lab;
import io.vxseal.lab.PingsBothWays;
import io.vxseal.lab.Product;
import io.vxseal.lab.Swarm;
import io.vxseal.lab.Task;
import io.vxseal.lab.Together;
import io.vxseal.lab.Wire;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestMethodOrder;

/** The migration of a swarm from the built-in driver's encrypted network; then the restart of a host, and changes of the leader. */
@Tag("soak")
@Laboratory(installed = true)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class MigrationTest {

    private static final int PER_SECOND = 20;
    /** The first VNI of the plugin; the built-in driver counts from 4097 and never reaches it. */
    private static final int FIRST_VNI = 1 << 23;

    private List<Task> theirs;
    private List<Task> ours;

    @BeforeAll
    void serveTheirs(Lab lab) {
        lab.swarm().createNetwork("theirs", "overlay", "--opt encrypted");
        lab.swarm().startEverywhere("their-web", "theirs");
        theirs = Together.map(lab.guests(), guest -> lab.swarm().task("their-web", "theirs", guest));
        theirs.get(0).awaitAnswer(theirs.get(1));
        Product.awaitTogether(lab.guests());
    }

    @Test
    @Order(1)
    void startsBesideBuiltInNetworkWithoutOptions(Lab lab) {
        lab.swarm().createNetwork("ours", Product.DRIVER, "--opt encrypted");
        assertThat(lab.swarm().vni("ours")).isGreaterThanOrEqualTo(FIRST_VNI).isNotEqualTo(lab.swarm().vni("theirs"));

        ours = lab.swarm().serve("our-web", "ours");

        ours.get(0).awaitAnswer(ours.get(1));
        assertThat(Swarm.pingAcross(ours, 3)).matches(Task.Pings::allBack);
        assertThat(Swarm.pingAcross(theirs, 3)).matches(Task.Pings::allBack);
    }

    /** The built-in driver's states and policies between the same hosts are removed, or left behind by an old engine. */
    @Test
    @Order(2)
    void losesNoPingWhenBuiltInNetworkGoes(Lab lab) {
        Capture capture = lab.wire().capture("migration");
        try (PingsBothWays pings = PingsBothWays.start(ours, PER_SECOND, Duration.ofMinutes(15))) {
            lab.swarm().removeService("their-web");
            lab.swarm().removeNetwork("theirs");
            System.out.printf("%d pings while the built-in network went, all back%n", pings.stopWithoutLoss());
        }
        capture.stop();
        assertThat(capture.count(Wire.ESP)).isPositive();
        assertThat(capture.count(Wire.cleartextVxlan(lab.swarm().vni("ours")))).as("in clear").isZero();
    }

    @Test
    @Order(3)
    void restartedHostServesAgain(Lab lab) {
        Capture capture = lab.wire().capture("restart");
        Guest restarted = lab.guest(2);

        restarted.unplug();
        restarted.boot();
        Product.awaitTogether(lab.guests());
        lab.swarm().task("our-web", "ours", restarted).awaitAnswer(ours.getFirst());

        capture.stop();
        assertThat(capture.count(Wire.ESP)).isPositive();
        assertThat(capture.count(Wire.cleartextVxlan(lab.swarm().vni("ours")))).as("in clear").isZero();
    }

    /** A VNI that one leader assigned is freed by another, and the first learns of new ones when it leads again. */
    @Test
    @Order(4)
    void startsTasksWhicheverManagerLeads(Lab lab) {
        Swarm swarm = lab.swarm();
        swarm.createNetwork("net-0", Product.DRIVER, "--opt encrypted");
        swarm.serveOn(lab.guest(2), "before-0", "net-0");
        List<Guest> leaders = List.of(lab.guest(2), lab.guest(1));
        for (int turn = 1; turn <= leaders.size(); turn++) {
            swarm = swarm.handOver(leaders.get(turn - 1));
            String last = "net-" + (turn - 1);
            String next = "net-" + turn;

            swarm.serveOn(lab.guest(1), "after-" + (turn - 1), last);
            swarm.removeService("before-" + (turn - 1));
            swarm.removeService("after-" + (turn - 1));
            swarm.removeNetwork(last);
            swarm.createNetwork(next, Product.DRIVER, "--opt encrypted");
            swarm.serveOn(lab.guest(2), "before-" + turn, next);
        }
        List<Task> everywhere = swarm.serve("at-last", "net-" + leaders.size());
        everywhere.get(0).awaitAnswer(everywhere.get(1));
    }
}
