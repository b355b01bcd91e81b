package io.vxseal.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.lab.Capture;
import io.vxseal.lab.Guest;
import io.vxseal.lab.Lab;
import io.vxseal.lab.Product;
import io.vxseal.lab.Swarm;
import io.vxseal.lab.Task;
import io.vxseal.lab.Together;
import java.util.List;
import org.junit.jupiter.api.Test;

/** A swarm whose nodes know each other by IPv6 addresses, with VXLAN on a port of its own (moby #45635). */
@Laboratory(installed = true)
class Ipv6TransportTest {

    private static final int PORT = 4800;
    private static final int PINGS = 10;

    @Test
    void theMainJobOverIpv6AndAnotherPort(Lab lab) {
        Together.each(lab.guests(), guest -> {
            Product.disable(guest);
            guest.sh("docker plugin set %s VXSEAL_VXLAN_PORT=%d".formatted(Product.NAME, PORT));
            Product.enable(guest);
        });
        lab.swarm().moveToIpv6();
        Capture capture = lab.wire().capture("ipv6");
        lab.swarm().createNetwork("my-net", Product.DRIVER, "--opt encrypted");
        List<Task> tasks = lab.swarm().serve("web", "my-net");
        tasks.getFirst().awaitAnswer(tasks.getLast());

        assertThat(Swarm.pingAcross(tasks, PINGS)).matches(Task.Pings::allBack);
        // 20 octets less than over IPv4, and the largest packet crosses whole.
        assertThat(tasks).extracting(Task::mtu).containsOnly(1404);
        assertThat(tasks.getFirst().pingWhole(tasks.getLast(), 1404)).matches(Task.Pings::allBack);

        capture.stop();
        assertThat(capture.count("ip6 proto 50")).isGreaterThanOrEqualTo(PINGS * 2 * 2);
        assertThat(capture.count("ip6 proto 44")).as("fragments").isZero();
        assertThat(capture.count("udp port " + PORT)).as("in clear").isZero();
        assertThat(capture.count("udp port 4789")).isZero();
        for (Guest guest : lab.guests()) {
            assertThat(guest.sh("ip xfrm policy")).contains("src " + guest.address6() + "/128", "dport " + PORT)
                    .contains("src ::/0 dst ::/0", "action block");
            assertThat(guest.sh("ip6tables-save -t mangle")).contains("--dport " + PORT);
        }
    }
}
