package io.vxseal.encryption;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.vxseal.address.Cidr;
import io.vxseal.address.NodeAddresses;
import io.vxseal.kernel.TestHost;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.xfrm.SecurityPolicy;
import io.vxseal.kernel.xfrm.Xfrm;
import io.vxseal.kernel.xfrm.XfrmChange;
import io.vxseal.kernel.xfrm.XfrmRefusal;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Policies and the account of nodes on this machine's kernel, which may lack ESP. */
class EncryptionTest {
    private static final int PORT = 4789;
    private static final InetAddress HERE = address("10.55.0.1");
    private static final InetAddress THERE = address("10.55.0.2");
    private static final InetAddress THIRD = address("10.55.0.3");
    private static final InetAddress SIXTH = address("fd00:55::6");
    private static final NodeAddresses ENDS = new NodeAddresses(HERE, HERE);
    private static final KeyRing RING = new KeyRing(List.of(new Key(new byte[16], 1), new Key(new byte[16], 2)));
    private static final KeyRing GUARDED = new KeyRing(List.of(new Key(new byte[16], 3, 64)));

    private static final Pattern CHANGE =
            Pattern.compile("(Updated|Deleted) src \\S+ dst (\\S+) proto udp dport 4789[^/]*mark (0x\\w+)/");

    @TempDir
    private Path folder;

    private TestHost host;
    private Xfrm xfrm;
    private Encryption encryption;

    @BeforeEach
    void open() throws Exception {
        host = new TestHost(folder.resolve("host"));
        xfrm = Xfrm.in(host.namespace());
        encryption = new Encryption(xfrm, PORT, (_, _) -> {});
    }

    @AfterEach
    void close() throws Exception {
        xfrm.close();
        host.close();
    }

    private static InetAddress address(String literal) {
        return InetAddress.ofLiteral(literal);
    }

    private void start(KeyRing ring, InetAddress... nodes) throws KernelException {
        encryption.addresses(ENDS);
        encryption.ring(ring);
        encryption.nodes(Set.of(nodes), true);
    }

    private static SecurityPolicy block(int mark) {
        Cidr any = Cidr.parse("0.0.0.0/0");
        return new SecurityPolicy(new SecurityPolicy.Id(any, any, PORT, mark), new SecurityPolicy.Action.Block());
    }

    private static SecurityPolicy seal(InetAddress node, int mark) {
        return new SecurityPolicy(
                new SecurityPolicy.Id(new Cidr(HERE, 32), new Cidr(node, 32), PORT, mark),
                new SecurityPolicy.Action.Seal(Spi.of(HERE, node, 1)));
    }

    /** The kernel's own account of the order of changes: the policies of the mark of 0.1.0 go last, its block after all. */
    @Test
    void replacesPoliciesOfTheOldMarkAddingFirst() throws Exception {
        int old = SecurityPolicy.REQID;
        xfrm.apply(List.of(
                new XfrmChange.PutPolicy(block(old)),
                new XfrmChange.PutPolicy(seal(THERE, old))));
        encryption.adopt();
        assertThat(encryption.holdsAnything()).isTrue();

        // As a restarted driver does, which knows its nodes before its address, and that before the keys.
        List<String> events = policyChanges(() -> {
            encryption.nodes(Set.of(THERE), true);
            encryption.addresses(ENDS);
        });

        assertThat(xfrm.policies()).containsExactlyInAnyOrder(block(SecurityPolicy.MARK), seal(THERE, SecurityPolicy.MARK));
        assertThat(events).containsExactly(
                "put 0.0.0.0/0 mark 0x76d0c4e3",
                "put 10.55.0.2/32 mark 0x76d0c4e3",
                "delete 10.55.0.2/32 mark 0xd0c4e3",
                "delete 0.0.0.0/0 mark 0xd0c4e3");
        encryption.ring(RING);
        assertThat(xfrm.policies()).containsExactlyInAnyOrder(block(SecurityPolicy.MARK), seal(THERE, SecurityPolicy.MARK));
    }

