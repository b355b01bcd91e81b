package io.vxseal.encryption;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.vxseal.address.NodeAddresses;
import io.vxseal.kernel.TestHost;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.xfrm.SecurityAssociation;
import io.vxseal.kernel.xfrm.Xfrm;
import io.vxseal.kernel.xfrm.XfrmChange;
import io.vxseal.kernel.xfrm.XfrmRefusal;
import java.net.InetAddress;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Nodes whose states meet in one place of the kernel, which has one for a destination and SPI. Needs ESP. */
@Tag("esp")
class CollisionTest {
    private static final int PORT = 4789;
    private static final InetAddress HERE = InetAddress.ofLiteral("10.55.0.1");
    private static final InetAddress OTHER = InetAddress.ofLiteral("10.55.0.2");
    private static final NodeAddresses ENDS = new NodeAddresses(HERE, HERE);

    /** Their SPIs are the same under every key, towards everybody. */
    private static final InetAddress TWIN = InetAddress.ofLiteral("10.28.72.182");

    private static final InetAddress SECOND_TWIN = InetAddress.ofLiteral("192.168.21.147");

    /** Its SPI under tag 2 is that of {@link #INTRUDER} under tag 1. */
    private static final InetAddress VICTIM = InetAddress.ofLiteral("10.134.31.168");

    private static final InetAddress INTRUDER = InetAddress.ofLiteral("172.27.175.68");

    @TempDir
    private Path folder;

    private TestHost host;
    private Xfrm xfrm;
    private Encryption encryption;

    @BeforeEach
    void open() throws Exception {
        host = new TestHost(folder.resolve("host"));
        xfrm = Xfrm.in(host.namespace());
        SecurityAssociation probe = EspProbe.state(HERE);
        List<XfrmRefusal> failures =
                xfrm.apply(List.of(new XfrmChange.AddState(probe), new XfrmChange.DeleteState(probe.id())));
        Assumptions.assumeTrue(failures.isEmpty(), () -> failures.getFirst().reason().getMessage());
        encryption = new Encryption(xfrm, PORT, EspProbe::check);
        encryption.addresses(ENDS);
    }

    @AfterEach
    void close() throws Exception {
        xfrm.close();
        host.close();
    }

    private static Key key(int tag, int window) {
        byte[] octets = new byte[16];
        Arrays.fill(octets, (byte) tag);
        return new Key(octets, tag, window);
    }

    private static KeyRing ring(int... tags) {
        return new KeyRing(Arrays.stream(tags).mapToObj(tag -> key(tag, 0)).toList());
    }

    /** Returns the senders of the states that decrypt, as the kernel lists them. */
    private List<InetAddress> senders() throws KernelException {
        return xfrm.states().stream()
                .map(SecurityAssociation::id)
                .filter(id -> id.destination().equals(HERE))
                .map(SecurityAssociation.Id::source)
                .toList();
    }

    /** Asserts that the kernel holds all states that are planned for a node alone. */
    private void assertWhole(InetAddress node, KeyRing ring) throws KernelException {
        assertThat(Held.in(xfrm).states()).containsAllEntriesOf(Held.of(NodePlan.of(ENDS, node, ring, PORT)).states());
    }

    private void assertRight() throws KernelException {
        assertThat(encryption.failures()).isEmpty();
        assertThat(encryption.installed()).isEqualTo(encryption.wanted());
        assertThat(encryption.repair()).isZero();
    }

    @Test
    void sharedStateOutlivesEitherNode() throws Exception {
        encryption.ring(ring(1, 2));
        encryption.nodes(Set.of(TWIN), true);
        encryption.nodes(Set.of(TWIN, SECOND_TWIN), true);
        assertRight();
        assertThat(encryption.installed()).as("a state to send to each, and one for each key").isEqualTo(new Tally(4, 3));

        encryption.nodes(Set.of(SECOND_TWIN), true);
        assertThat(senders()).as("those of before, not made anew").containsExactly(TWIN, TWIN);
        assertRight();
        encryption.nodes(Set.of(SECOND_TWIN, TWIN), true);
        assertRight();
        encryption.ring(ring(2, 3));
        assertRight();

        encryption.nodes(Set.of(TWIN), true);
        assertThat(senders()).hasSize(2);
        assertRight();
        encryption.nodes(Set.of(), false);
        assertThat(encryption.installed()).isEqualTo(new Tally(0, 0));
    }

    @Test
    void sharedStateIsAdoptedByTheNextProcess() throws Exception {
        encryption.ring(ring(1, 2));
        encryption.nodes(Set.of(TWIN), true);
        encryption.nodes(Set.of(TWIN, SECOND_TWIN), true);
        xfrm.close();
        xfrm = Xfrm.in(host.namespace());
        encryption = new Encryption(xfrm, PORT, EspProbe::check);
        encryption.adopt();
        encryption.nodes(Set.of(SECOND_TWIN), true);
        encryption.addresses(ENDS);
        encryption.ring(ring(1, 2));
        assertThat(senders()).containsExactly(TWIN, TWIN);
        assertRight();
        encryption.nodes(Set.of(), false);
        assertThat(encryption.installed()).isEqualTo(new Tally(0, 0));
    }

