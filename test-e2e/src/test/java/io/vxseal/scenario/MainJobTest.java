package io.vxseal.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.lab.Capture;
import io.vxseal.lab.Footprint;
import io.vxseal.lab.Guest;
import io.vxseal.lab.Lab;
import io.vxseal.lab.Product;
import io.vxseal.lab.Swarm;
import io.vxseal.lab.Task;
import io.vxseal.lab.Together;
import io.vxseal.lab.Wire;
import io.vxseal.lab.Xfrm;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestMethodOrder;

/**
 * Two hosts with the plugin: their networks on the wire and in their kernels. The scenarios build on each other: a plain
 * network alone, an encrypted one beside it, then removal.
 */
@Laboratory(installed = true)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class MainJobTest {

    /** The built-in driver's mark with the plugin's own high byte. */
    private static final String MARK = "0x76d0c4e3";
    /** The built-in driver's reqid. */
    private static final long REQID = 0xd0c4e3;

    private static final int PINGS = 10;
    /** Each ping in both directions is a request and an answer. */
    private static final int PACKETS = PINGS * 2 * 2;

    private List<Task> plain;
    private List<Task> sealed;

    @Test
    @Order(1)
    void plainNetworkSendsPlainVxlan(Lab lab) {
        Capture capture = lab.wire().capture("plain");
        lab.swarm().createNetwork("plain-net", Product.DRIVER);
        plain = lab.swarm().serve("plain", "plain-net");

        plain.getFirst().awaitAnswer(plain.getLast());
        assertThat(Swarm.pingAcross(plain, PINGS)).matches(Task.Pings::allBack);

        capture.stop();
        assertThat(capture.count(Wire.cleartextVxlan(lab.swarm().vni("plain-net")))).isGreaterThanOrEqualTo(PACKETS);
        assertThat(capture.count(Wire.ESP)).isZero();
        assertThat(plain).extracting(Task::mtu).containsOnly(1450);
    }

    @Test
    @Order(2)
    void encryptedNetworkBesideItSendsOnlyEsp(Lab lab) {
        Capture capture = lab.wire().capture("both");
        lab.swarm().createNetwork("my-net", Product.DRIVER, "--opt encrypted");
        sealed = lab.swarm().serve("web", "my-net");

        sealed.getFirst().awaitAnswer(sealed.getLast());
        assertThat(Swarm.pingAcross(sealed, PINGS)).matches(Task.Pings::allBack);
        assertThat(Swarm.pingAcross(plain, PINGS)).matches(Task.Pings::allBack);

        capture.stop();
        int plainVni = lab.swarm().vni("plain-net");
        assertThat(capture.count(Wire.ESP)).isGreaterThanOrEqualTo(PACKETS);
        assertThat(capture.count(Wire.cleartextVxlan(plainVni))).isGreaterThanOrEqualTo(PACKETS);
        assertThat(capture.count(Wire.CLEARTEXT_VXLAN)).as("in clear, of whatever network")
                .isEqualTo(capture.count(Wire.cleartextVxlan(plainVni)));
        assertThat(sealed).extracting(Task::mtu).containsOnly(1424);
        assertSpisOnTheWireAreThoseOfTheKernel(lab, capture);
    }

    private static void assertSpisOnTheWireAreThoseOfTheKernel(Lab lab, Capture capture) {
        for (Guest from : lab.guests()) {
            for (Guest to : lab.guests()) {
                if (from != to) {
                    assertThat(capture.spis(from, to)).isNotEmpty()
                            .isSubsetOf(Xfrm.of(from).states(from, to).stream().map(Xfrm.State::spi).toList())
                            .isSubsetOf(Xfrm.of(to).states(from, to).stream().map(Xfrm.State::spi).toList());
                }
            }
        }
    }

    @Test
    @Order(3)
    void kernelHoldsFourStatesAndOnePolicyPerPeer(Lab lab) {
        for (Guest here : lab.guests()) {
            Guest there = lab.guests().stream().filter(guest -> guest != here).findFirst().orElseThrow();
            Xfrm xfrm = Xfrm.of(here);

            assertThat(xfrm.states(there, here)).as("reverse states on " + here).hasSize(3);
            assertThat(xfrm.states(here, there)).as("forward states on " + here).hasSize(1);
            assertThat(xfrm.states()).as("states on " + here).hasSize(4)
                    .extracting(Xfrm.State::reqid).containsOnly(REQID);
            assertThat(xfrm.policies(here, there)).as("policies on " + here).singleElement().extracting(Xfrm.Policy::text).asString()
                    .contains("proto udp dport 4789", "dir out", "mark " + MARK + "/0xffffffff", "mode transport", "reqid " + REQID,
                            "spi 0x" + xfrm.states(here, there).getFirst().spi());
        }
    }

    @Test
    @Order(4)
    void encryptedNetworkAloneSendsNothingInClear(Lab lab) {
        lab.swarm().removeService("plain");
        lab.swarm().removeNetwork("plain-net");
        Capture capture = lab.wire().capture("encrypted");

        assertThat(Swarm.pingAcross(sealed, PINGS)).matches(Task.Pings::allBack);

        capture.stop();
        assertThat(capture.count(Wire.ESP)).isGreaterThanOrEqualTo(PACKETS);
        assertThat(capture.count(Wire.CLEARTEXT_VXLAN)).isZero();
    }

    /** CVE-2023-28841: without its marking rule the built-in driver sends in clear. */
    @Test
    @Order(5)
    void eachBarrierAloneSendsNothingInClear(Lab lab) {
        Capture capture = lab.wire().capture("robbed");
        Product.signal(lab.guests(), "STOP");

        lab.guests().forEach(guest -> guest.sh("ip xfrm policy flush"));
        assertThat(Swarm.pingAcross(sealed, 3)).matches(pings -> pings.received() == 0);
        Product.signal(lab.guests(), "CONT");
        sealed.getFirst().awaitAnswer(sealed.getLast());

        Product.signal(lab.guests(), "STOP");
        lab.guests().forEach(guest -> guest.sh("iptables -t mangle -F OUTPUT; iptables -F OUTPUT; iptables -F INPUT"));
        assertThat(Swarm.pingAcross(sealed, 3)).matches(Task.Pings::allBack);
        Product.signal(lab.guests(), "CONT");

        capture.stop();
        assertThat(capture.count(Wire.ESP)).isPositive();
        assertThat(capture.count(Wire.CLEARTEXT_VXLAN)).isZero();
    }

    @Test
    @Order(6)
    void leavesNothingBehind(Lab lab) {
        lab.swarm().removeService("web");
        lab.swarm().removeNetwork("my-net");
        Together.each(lab.guests(), Product::uninstall);

        for (Guest guest : lab.guests()) {
            Footprint.awaitAsBefore(guest, Footprint.beforeInstallation(guest), Duration.ofSeconds(60));
        }
    }
}
