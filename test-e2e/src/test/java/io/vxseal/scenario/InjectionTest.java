package io.vxseal.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.lab.Await;
import io.vxseal.lab.Capture;
import io.vxseal.lab.Frame;
import io.vxseal.lab.Guest;
import io.vxseal.lab.Injection;
import io.vxseal.lab.Lab;
import io.vxseal.lab.Listener;
import io.vxseal.lab.LocalProcess;
import io.vxseal.lab.Product;
import io.vxseal.lab.Swarm;
import io.vxseal.lab.Task;
import io.vxseal.lab.Together;
import io.vxseal.lab.Vpn;
import io.vxseal.lab.Wire;
import io.vxseal.lab.Withheld;
import io.vxseal.lab.Xfrm;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestMethodOrder;

/**
 * What a stranger on the hosts' network can do to an encrypted network: nothing. The built-in driver had three holes
 * there, found in 2023; each is tried, and each time the same is done to a plain network, where it must succeed: what does
 * not get in there either would prove nothing.
 *
 * <p>The scenarios build on each other: from no endpoint to one, to two, and to kernels that lack something.
 */
@Laboratory(installed = true)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class InjectionTest {

    private static final String SEALED = "sealed-net";
    private static final String PLAIN = "plain-net";
    private static final String SEALED_SUBNET = "10.77.1.";
    private static final String PLAIN_SUBNET = "10.77.2.";

    private static final int PORT = 9999;
    /** Of no VXLAN. */
    private static final int OTHER_PORT = 4790;
    private static final String INJECTED = "udp port " + PORT;
    /** Behind Ethernet's header and an IPv4 header without options. */
    private static final int ESP_HEADER = 14 + 20;

    /** None; the built-in driver's, which was ours too; and ours. */
    private static final List<Integer> MARKS = List.of(0, 0x00d0_c4e3, 0x76d0_c4e3);
    /** Without that of our networks' frames, with which nothing that a process sends leaves. */
    private static final List<Integer> OTHER_MARKS = MARKS.subList(0, 2);
    /** Told on the wire from all others by its length. */
    private static final String LONG = "not sealed".repeat(100);
    private static final String OF_LONG = "greater 1000";
    /** But what the laboratory injects. */
    private static final String OF_HOSTS = " and not ether src " + Frame.STRANGER;

    private static final Duration SOON = Duration.ofSeconds(30);

    private int sealedVni;
    private int plainVni;
    private List<Task> plain;
    private Task alone;
    /** That one, and another on the other host. */
    private List<Task> sealed;

    @BeforeAll
    void open(Lab lab) {
        // An administrator's, from before any network is there.
        lab.guests().forEach(guest -> guest.sh("iptables -I INPUT -p udp --dport 4789 -j ACCEPT"));
        lab.swarm().createNetwork(SEALED, Product.DRIVER, "--opt encrypted", "--subnet " + SEALED_SUBNET + "0/24");
        lab.swarm().createNetwork(PLAIN, Product.DRIVER, "--subnet " + PLAIN_SUBNET + "0/24");
        sealedVni = lab.swarm().vni(SEALED);
        plainVni = lab.swarm().vni(PLAIN);
    }

    /** CVE-2023-28842: on a node without endpoints, and then on one that knows no other, cleartext came in. */
    @Test
    @Order(1)
    void nothingComesInInClearFromBeforeTheFirstEndpointOn(Lab lab) {
        Guest guest = lab.guest(1);
        List<byte[]> frames = new ArrayList<>();
        List<String> addresses = List.of("2", "3", "4");
        for (String last : addresses) {
            frames.add(clear(sealedVni, guest, lab.guest(2).address(), SEALED_SUBNET + last));
            frames.add(clear(plainVni, guest, lab.guest(2).address(), PLAIN_SUBNET + last));
        }

        try (Injection injection = lab.wire().injecting(frames, 20)) {
            injection.awaitRounds(10);
            lab.swarm().startOn(guest, "alone", SEALED, Swarm.IDLE);
            plain = lab.swarm().serve("plain", PLAIN);
            alone = lab.swarm().task("alone", SEALED, guest);
            injection.awaitRounds(100);
            Await.until("datagrams on the plain network", SOON, () -> plain.getFirst().datagrams() > 0);
        }

        assertThat(addresses).as("hosts that were aimed at")
                .contains(alone.address().replace(SEALED_SUBNET, ""), plain.getFirst().address().replace(PLAIN_SUBNET, ""));
        assertThat(alone.datagrams()).isZero();
        assertOnlyThePlainNetworkIsOpen(lab, plain.getFirst(), alone);
    }

    /** CVE-2023-28840: its rule came after those of an administrator who accepts all VXLAN. */
    @Test
    @Order(2)
    void nothingComesInInClearPastAnAdministratorsRuleFromBefore(Lab lab) {
        lab.guests().forEach(guest -> guest.sh("iptables -A INPUT -p udp --dport 4789 -j ACCEPT"));
        sealed = List.of(alone, lab.swarm().serveOn(lab.guest(2), "peer", SEALED));
        Await.until("the first answer between " + sealed, SOON, () -> Swarm.pingAcross(sealed, 1).allBack());
        Task.Flood flood = sealed.get(0).flood(sealed.get(1), 20, 200);

        for (int n = 0; n < lab.guests().size(); n++) {
            assertOnlyThePlainNetworkIsOpen(lab, plain.get(n), sealed.get(n));
        }
        assertThat(flood.await()).as("what went on meanwhile").isEqualTo(new Task.Pings(200, 200, 0));
    }

    /** CVE-2023-28840 again: who inserts a rule after ours gets above it, until ours is put back first. */
    @Test
    @Order(3)
    void nothingComesInInClearPastAnAdministratorsRuleFromAfter(Lab lab) {
        Guest guest = lab.guest(1);
        String first = "iptables -S INPUT | grep -m 1 'dport 4789'";
        Task.Flood flood = sealed.get(0).flood(sealed.get(1), 20, 300);
        guest.sh("iptables -I INPUT -p udp --dport 4789 -j ACCEPT");

        Await.until("the plugin's rule to be first again", Duration.ofSeconds(15), () -> guest.sh(first).contains("-j VXSEAL-INPUT"));

        assertOnlyThePlainNetworkIsOpen(lab, plain.getFirst(), sealed.getFirst());
        assertThat(flood.await()).as("what went on meanwhile").isEqualTo(new Task.Pings(300, 300, 0));
    }

    /**
     * CVE-2026-92542: the built-in driver marked, and so sealed, whatever had an encrypted network's VNI, and the other host
     * delivered it.
     */
    @Test
    @Order(4)
    void nothingThatAProcessSendsComesIn(Lab lab) {
        List<byte[]> datagram = List.of(inside(sealedVni, sealed.getFirst().address(), LONG));
        Capture capture = lab.wire().capture("processes");
        try (Listener listener = sealed.getFirst().listen(INJECTED)) {
            for (LocalProcess process : LocalProcess.values()) {
                System.out.printf("%s:%n%s%n", process, process.send(lab.guest(2), lab.guest(1), Wire.VXLAN_PORT, MARKS, datagram));
                process.send(lab.guest(2), lab.guest(1), OTHER_PORT, OTHER_MARKS, datagram);
            }
            sealed.getLast().send(sealed.getFirst(), PORT);
            Await.until("the datagram of the network's own container", SOON, () -> listener.count() > 0);
            assertThat(listener.count()).as("datagrams, that one included").isEqualTo(1);
        }
        capture.stop();
        assertThat(capture.count("udp port " + OTHER_PORT + " and " + OF_LONG)).as("the same to a port that is not ours")
                .isEqualTo((long) LocalProcess.values().length * OTHER_MARKS.size());
        assertThat(capture.count(Wire.ESP + " and " + OF_LONG)).as("sealed all the same").isZero();
        assertThat(capture.count(Wire.CLEARTEXT_VXLAN + " and " + OF_LONG)).as("in clear").isZero();
    }

    /** What came by IPsec came by ours, or it is a stranger's. */
    @Test
    @Order(5)
    void nothingComesInThroughAnotherVpn(Lab lab) {
        List<byte[]> datagrams = List.of(inside(sealedVni, sealed.getFirst().address(), "by another VPN"),
                inside(plainVni, plain.getFirst().address(), "by another VPN"));
        Capture capture = lab.wire().capture("vpn");
        try (Vpn vpn = Vpn.between(lab.guest(1), lab.guest(2));
                Listener inOpen = plain.getFirst().listen(INJECTED); Listener inShut = sealed.getFirst().listen(INJECTED)) {
            vpn.send(Wire.VXLAN_PORT, datagrams);
            Await.until("the datagram on the plain network", SOON, () -> inOpen.count() == 1);
            assertThat(inShut.count()).as("datagrams on the encrypted network").isZero();
        }
        assertThat(capture.stop().count(Wire.ESP + " and src host " + Vpn.PEER)).isEqualTo(datagrams.size());
    }

    /** The frames' mark and what a network's namespace asks of them hold alone. */
    @Test
    @Order(6)
    void nothingComesInOrLeavesInClearWhenRulesAreFlushedAndNobodyRepairs(Lab lab) {
        Guest guest = lab.guest(1);
        Capture capture = lab.wire().capture("flushed");
        Task.Flood flood = sealed.get(0).flood(sealed.get(1), 20, 20 * 300);
        Product.disableByForce(guest);

        guest.sh("iptables -F; iptables -t mangle -F");
        assertOnlyThePlainNetworkIsOpen(lab, plain.getFirst(), sealed.getFirst());
        guest.sh("nft flush ruleset");
        assertOnlyThePlainNetworkIsOpen(lab, plain.getFirst(), sealed.getFirst());
        Product.enable(guest);

        Product.awaitTogether(lab.guests());
        sealed.get(0).awaitAnswer(sealed.get(1));
        assertThat(flood.isRunning()).isTrue();
        flood.stop();
        capture.stop();
        assertThat(capture.count(Wire.ESP)).isPositive();
        assertThat(capture.count(Wire.cleartextVxlan(sealedVni) + OF_HOSTS)).isZero();
    }

    @Test
    @Order(7)
    void forgedEspNeverReachesAContainer(Lab lab) {
        Guest here = lab.guest(1);
        byte[] genuine = undelivered(lab);
        ByteBuffer header = ByteBuffer.wrap(genuine, ESP_HEADER, 8);
        int spi = header.getInt();
        // Newer than the genuine one, so that no replay window has to do with it.
        int sequence = header.getInt() + 100;

        try (Listener listener = sealed.getFirst().listen("icmp[icmptype] = icmp-echo")) {
            long unknown = Xfrm.count(here, "XfrmInNoStates");
            lab.wire().inject(garbage(lab, 0x1234_5678, sequence));
            Await.until("an unknown SPI to be counted", SOON, () -> Xfrm.count(here, "XfrmInNoStates") == unknown + 1);

            long broken = Xfrm.count(here, "XfrmInStateProtoError");
            lab.wire().inject(garbage(lab, spi, sequence));
            lab.wire().inject(Frame.altered(genuine));
            Await.until("broken seals to be counted", SOON, () -> Xfrm.count(here, "XfrmInStateProtoError") == broken + 2);
            assertThat(listener.count()).isZero();

            // As it was sent, it does arrive.
            lab.wire().inject(genuine);
            Await.until("the genuine packet", SOON, () -> listener.count() == 1);
        }
    }

    /** CVE-2023-28841: without the match by which rules tell VNIs, the built-in driver's packets left in clear. */
    @Test
    @Order(8)
    void withoutXtBpfNothingLeavesInClear(Lab lab) {
        lab.swarm().removeService("alone");
        assertNothingLeavesInClearWithout("xt_bpf", lab);
    }

    @Test
    @Order(9)
    void withoutXtPolicyNothingLeavesInClear(Lab lab) {
        assertNothingLeavesInClearWithout("xt_policy", lab);
    }

    /**
     * Found out before there is anybody to send to, on a host each. AES and counter mode are built into Debian's kernel; the
     * module that puts them together is not.
     */
    @Test
    @Order(10)
    void withoutEspOrGcmATaskDoesNotStart(Lab lab) {
        lab.swarm().removeService("peer");
        List<String> modules = List.of("esp4", "gcm");
        Together.each(modules, module -> assertRefusedWithout(module, Swarm.IDLE, lab, lab.guest(modules.indexOf(module) + 1)));
    }

    /** A task that would send to the other host from its first moment on. */
    private void assertNothingLeavesInClearWithout(String module, Lab lab) {
        Capture capture = lab.wire().capture("without-" + module);
        assertRefusedWithout(module, "ping " + sealed.get(1).address(), lab, lab.guest(1));
        capture.stop();
        String here = " and src host " + lab.guest(1).address();
        assertThat(capture.count(Wire.ESP + here)).as("sealed packets, once the module was back").isPositive();
        assertThat(capture.count(Wire.cleartextVxlan(sealedVni) + here)).isZero();
    }

    private static void assertRefusedWithout(String module, String command, Lab lab, Guest guest) {
        String service = "without-" + module;
        try (Withheld _ = Withheld.from(guest, module)) {
            lab.swarm().startOn(guest, service, SEALED, command);
            assertThat(lab.swarm().refusal(service)).contains(module, "modprobe");
        }
        // The swarm tries again, and it was the module alone that was missing.
        lab.swarm().task(service, SEALED, guest);
        lab.swarm().removeService(service);
    }

    /** The same datagrams, in clear, to a task of each network on the same host, from the other host and from nowhere. */
    private void assertOnlyThePlainNetworkIsOpen(Lab lab, Task open, Task shut) {
        Guest guest = open.guest();
        String other = lab.guests().stream().filter(one -> one != guest).findFirst().orElseThrow().address();
        int times = 5;
        try (Listener inOpen = open.listen(INJECTED); Listener inShut = shut.listen(INJECTED)) {
            for (int n = 0; n < times; n++) {
                for (String source : List.of(other, "10.55.0.99")) {
                    lab.wire().inject(clear(sealedVni, guest, source, shut.address()));
                    lab.wire().inject(clear(plainVni, guest, source, open.address()));
                }
            }
            // The last of all, so those before it have been dealt with.
            Await.until(() -> 2 * times + " datagrams on the plain network of " + guest + ", not " + inOpen.count(), SOON,
                    () -> inOpen.count() == 2 * times);
            assertThat(inShut.count()).as("datagrams on the encrypted network of " + guest).isZero();
        }
    }

    /** A datagram to whoever has the address on that network, in VXLAN to the host, all in clear. */
    private static byte[] clear(int vni, Guest to, String from, String address) {
        return Frame.ethernet(Frame.STRANGER, to.mac(),
                Frame.ip(from, to.address(), Frame.vxlan(vni, frame(address, "not sealed"))));
    }

    /** That without the hosts' headers, for who sends it by a socket. */
    private static byte[] inside(int vni, String address, String text) {
        return Frame.vxlanData(vni, frame(address, text));
    }

    private static byte[] frame(String address, String text) {
        String neighbour = address.replaceFirst("\\d+$", "200");
        return Frame.ethernet(Frame.STRANGER, Frame.BROADCAST, Frame.ip(neighbour, address, Frame.udp(PORT, PORT, text)));
    }

    /** What looks like ESP from the other host, with nothing sealed inside. */
    private static byte[] garbage(Lab lab, int spi, int sequence) {
        byte[] body = new byte[120];
        new Random(sequence).nextBytes(body);
        return Frame.ethernet(Frame.STRANGER, lab.guest(1).mac(),
                Frame.ip(lab.guest(2).address(), lab.guest(1).address(), Frame.esp(spi, sequence, body)));
    }

    /** A ping's packet that the other host has sealed and this one has not received yet. */
    private byte[] undelivered(Lab lab) {
        Capture capture = lab.wire().capture("undelivered");
        lab.wire().cut(lab.guest(1));
        sealed.get(1).ping(sealed.get(0), 1);
        lab.wire().mend(lab.guest(1));
        return capture.stop().frames(Wire.ESP + " and src host " + lab.guest(2).address()).getLast();
    }
}