    /** What the kernel does with it: a state opens whatever comes with its SPI, whoever sent it. */
    @Test
    void sharedStateOpensWhatBothNodesSend() throws Exception {
        encryption.ring(ring(1));
        encryption.nodes(Set.of(TWIN, SECOND_TWIN), true);
        host.run("ip address add 10.55.0.1/32 dev lo");
        host.run("ip link set lo up");
        int sender = 0;
        for (InetAddress address : List.of(TWIN, SECOND_TWIN)) {
            Path pin = folder.resolve("sender" + ++sender);
            try (TestHost other = new TestHost(pin); Xfrm sealing = Xfrm.in(other.namespace())) {
                String wire = "wire" + sender;
                host.run("ip link add %s type veth peer name wire netns %s".formatted(wire, pin));
                host.run("ip link set %s up".formatted(wire));
                host.run("ip route add %s dev %s".formatted(address.getHostAddress(), wire));
                other.run("ip address add %s/32 dev wire".formatted(address.getHostAddress()));
                other.run("ip link set wire up");
                other.run("ip route add 10.55.0.1 dev wire");
                other.run("iptables -w -t mangle -A OUTPUT -p udp --dport 4789 -j MARK --set-mark 0x76d0c4e3");
                Encryption there = new Encryption(sealing, PORT, EspProbe::check);
                there.addresses(new NodeAddresses(address, address));
                there.ring(ring(1));
                there.nodes(Set.of(HERE), true);
                other.run("bash -c echo>/dev/udp/10.55.0.1/4789");
                awaitOpened(sender);
            }
        }
    }

    /** Waits until so many packets were decrypted. Only the state for what is sent to this host counts packets here. */
    private void awaitOpened(int packets) {
        await().untilAsserted(() -> assertThat(host.run("ip -s xfrm state list dst 10.55.0.1")).contains(packets + "(packets)"));
    }

    /** Numbers of two senders in one window would make each other's look repeated. */
    @Test
    void sharedReplayWindowFailsTheSecondNode() throws Exception {
        encryption.ring(new KeyRing(List.of(key(1, 64))));
        encryption.nodes(Set.of(TWIN), true);
        encryption.nodes(Set.of(TWIN, SECOND_TWIN), true);
        assertThat(encryption.failures()).containsOnlyKeys(SECOND_TWIN);
        assertThat(encryption.failures().get(SECOND_TWIN)).contains("10.28.72.182").contains("give one of them another address");
        assertThat(encryption.repair()).isZero();
        encryption.nodes(Set.of(SECOND_TWIN), true);
        assertThat(encryption.failures()).isEmpty();
    }

    @Test
    void takenSpiFailsTheNodeThatCameLater() throws Exception {
        encryption.ring(ring(1, 2));
        encryption.nodes(Set.of(VICTIM), true);
        encryption.nodes(Set.of(VICTIM, INTRUDER, OTHER), true);
        for (int look = 0; look < 2; look++) {
            assertThat(encryption.failures()).containsOnlyKeys(INTRUDER);
            assertWhole(VICTIM, ring(1, 2));
            assertWhole(OTHER, ring(1, 2));
            assertThat(encryption.repair()).isZero();
        }
        encryption.nodes(Set.of(INTRUDER, OTHER), true);
        assertRight();
        assertWhole(INTRUDER, ring(1, 2));
    }

    /** The later node has the place already when the earlier one's next key asks for it. */
    @Test
    void laterNodeIsDisplacedByTheNextKeyOfAnEarlierOne() throws Exception {
        encryption.ring(ring(1));
        encryption.nodes(Set.of(VICTIM), true);
        encryption.nodes(Set.of(VICTIM, INTRUDER, OTHER), true);
        assertRight();

        encryption.ring(ring(1, 2));
        for (int look = 0; look < 2; look++) {
            assertThat(encryption.failures()).containsOnlyKeys(INTRUDER);
            assertWhole(VICTIM, ring(1, 2));
            assertWhole(OTHER, ring(1, 2));
            assertThat(encryption.repair()).isZero();
        }
        encryption.ring(ring(2));
        assertRight();
    }

    @Test
    void foreignStateFailsOneNodeUntilItIsGone() throws Exception {
        encryption.ring(ring(1));
        String theirs = "src 10.55.0.2 dst 10.55.0.1 proto esp spi 0x%08x".formatted(Spi.of(OTHER, HERE, 1));
        host.run("ip xfrm state add " + theirs + " reqid 1 mode transport aead rfc4106(gcm(aes)) 0x" + "77".repeat(20) + " 64");
        encryption.nodes(Set.of(OTHER, TWIN), true);
        for (int look = 0; look < 2; look++) {
            assertThat(encryption.failures()).containsOnlyKeys(OTHER);
            assertThat(encryption.failures().get(OTHER)).contains("a state of another maker");
            assertWhole(TWIN, ring(1));
            assertThat(encryption.repair()).isZero();
        }
        encryption.ring(new KeyRing(List.of(key(1, 0), key(2, 64))));
        assertThat(encryption.repair()).isZero();
        assertThat(encryption.needsRotation()).isFalse();

        host.run("ip xfrm state delete " + theirs);
        assertThat(encryption.repair()).isEqualTo(1);
        assertRight();
    }
}
