package io.vxseal.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.lab.Capture;
import io.vxseal.lab.Guest;
import io.vxseal.lab.Lab;
import io.vxseal.lab.Product;
import io.vxseal.lab.Swarm;
import io.vxseal.lab.Task;
import io.vxseal.lab.Together;
import io.vxseal.lab.Wire;
import java.util.List;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;

/**
 * Swarms with other transports than one IPv4 network and VXLAN's default port: IPv6 (moby #45635), and a separate network
 * for data.
 */
@Laboratory(installed = true)
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class TransportTest {

    private static final int PORT = 4800;
    private static final int PINGS = 10;

    @Test
    @Order(1)
    void encryptsOverIpv6OnAnotherPort(Lab lab) {
        Together.each(lab.guests(), guest -> {
            Product.disable(guest);
            Product.set(guest, "VXSEAL_VXLAN_PORT", PORT);
            Product.enable(guest);
        });
        lab.swarm().moveToIpv6();
        Capture capture = lab.wire().capture("ipv6");
        lab.swarm().createNetwork("my-net", Product.DRIVER, "--opt encrypted");
        List<Task> tasks = lab.swarm().serve("web", "my-net");
        tasks.getFirst().awaitAnswer(tasks.getLast());

        assertThat(Swarm.pingAcross(tasks, PINGS)).matches(Task.Pings::allBack);
        // 20 bytes less than over IPv4, and the largest packet is not fragmented.
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

    @Test
    @Order(2)
    void sendsOverDataNetworkOnly(Lab lab) {
        lab.swarm().moveDataToVlan();
        Product.awaitTogether(lab.guests());
        Capture capture = lab.wire().capture("data");
        lab.swarm().createNetwork("sealed-net", Product.DRIVER, "--opt encrypted");
        lab.swarm().createNetwork("plain-net", Product.DRIVER);
        List<Task> sealed = lab.swarm().serve("sealed", "sealed-net");
        List<Task> plain = lab.swarm().serve("plain", "plain-net");

        for (List<Task> tasks : List.of(sealed, plain)) {
            tasks.getFirst().awaitAnswer(tasks.getLast());
            assertThat(Swarm.pingAcross(tasks, PINGS)).matches(Task.Pings::allBack);
        }

        capture.stop();
        String vxlan = "udp port " + PORT;
        assertThat(capture.count(Wire.ESP)).isZero();
        assertThat(capture.count(vxlan)).isZero();
        // tcpdump matches the rest of the filter behind the tag.
        String onVlan = "vlan %d and ".formatted(Swarm.DATA_VLAN);
        assertThat(capture.count(onVlan + Wire.ESP)).isGreaterThanOrEqualTo(PINGS * 2 * 2);
        assertThat(capture.count(onVlan + vxlan)).isGreaterThanOrEqualTo(PINGS * 2 * 2);
        assertThat(capture.count(onVlan + Wire.cleartextVxlan(PORT, lab.swarm().vni("sealed-net")))).isZero();
    }
}
