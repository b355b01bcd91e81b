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
 * Attacks on an encrypted network from the hosts' network, which must fail. The built-in driver had three vulnerabilities
 * there, found in 2023; each is tried. Each attack is also made on a plain network, where it must succeed: otherwise its
 * failure would prove nothing.
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
    /** A port without VXLAN. */
    private static final int OTHER_PORT = 4790;
    private static final String INJECTED = "udp port " + PORT;
    /** Offset behind an Ethernet header and an IPv4 header without options. */
    private static final int ESP_HEADER = 14 + 20;

    /** No mark; the built-in driver's, which was once the plugin's too; and the plugin's. */
    private static final List<Integer> MARKS = List.of(0, 0x00d0_c4e3, 0x76d0_c4e3);
    /** The same without the plugin's mark: datagrams of processes with it never leave. */
    private static final List<Integer> OTHER_MARKS = MARKS.subList(0, 2);
    /** Recognised by its length, on the wire and in a container: the plugin's own packets are smaller or larger. */
    private static final String LONG = "not sealed".repeat(105);
    private static final String OF_LONG = "greater 1000 and less 1300";
    /** Excludes what the laboratory injects. */
    private static final String OF_HOSTS = " and not ether src " + Frame.STRANGER;

    private static final Duration SOON = Duration.ofSeconds(30);

    private int sealedVni;
    private int plainVni;
    private List<Task> plain;
    private Task alone;
    /** The first task, and another on the other host. */
    private List<Task> sealed;

    @BeforeAll
    void open(Lab lab) {
        // A rule of an administrator, older than any network.
        lab.guests().forEach(guest -> guest.sh("iptables -I INPUT -p udp --dport 4789 -j ACCEPT"));
        lab.swarm().createNetwork(SEALED, Product.DRIVER, "--opt encrypted", "--subnet " + SEALED_SUBNET + "0/24");
        lab.swarm().createNetwork(PLAIN, Product.DRIVER, "--subnet " + PLAIN_SUBNET + "0/24");
        sealedVni = lab.swarm().vni(SEALED);
        plainVni = lab.swarm().vni(PLAIN);
    }

    /** CVE-2023-28842: cleartext was accepted on a node without endpoints, and on one that knew no other node. */
    @Test
    @Order(1)
    void dropsCleartextBeforeAndAfterFirstEndpoint(Lab lab) {
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
            Await.until("datagrams on the plain network", SOON, () -> plain.getFirst().packetsReceived() > 0);
        }

        assertThat(addresses).as("hosts that were aimed at")
                .contains(alone.address().replace(SEALED_SUBNET, ""), plain.getFirst().address().replace(PLAIN_SUBNET, ""));
        assertThat(alone.packetsReceived()).isZero();
        assertOnlyThePlainNetworkIsOpen(lab, plain.getFirst(), alone);
    }

    /** CVE-2023-28840: the built-in driver's rule came after an administrator's rule that accepts all VXLAN. */
    @Test
    @Order(2)
    void dropsCleartextDespiteEarlierAcceptRule(Lab lab) {
        lab.guests().forEach(guest -> guest.sh("iptables -A INPUT -p udp --dport 4789 -j ACCEPT"));
        sealed = List.of(alone, lab.swarm().serveOn(lab.guest(2), "peer", SEALED));
        Await.until("the first answer between " + sealed, SOON, () -> Swarm.pingAcross(sealed, 1).allBack());
        Task.Flood flood = sealed.get(0).flood(sealed.get(1), 20, 200);

        for (int n = 0; n < lab.guests().size(); n++) {
            assertOnlyThePlainNetworkIsOpen(lab, plain.get(n), sealed.get(n));
        }
        assertThat(flood.await()).as("what went on meanwhile").isEqualTo(new Task.Pings(200, 200, 0));
    }

    /** CVE-2023-28840 again: a rule that is inserted later comes before the plugin's, until the plugin moves its own up. */
    @Test
    @Order(3)
    void dropsCleartextDespiteLaterAcceptRule(Lab lab) {
        Guest guest = lab.guest(1);
        String first = "iptables -S INPUT | grep -m 1 'dport 4789'";
        Task.Flood flood = sealed.get(0).flood(sealed.get(1), 20, 300);
        guest.sh("iptables -I INPUT -p udp --dport 4789 -j ACCEPT");

        Await.until("the plugin's rule to be first again", Duration.ofSeconds(15), () -> guest.sh(first).contains("-j VXSEAL-INPUT"));

        assertOnlyThePlainNetworkIsOpen(lab, plain.getFirst(), sealed.getFirst());
        assertThat(flood.await()).as("what went on meanwhile").isEqualTo(new Task.Pings(300, 300, 0));
    }

    /**
     * CVE-2026-92542: the built-in driver marked, and so encrypted, every datagram with an encrypted network's VNI, and the other
     * host delivered it.
     */
    @Test
    @Order(4)
    void dropsDatagramsForgedByProcesses(Lab lab) {
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

    /** Only the plugin's own IPsec states count. */
    @Test
    @Order(5)
    void dropsDatagramsOfAnotherVpn(Lab lab) {
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

    /** The mark of outgoing frames and the check of incoming ones, both in the network's namespace, suffice alone. */
    @Test
    @Order(6)
    void flushedRulesWithoutRepairLetNothingThroughInClear(Lab lab) {
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
    void dropsForgedEsp(Lab lab) {
        Guest here = lab.guest(1);
        byte[] genuine = undelivered(lab);
        ByteBuffer header = ByteBuffer.wrap(genuine, ESP_HEADER, 8);
        int spi = header.getInt();
        // Newer than the genuine one, so that a replay window does not matter.
        int sequence = header.getInt() + 100;

        try (Listener listener = sealed.getFirst().listen("icmp[icmptype] = icmp-echo and " + OF_LONG)) {
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

    /** CVE-2023-28841: without the match for VNIs the built-in driver's packets left in clear. */
    @Test
    @Order(8)
    void missingXtBpfSendsNothingInClear(Lab lab) {
        lab.swarm().removeService("alone");
        assertNothingLeavesInClearWithout("xt_bpf", lab);
    }

    @Test
    @Order(9)
    void missingXtPolicySendsNothingInClear(Lab lab) {
        assertNothingLeavesInClearWithout("xt_policy", lab);
    }

    /**
     * Detected before there is a peer to send to, one module on each host. AES and counter mode are built into Debian's kernel; the
     * module that combines them is not.
     */
    @Test
    @Order(10)
    void missingEspOrGcmRefusesTask(Lab lab) {
        lab.swarm().removeService("peer");
        List<String> modules = List.of("esp4", "gcm");
        Together.each(modules, module -> assertRefusedWithout(module, Swarm.IDLE, lab, lab.guest(modules.indexOf(module) + 1)));
    }

    /** Starts a task that would send to the other host at once. */
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
        // The swarm retries, and only the module was missing.
        lab.swarm().task(service, SEALED, guest);
        lab.swarm().removeService(service);
    }

    /** Sends the same datagrams in clear to a task of each network on one host, from the other host and from an unknown one. */
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
            // The last ones sent, so the earlier ones have been processed.
            Await.until(() -> 2 * times + " datagrams on the plain network of " + guest + ", not " + inOpen.count(), SOON,
                    () -> inOpen.count() == 2L * times);
            assertThat(inShut.count()).as("datagrams on the encrypted network of " + guest).isZero();
        }
    }

    /** Returns a datagram for an address on that network, in VXLAN for the host, all in clear. */
    private static byte[] clear(int vni, Guest to, String from, String address) {
        return Frame.ethernet(Frame.STRANGER, to.mac(),
                Frame.ip(from, to.address(), Frame.vxlan(vni, frame(address, "not sealed"))));
    }

    /** Returns the same without the hosts' headers, for senders that use a socket. */
    private static byte[] inside(int vni, String address, String text) {
        return Frame.vxlanData(vni, frame(address, text));
    }

    private static byte[] frame(String address, String text) {
        String neighbour = address.replaceFirst("\\d+$", "200");
        return Frame.ethernet(Frame.STRANGER, Frame.BROADCAST, Frame.ip(neighbour, address, Frame.udp(PORT, PORT, text)));
    }

    /** Returns a packet that looks like ESP from the other host, with random content. */
    private static byte[] garbage(Lab lab, int spi, int sequence) {
        byte[] body = new byte[120];
        new Random(sequence).nextBytes(body);
        return Frame.ethernet(Frame.STRANGER, lab.guest(1).mac(),
                Frame.ip(lab.guest(2).address(), lab.guest(1).address(), Frame.esp(spi, sequence, body)));
    }

    /**
     * Returns a ping's packet that the other host has encrypted and this one has not received yet. The plugin sends pings of its
     * own, small ones and ones of full size, while others are not answered, and soon after.
     */
    private byte[] undelivered(Lab lab) {
        Capture capture = lab.wire().capture("undelivered");
        lab.wire().cut(lab.guest(1));
        sealed.get(1).pingWhole(sealed.get(0), LONG.length());
        lab.wire().mend(lab.guest(1));
        return capture.stop().frames(Wire.ESP + " and " + OF_LONG + " and src host " + lab.guest(2).address()).getLast();
    }
}
