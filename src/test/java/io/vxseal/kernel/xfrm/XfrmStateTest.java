package io.vxseal.kernel.xfrm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.vxseal.address.Cidr;
import io.vxseal.kernel.TestHost;
import io.vxseal.kernel.netlink.Batch;
import io.vxseal.kernel.netlink.NetlinkDescriptor;
import io.vxseal.kernel.netlink.NetlinkMessage;
import io.vxseal.kernel.netlink.NetlinkSocket;
import io.vxseal.kernel.xfrm.SecurityAssociation.AeadKey;
import io.vxseal.kernel.xfrm.XfrmChange.AddState;
import io.vxseal.kernel.xfrm.XfrmChange.DeleteState;
import io.vxseal.kernel.xfrm.XfrmChange.PutPolicy;
import java.net.InetAddress;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Tests of states, read with iproute2. Needs a kernel with ESP and AES-GCM, as the guests have. */
@Tag("esp")
class XfrmStateTest {
    private static final int MARK = 0x76d0c4e3;
    private static final int AF_INET = 2;
    private static final int IPPROTO_ESP = 50;
    private static final int XFRM_MSG_NEWAE = 0x1e;
    private static final int XFRMA_REPLAY_VAL = 10;
    private static final int XFRMA_REPLAY_ESN_VAL = 23;
    private static final SecurityAssociation STATE = state("10.55.0.1", "10.55.0.2", 0x9a3b4c5d, 20, 1);

    /** The built-in driver's state with the same destination and SPI, as iproute2 makes it: no label. */
    private static final String THEIRS = "ip xfrm state add src 10.55.0.1 dst 10.55.0.2 proto esp spi 0x9a3b4c5d"
            + " reqid 13681891 mode transport aead rfc4106(gcm(aes)) 0x" + "07".repeat(20) + " 64";

    @TempDir
    Path folder;

    private TestHost host;
    private Xfrm xfrm;

    @BeforeEach
    void open() throws Exception {
        host = new TestHost(folder.resolve("net"));
        xfrm = Xfrm.in(host.namespace);
        List<XfrmRefusal> failures = xfrm.apply(List.of(new AddState(state("10.1.1.1", "10.1.1.2", 256, 20, 1))));
        Assumptions.assumeTrue(failures.isEmpty(), () -> failures.getFirst().reason().getMessage());
        host.run("ip xfrm state flush");
    }

    @AfterEach
    void close() throws Exception {
        xfrm.close();
        host.close();
    }

    private static SecurityAssociation state(String source, String destination, int spi, int octets, int fill) {
        byte[] key = new byte[octets];
        Arrays.fill(key, (byte) fill);
        return new SecurityAssociation(
                new SecurityAssociation.Id(
                        InetAddress.ofLiteral(source), InetAddress.ofLiteral(destination), spi),
                new AeadKey(key));
    }

    private static SecurityAssociation guarded(SecurityAssociation state, int window) {
        return new SecurityAssociation(state.id(), state.key(), window);
    }

    private String listed() {
        return host.run("ip -s xfrm state list").replaceAll("\\s+", " ").strip();
    }

    @ParameterizedTest
    @ValueSource(ints = {20, 28, 36})
    void addsStateLikeBuiltInDriverWithLabel(int octets) throws Exception {
        SecurityAssociation state = state("10.55.0.1", "10.55.0.2", 0x9a3b4c5d, octets, 1);
        assertThat(xfrm.apply(List.of(new AddState(state)))).isEmpty();
        assertThat(listed())
                .startsWith("src 10.55.0.1 dst 10.55.0.2 proto esp spi 0x9a3b4c5d(2587577437) "
                        + "reqid 13681891(0x00d0c4e3) mode transport replay-window 0 ")
                .contains("aead rfc4106(gcm(aes)) 0x" + HexFormat.of().formatHex(state.key().octets()))
                .contains("bits) 64 ")
                .contains("sel src 0.0.0.0/0 dst 0.0.0.0/0 uid 1987605349")
                .contains("limit: soft (INF)(bytes), hard (INF)(bytes) limit: soft (INF)(packets), hard (INF)(packets)");
        assertThat(xfrm.states()).containsExactly(state);
    }