    /**
     * Returns the changes of policies that the kernel reports to iproute2 during a call. One extra policy shows that the monitor listens,
     * another that all changes were reported.
     */
    private List<String> policyChanges(Call call) throws Exception {
        Path file = folder.resolve("changes");
        Process monitor = new ProcessBuilder(Stream.concat(host.prefix().stream(), Stream.of("ip", "xfrm", "monitor", "policy"))
                        .toList())
                .redirectOutput(file.toFile())
                .start();
        try {
            String sentinel = " dir in src 192.0.2.1 dst 192.0.2.%d";
            await().until(() -> {
                host.run("ip xfrm policy update" + sentinel.formatted(1));
                return Files.readString(file).contains("192.0.2.1");
            });
            call.run();
            host.run("ip xfrm policy update" + sentinel.formatted(2));
            await().until(() -> Files.readString(file).contains("dst 192.0.2.2"));
        } finally {
            monitor.destroy();
            monitor.waitFor();
        }
        return CHANGE.matcher(Files.readString(file)).results()
                .map(change -> "%s %s mark %s".formatted(
                        change.group(1).equals("Deleted") ? "delete" : "put", change.group(2), change.group(3)))
                .toList();
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            src 10.0.0.0/8 dst 10.0.0.0/8 priority 0                       | 10.0.0.0/8 -> 10.0.0.0/8 priority 0 | those of node 10.55.0.2 and 1 more
            src 10.55.0.1 dst 10.55.0.3 proto udp priority 0               | 10.55.0.1/32 -> 10.55.0.3/32 priority 0 | those of node 10.55.0.3
            src 0.0.0.0/0 dst 10.55.0.3 proto udp dport 4789 priority 0    | 0.0.0.0/0 -> 10.55.0.3/32 priority 0 | those of node 10.55.0.3
            src 10.55.0.1 dst 10.55.0.2 priority 0 mark 0x76000000 mask 0xff000000 | 10.55.0.1/32 -> 10.55.0.2/32 priority 0 | those of node 10.55.0.2
            src 10.55.0.1 dst 192.0.2.0/24 priority 0                      | 10.55.0.1/32 -> 192.0.2.0/24 priority 0 | the one that blocks what is not sealed
            src 10.55.0.1 dst 10.55.0.2 priority 1000                      | 10.55.0.1/32 -> 10.55.0.2/32 priority 1000 | the one that blocks what is not sealed
            """)
    void reportsForeignPoliciesThatComeBeforeOurs(String selector, String policy, String overtaken) throws Exception {
        start(RING, THERE, THIRD);
        assertThat(encryption.conflictingPolicies()).isEmpty();
        host.run("ip xfrm policy add dir out action block " + selector.strip());
        encryption.repair();
        assertThat(encryption.conflictingPolicies()).singleElement().asString()
                .isIn("policy out %s comes before %s: raise its priority number or remove it".formatted(policy, overtaken),
                        // Of two nodes either is named.
                        "policy out %s comes before %s: raise its priority number or remove it"
                                .formatted(policy, overtaken.replace("10.55.0.2 and", "10.55.0.3 and")));
        encryption.nodes(Set.of(), false);
        assertThat(encryption.conflictingPolicies()).as("with nothing to seal").isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {
        // The built-in driver's.
        "dir out src 10.55.0.1 dst 10.55.0.2 proto udp dport 4789 mark 0xd0c4e3 mask 0xffffffff priority 0",
        "dir in src 10.55.0.1 dst 10.55.0.2 priority 0",
        "dir fwd src 10.55.0.1 dst 10.55.0.2 priority 0",
        "dir out src 10.55.0.1 dst 10.55.0.2 priority 1001",
        "dir out src 10.55.0.1 dst 10.55.0.2 priority 4000000000",
        "dir out src 10.55.0.1 dst 10.55.0.2 proto tcp priority 0",
        "dir out src 10.55.0.1 dst 10.55.0.2 proto udp dport 4790 priority 0",
        "dir out src 10.55.0.9 dst 10.55.0.2 priority 0",
        "dir out src fd00:55::1 dst fd00:55::2 priority 0",
        "dir out src 10.55.0.1 dst 10.55.0.2 if_id 7 priority 0",
    })
    void ignoresForeignPoliciesThatMatchNothingOfOurs(String policy) throws Exception {
        start(RING, THERE);
        host.run("ip xfrm policy add action block " + policy);
        encryption.repair();
        assertThat(encryption.conflictingPolicies()).isEmpty();
    }

    @Test
    void reportsAtMostTenForeignPolicies() throws Exception {
        start(RING, THERE);
        for (int n = 0; n < 12; n++) {
            host.run("ip xfrm policy add dir out src 10.55.0.1 dst 10.56.0.%d priority 7 action block".formatted(n));
        }
        encryption.repair();
        assertThat(encryption.conflictingPolicies()).hasSize(10);
    }

    @Test
    void skipsNodesOfTheOtherAddressFamily() throws Exception {
        start(RING, SIXTH);
        encryption.ring(GUARDED);
        for (int look = 0; look < 3; look++) {
            assertThat(encryption.repair()).isZero();
            assertThat(encryption.failures()).containsOnlyKeys(SIXTH);
        }
        assertThat(encryption.failures().get(SIXTH)).isEqualTo("its address is IPv6, and that of this node, 10.55.0.1, is IPv4:"
                + " give both addresses of one kind");
        assertThat(xfrm.policies()).containsExactly(block(SecurityPolicy.MARK));
        assertThat(encryption.wanted()).isEqualTo(encryption.installed()).isEqualTo(new Tally(0, 1));
        assertThat(encryption.needsRotation()).as("keys replaced without need").isFalse();

        encryption.nodes(Set.of(), true);
        assertThat(encryption.failures()).isEmpty();
    }

    @Test
    void logsANodesFailureOnceAtItsBeginningAndOnceAtItsEnd() throws Exception {
        String told = logged(() -> {
            encryption.addresses(ENDS);
            encryption.ring(RING);
            encryption.nodes(Set.of(SIXTH), true);
            encryption.repair();
            encryption.repair();
            encryption.nodes(Set.of(), true);
            encryption.repair();
        });
        assertThat(told.lines().filter(line -> line.contains("fd00:55:0:0:0:0:0:6")))
                .satisfiesExactly(
                        begins -> assertThat(begins).contains("cannot seal to node").contains("IPv6"),
                        ends -> assertThat(ends).contains("the failure to seal to node"));
    }

    private interface Call {
        void run() throws Exception;
    }

    /** Returns what slf4j-simple writes to standard error during a call. */
    private static String logged(Call call) throws Exception {
        PrintStream before = System.err;
        var written = new ByteArrayOutputStream();
        System.setErr(new PrintStream(written, true, StandardCharsets.UTF_8));
        try {
            call.run();
        } finally {
            System.setErr(before);
        }
        return written.toString(StandardCharsets.UTF_8);
    }

    /** Without ESP the kernel refuses every state, as it refuses one that is in another's place. */
    @Test
    void keepsPoliciesOfNodesWhoseStatesAreRefused() throws Exception {
        assumeNoEsp();
        start(RING, THERE, THIRD);
        encryption.ring(GUARDED);
        assertThat(xfrm.policies()).extracting(policy -> policy.id().destination())
                .containsExactlyInAnyOrder(new Cidr(THERE, 32), new Cidr(THIRD, 32), Cidr.parse("0.0.0.0/0"));
        assertThat(encryption.failures()).containsOnlyKeys(THERE, THIRD);
        assertThat(encryption.failures().get(THIRD)).contains("10.55.0.3").contains("the kernel lacks");

        assertThat(encryption.repair()).as("nothing could be touched").isZero();
        assertThat(encryption.needsRotation()).as("keys replaced without need").isFalse();
        host.run("ip xfrm policy flush");
        assertThat(encryption.repair()).isEqualTo(3);
        assertThat(encryption.needsRotation()).isFalse();

        encryption.nodes(Set.of(THIRD), true);
        assertThat(encryption.failures()).containsOnlyKeys(THIRD);
    }

    @Test
    void blockFailsOnAKernelWithoutEsp() throws Exception {
        assumeNoEsp();
        Encryption probing = new Encryption(xfrm, PORT, EspProbe::check);
        probing.addresses(ENDS);
        assertThatThrownBy(probing::block).isInstanceOf(KernelException.class).hasMessageContaining("the kernel lacks");
        assertThat(xfrm.policies()).as("meanwhile nothing leaves in clear").containsExactly(block(SecurityPolicy.MARK));
    }

    @Test
    void probesWithAnotherKeyEachTime() {
        assertThat(EspProbe.state(HERE).key()).isNotEqualTo(EspProbe.state(HERE).key());
    }

    private void assumeNoEsp() throws KernelException {
        List<XfrmRefusal> refused = xfrm.apply(List.of(new XfrmChange.AddState(EspProbe.state(HERE))));
        Assumptions.assumeFalse(refused.isEmpty(), "this kernel has ESP: SequenceOnKernelTest shows it");
    }

    /** A marked datagram to a node whose state is missing, and one to an outsider. */
    @Test
    void dropsDatagramsThatCannotBeSealed() throws Exception {
        // Its neighbour discovery would count as what left.
        host.run(List.of("bash", "-c", "echo 1 | tee /proc/sys/net/ipv6/conf/{all,default}/disable_ipv6"));
        host.run("ip link add wire type veth peer name other");
        host.run("ip link set other up");
        host.run("ip address add 10.55.0.1/24 dev wire");
        host.run("ip link set wire up");
        host.run("ip neigh add 10.55.0.2 lladdr 02:42:00:00:00:02 dev wire");
        host.run("ip neigh add 10.55.0.3 lladdr 02:42:00:00:00:03 dev wire");
        host.run("nft add table ip marks");
        host.run("nft add chain ip marks out { type route hook output priority mangle ; }");
        host.run("nft add rule ip marks out udp dport 4789 meta mark set 0x76d0c4e3");
        assertThat(sends("10.55.0.2")).as("before").isTrue();
        encryption.addresses(ENDS);
        encryption.ring(RING);
        encryption.block();
        encryption.nodes(Set.of(THERE), true);
        assertThat(sends("10.55.0.2")).as("to a node").isFalse();
        assertThat(sends("10.55.0.3")).as("to an outsider").isFalse();
        encryption.nodes(Set.of(), false);
        assertThat(sends("10.55.0.2")).as("after").isTrue();
    }

    /** Sends a datagram, and returns whether it left by the interface. */
    private boolean sends(String receiver) {
        long before = transmitted();
        // Refused or not, it is the interface that says.
        host.failure("bash -c echo>/dev/udp/" + receiver + "/4789");
        return transmitted() > before;
    }

    private long transmitted() {
        return host.json("ip -s -j link show dev wire").get(0).at("/stats64/tx/packets").asLong();
    }
}
