package io.vxseal.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.lab.Await;
import io.vxseal.lab.Capture;
import io.vxseal.lab.Guest;
import io.vxseal.lab.Lab;
import io.vxseal.lab.Product;
import io.vxseal.lab.Task;
import io.vxseal.lab.Together;
import io.vxseal.lab.Wire;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Three managers, one of which is cut off for longer than two rotations. Slow, because it needs three emulated hosts; the
 * product's PartitionTest covers what does not need them.
 */
@Tag("soak")
@Laboratory(guests = 3, installed = true)
class SplitTest {

    private static final Duration BETWEEN_ROTATIONS = Duration.ofMinutes(1);
    private static final Duration APART = Duration.ofSeconds(150);

    @Test
    void majorityGoesOnAndCutHostRejoins(Lab lab) {
        lab.swarm().manager().sh("docker node promote node2 node3");
        Together.each(lab.guests(), guest -> {
            Product.disable(guest);
            guest.sh("docker plugin set %s VXSEAL_KEY_ROTATION=%ds".formatted(Product.NAME, BETWEEN_ROTATIONS.toSeconds()));
            Product.enable(guest);
        });
        Product.awaitTogether(lab.guests());
        lab.swarm().createNetwork("my-net", Product.DRIVER, "--opt encrypted");
        List<Task> tasks = lab.swarm().serve("web", "my-net");
        Task one = tasks.get(0);
        Task two = tasks.get(1);
        Task cut = tasks.get(2);
        for (Task to : List.of(two, cut)) {
            one.awaitAnswer(to);
            to.awaitAnswer(one);
        }
        Capture capture = lab.wire().capture("split");
        Task.Flood pings = one.flood(two, 20, 20 * 1200);
        List<Guest> together = lab.guests().subList(0, 2);

        lab.wire().cut(cut.guest());
        long start = System.nanoTime();
        long version = Product.ringVersion(one.guest());
        Await.until("two rotations while one host is cut off", Duration.ofMinutes(5), () -> Product.ringVersion(one.guest()) >= version + 2
                && System.nanoTime() - start > APART.toNanos());
        assertThat(Product.ringVersion(cut.guest())).as("one of three does not rotate").isLessThanOrEqualTo(version + 1);
        Task.Watch across = one.watch(cut);
        double mended = one.guest().clock();
        lab.wire().mend(cut.guest());
        double answered = Await.value("an answer across the mended wire", Duration.ofSeconds(60), across::first);
        across.stop();
        System.out.printf("the third answers %.1f s after its wire was mended%n", answered - mended);

        Product.awaitTogether(lab.guests());
        assertThat(pings.isRunning()).isTrue();
        Task.Pings sent = pings.stop();
        assertThat(sent.sent() - sent.received()).as("unanswered of %d pings between %s, except for the one under way",
                sent.sent(), together).isLessThanOrEqualTo(1);
        assertThat(capture.stop().count(Wire.CLEARTEXT_VXLAN)).as("in clear").isZero();
    }
}