    @ParameterizedTest
    @ValueSource(ints = {32, 100, 4096})
    void stateWithReplayWindowHasExtendedNumbers(int window) throws Exception {
        SecurityAssociation state = guarded(STATE, window);
        assertThat(xfrm.apply(List.of(new AddState(state)))).isEmpty();
        assertThat(listed()).contains(" replay-window 0 ").contains(" flag esn ");
        assertThat(host.run("ip -d -s xfrm state list").replaceAll("\\s+", " "))
                .contains("anti-replay esn context:")
                .contains("replay_window %d, bitmap-length %d".formatted(window, (window + 31) / 32));
        assertThat(xfrm.states()).containsExactly(state);

        assertThat(xfrm.apply(List.of(new AddState(state)))).isEmpty();
        assertThat(xfrm.apply(List.of(new AddState(STATE)))).singleElement().satisfies(failure -> assertThat(
                        failure.reason())
                .hasMessageEndingWith("EEXIST: it is installed with another replay window"));
    }

    /** An aevent is how daemons that share a state's numbers between hosts set them; here it replaces much traffic. */
    @Test
    void listsSequenceNumberOfLastPacket() throws Exception {
        SecurityAssociation guarded = guarded(state("10.55.0.1", "10.55.0.3", 0x100, 20, 2), 64);
        assertThat(xfrm.apply(List.of(new AddState(STATE), new AddState(guarded)))).isEmpty();
        assertThat(xfrm.installedStates()).containsExactlyInAnyOrder(new InstalledState(STATE, 0), new InstalledState(guarded, 0));
        try (NetlinkSocket socket = NetlinkSocket.open(host.namespace, NetlinkDescriptor.NETLINK_XFRM)) {
            socket.request("set numbers", batch -> aevent(batch, STATE.id())
                    .attribute(XFRMA_REPLAY_VAL, replay -> replay.u32(0xfffffff0).u32(0).u32(0)));
            socket.request("set numbers", batch -> aevent(batch, guarded.id())
                    .attribute(XFRMA_REPLAY_ESN_VAL, replay -> replay
                            .u32(2).u32(5).u32(0).u32(1).u32(0).u32(64).zeros(8)));
        }
        assertThat(xfrm.installedStates()).containsExactlyInAnyOrder(
                new InstalledState(STATE, 0xfffffff0L), new InstalledState(guarded, 0x1_0000_0005L));
    }

    /** Writes an xfrm_aevent_id ({@code linux/xfrm.h}). */
    private static NetlinkMessage aevent(Batch batch, SecurityAssociation.Id id) {
        return batch.add(XFRM_MSG_NEWAE, NetlinkMessage.NLM_F_REPLACE)
                .field(id.destination().getAddress(), 16)
                .be32(id.spi()).u16(AF_INET).u8(IPPROTO_ESP).u8(0)
                .field(id.source().getAddress(), 16)
                .u32(0).u32(0);
    }

    @Test
    void addsAndListsIpv6State() throws Exception {
        SecurityAssociation state = state("fd00:55::1", "fd00:55::2", 0x100, 20, 3);
        assertThat(xfrm.apply(List.of(new AddState(state)))).isEmpty();
        assertThat(listed()).startsWith("src fd00:55::1 dst fd00:55::2 proto esp spi 0x00000100(256)");
        assertThat(xfrm.states()).containsExactly(state);
        assertThat(xfrm.apply(List.of(new DeleteState(state.id())))).isEmpty();
        assertThat(listed()).isEmpty();
    }

    @Test
    void addAcceptsEqualState() throws Exception {
        xfrm.apply(List.of(new AddState(STATE)));
        assertThat(xfrm.apply(List.of(new AddState(STATE)))).isEmpty();
        try (Xfrm restarted = Xfrm.in(host.namespace)) {
            assertThat(restarted.apply(List.of(new AddState(STATE)))).isEmpty();
        }
        assertThat(xfrm.states()).containsExactly(STATE);
    }

    @Test
    void refusesStateWithOtherKeyWithoutPrintingKeys() throws Exception {
        xfrm.apply(List.of(new AddState(STATE)));
        var other = new AddState(state("10.55.0.1", "10.55.0.2", 0x9a3b4c5d, 20, 2));
        List<XfrmRefusal> failures = xfrm.apply(List.of(other));
        assertThat(failures).extracting(XfrmRefusal::change).containsExactly(other);
        assertThat(failures.getFirst().reason())
                .hasMessage("add SA 10.55.0.1 -> 10.55.0.2 spi 0x9a3b4c5d: EEXIST: it is installed with another key");
        assertThat(xfrm.states()).containsExactly(STATE);
    }

    @Test
    void neitherListsNorDeletesBuiltInDriversState() throws Exception {
        host.run(THEIRS);
        assertThat(xfrm.states()).isEmpty();
        assertThat(xfrm.apply(List.of(new AddState(STATE)))).singleElement().satisfies(
                failure -> assertThat(failure.reason()).hasMessageContaining("a state of another maker"));
        assertThat(xfrm.apply(List.of(new DeleteState(STATE.id())))).isEmpty();
        assertThat(listed()).contains("spi 0x9a3b4c5d");
    }

    @Test
    void deletesStateOfEarlierProcess() throws Exception {
        xfrm.apply(List.of(new AddState(STATE)));
        try (Xfrm restarted = Xfrm.in(host.namespace)) {
            assertThat(restarted.apply(List.of(new DeleteState(STATE.id()), new DeleteState(STATE.id())))).isEmpty();
        }
        assertThat(listed()).isEmpty();
        assertThat(xfrm.apply(List.of(new DeleteState(STATE.id())))).isEmpty();
    }

    @Test
    void appliesThousandsOfStatesInOneCall() throws Exception {
        List<SecurityAssociation> states = IntStream.range(0, 2000)
                .mapToObj(i -> state("10.55.0.1", "10.57." + i / 200 + "." + i % 200, 0x1000 + i, 20, i))
                .toList();
        assertThat(xfrm.apply(states.stream().<XfrmChange>map(AddState::new).toList())).isEmpty();
        assertThat(xfrm.states()).containsExactlyInAnyOrderElementsOf(states);
        assertThat(xfrm.apply(states.stream().<XfrmChange>map(s -> new DeleteState(s.id())).toList())).isEmpty();
        assertThat(listed()).isEmpty();
    }

    /** Two hosts on a wire: a marked datagram is sealed by the labelled objects and opened at the other end. */
    @ParameterizedTest
    @CsvSource({"10.55.0.1, 10.55.0.2, 24, 32", "fd00:55::1, fd00:55::2, 64, 128"})
    void labelledObjectsSealAndOpenDatagrams(String here, String there, int subnet, int whole) throws Exception {
        try (TestHost other = new TestHost(folder.resolve("other")); Xfrm otherXfrm = Xfrm.in(other.namespace)) {
            host.run("ip link add wire type veth peer name wire netns " + other.pin);
            String nodad = subnet == 64 ? " nodad" : "";
            host.run("ip address add %s/%d dev wire%s".formatted(here, subnet, nodad));
            other.run("ip address add %s/%d dev wire%s".formatted(there, subnet, nodad));
            host.run("ip link set wire up");
            other.run("ip link set wire up");
            String tables = subnet == 64 ? "ip6tables" : "iptables";
            host.run(tables + " -w -t mangle -A OUTPUT -p udp --dport 4789 -j MARK --set-mark 0x76d0c4e3");
            other.run(tables + " -w -A INPUT -m policy --dir in --pol ipsec -p udp --dport 4789");
            other.run(tables + " -w -A INPUT -m policy --dir in --pol none -p udp --dport 4789 -j DROP");

            SecurityAssociation state = state(here, there, 0x9a3b4c5d, 20, 1);
            var id = new SecurityPolicy.Id(Cidr.parse(here + "/" + whole), Cidr.parse(there + "/" + whole), 4789, MARK);
            assertThat(otherXfrm.apply(List.of(new AddState(state)))).isEmpty();
            assertThat(xfrm.apply(List.of(
                            new AddState(state),
                            new PutPolicy(new SecurityPolicy(id, new SecurityPolicy.Action.Seal(state.id().spi()))))))
                    .isEmpty();
            for (int i = 0; i < 3; i++) {
                host.run(List.of("bash", "-c", "printf sealed > /dev/udp/" + there + "/4789"));
            }
            assertThat(host.run("ip -s xfrm state list")).containsPattern("lifetime current:\\s+42\\(bytes\\), 3\\(packets\\)");
            // What waits for the neighbour's address is sealed already, but has not arrived.
            await().untilAsserted(() -> assertThat(other.run(tables + " -L INPUT -v -x -n"))
                    .containsPattern("\\s3\\s+\\d+ .*policy match dir in pol ipsec")
                    .containsPattern("\\s0\\s+0 DROP"));
        }
    }

    /** Every frame arrives twice, as if somebody had recorded and replayed it. */
    @ParameterizedTest
    @CsvSource({"0, 6, 0", "64, 3, 3"})
    void dropsRepeatedPacketOnlyWithReplayWindow(int window, int opened, int dropped) throws Exception {
        SecurityAssociation state = guarded(STATE, window);
        try (TestHost other = new TestHost(folder.resolve("other")); Xfrm otherXfrm = Xfrm.in(other.namespace)) {
            sealing(other, otherXfrm, state);
            host.run("tc qdisc add dev wire root netem duplicate 100%");
            send(3);
            assertThat(xfrm.installedStates()).singleElement().satisfies(installed -> {
                assertThat(installed.association()).isEqualTo(state);
                assertThat(installed.sent()).isEqualTo(3);
                assertThat(installed.usage().packets()).isEqualTo(3);
                assertThat(installed.usage().bytes()).isPositive();
            });
            assertThat(opened(other)).isEqualTo(opened);
            assertThat(dropped(other, "XfrmInStateSeqError")).isEqualTo(dropped);
        }
    }

    @Test
    void recreatedStateOpensPacketsButItsOwnAreDropped() throws Exception {
        SecurityAssociation state = guarded(STATE, 32);
        try (TestHost other = new TestHost(folder.resolve("other")); Xfrm otherXfrm = Xfrm.in(other.namespace)) {
            sealing(other, otherXfrm, state);
            send(3);
            assertThat(otherXfrm.apply(List.of(new DeleteState(state.id()), new AddState(state)))).isEmpty();
            send(2);
            assertThat(opened(other)).as("after the receiver's").isEqualTo(2);

            assertThat(xfrm.apply(List.of(new DeleteState(state.id()), new AddState(state)))).isEmpty();
            send(2);
            assertThat(opened(other)).as("after the sender's: numbers 1 and 2, which the window still reaches").isEqualTo(4);
            assertThat(xfrm.apply(List.of(new DeleteState(state.id()), new AddState(state)))).isEmpty();
            send(2);
            assertThat(opened(other)).as("1 and 2 once more").isEqualTo(4);
            assertThat(dropped(other, "XfrmInStateSeqError")).isEqualTo(2);

            try (NetlinkSocket socket = NetlinkSocket.open(other.namespace, NetlinkDescriptor.NETLINK_XFRM)) {
                socket.request("set numbers", batch -> aevent(batch, state.id())
                        .attribute(XFRMA_REPLAY_ESN_VAL, replay -> replay
                                .u32(1).u32(0).u32(1000).u32(0).u32(0).u32(32).zeros(4)));
            }
            send(2);
            assertThat(opened(other)).as("far behind").isEqualTo(4);
            assertThat(dropped(other, "XfrmInStateProtoError")).isEqualTo(2);
        }
    }

    /** Adds a wire between the hosts. What this one sends on it to the VXLAN port is sealed by the state. */
    private void sealing(TestHost other, Xfrm otherXfrm, SecurityAssociation state) throws Exception {
        host.run("ip link add wire type veth peer name wire netns " + other.pin);
        host.run("ip address add 10.55.0.1/24 dev wire");
        other.run("ip address add 10.55.0.2/24 dev wire");
        host.run("ip link set wire up");
        other.run("ip link set wire up");
        host.run("iptables -w -t mangle -A OUTPUT -p udp --dport 4789 -j MARK --set-mark 0x76d0c4e3");
        var id = new SecurityPolicy.Id(Cidr.parse("10.55.0.1/32"), Cidr.parse("10.55.0.2/32"), 4789, MARK);
        var seal = new SecurityPolicy(id, new SecurityPolicy.Action.Seal(state.id().spi()));
        assertThat(otherXfrm.apply(List.of(new AddState(state)))).isEmpty();
        assertThat(xfrm.apply(List.of(new AddState(state), new PutPolicy(seal)))).isEmpty();
    }

    private void send(int datagrams) {
        for (int i = 0; i < datagrams; i++) {
            host.run(List.of("bash", "-c", "printf sealed > /dev/udp/10.55.0.2/4789"));
        }
    }

    /** Returns the packets that the only state of the host has opened. */
    private static int opened(TestHost at) {
        return number(at.run("ip -s xfrm state list"), "lifetime current:\\s+\\d+\\(bytes\\), (\\d+)\\(packets\\)");
    }

    /** Returns the packets dropped in the host for one of the kernel's reasons. */
    private static int dropped(TestHost at, String reason) {
        return number(at.run("cat /proc/net/xfrm_stat"), reason + "\\s+(\\d+)");
    }

    private static int number(String text, String pattern) {
        Matcher found = Pattern.compile(pattern).matcher(text);
        assertThat(found.find()).as("%s in %s", pattern, text).isTrue();
        return Integer.parseInt(found.group(1));
    }
}
