package io.vxseal.kernel.xfrm;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.address.Cidr;
import io.vxseal.kernel.TestHost;
import io.vxseal.kernel.xfrm.SecurityAssociation.AeadKey;
import io.vxseal.kernel.xfrm.SecurityPolicy.Action;
import io.vxseal.kernel.xfrm.XfrmChange.AddState;
import io.vxseal.kernel.xfrm.XfrmChange.DeletePolicy;
import io.vxseal.kernel.xfrm.XfrmChange.DeleteState;
import io.vxseal.kernel.xfrm.XfrmChange.PutPolicy;
import java.net.InetAddress;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Tests of policies, read with iproute2, and of states on a kernel without ESP. */
class XfrmPolicyTest {
    private static final int MARK = 0x76d0c4e3;
    private static final SecurityPolicy.Id ID = id("10.55.0.1/32", "10.55.0.2/32");

    /** The built-in driver's policy for the same two nodes, as iproute2 makes it: no label. */
    private static final String THEIRS = "ip xfrm policy %s dir out src 10.55.0.1/32 dst 10.55.0.2/32 proto udp dport 4789"
            + " mark 0xd0c4e3 mask 0xffffffff%s";

    private static final String THEIR_TEMPLATE = " priority 0 tmpl src 10.55.0.1 dst 10.55.0.2 proto esp spi 0x11111111"
            + " reqid 13681891 mode transport";

    @TempDir
    Path folder;

    private TestHost host;
    private Xfrm xfrm;

    @BeforeEach
    void open() throws Exception {
        host = new TestHost(folder.resolve("net"));
        xfrm = Xfrm.in(host.namespace);
    }

    @AfterEach
    void close() throws Exception {
        xfrm.close();
        host.close();
    }

    private static SecurityPolicy.Id id(String source, String destination) {
        return new SecurityPolicy.Id(Cidr.parse(source), Cidr.parse(destination), 4789, MARK);
    }

    private static SecurityPolicy seal(SecurityPolicy.Id id, int spi) {
        return new SecurityPolicy(id, new Action.Seal(spi));
    }

    /** Returns what iproute2 lists, on one line with single spaces; with -s it prints the selector's user field as uid. */
    private String listed() {
        return host.run("ip -s xfrm policy list").replaceAll("\\s+", " ").strip();
    }

    private int count() {
        return listed().split(" dir out ", -1).length - 1;
    }

    @Test
    void putsSealLikeBuiltInDriverWithLabelAndMark() throws Exception {
        SecurityPolicy policy = seal(ID, 0x9a3b4c5d);
        assertThat(xfrm.apply(List.of(new PutPolicy(policy)))).isEmpty();

        assertThat(listed())
                .startsWith("src 10.55.0.1/32 dst 10.55.0.2/32 proto udp dport 4789 uid 1987605349 dir out action allow")
                .contains(" priority 0 ")
                .contains(" mark 0x76d0c4e3/0xffffffff ")
                .contains("tmpl src 10.55.0.1 dst 10.55.0.2 proto esp spi 0x9a3b4c5d(2587577437) "
                        + "reqid 13681891(0x00d0c4e3) mode transport level required share any "
                        + "enc-mask ffffffff auth-mask ffffffff comp-mask ffffffff")
                .contains("limit: soft (INF)(bytes), hard (INF)(bytes) limit: soft (INF)(packets), hard (INF)(packets)");
        assertThat(xfrm.policies()).containsExactly(policy);
    }

    @Test
    void putsBlockAfterPoliciesThatSeal() throws Exception {
        var block = new SecurityPolicy(id("0.0.0.0/0", "0.0.0.0/0"), new Action.Block());
        assertThat(xfrm.apply(List.of(new PutPolicy(block)))).isEmpty();

        assertThat(listed())
                .startsWith("src 0.0.0.0/0 dst 0.0.0.0/0 proto udp dport 4789 uid 1987605349 dir out action block")
                .contains(" priority 1000 ")
                .contains(" mark 0x76d0c4e3/0xffffffff")
                .doesNotContain("tmpl");
        assertThat(xfrm.policies()).containsExactly(block);
    }

    @Test
    void putsAndListsIpv6Policies() throws Exception {
        var seal = seal(id("fd00:55::1/128", "fd00:55::2/128"), 0x10);
        var block = new SecurityPolicy(id("::/0", "::/0"), new Action.Block());
        assertThat(xfrm.apply(List.of(new PutPolicy(seal), new PutPolicy(block)))).isEmpty();
        assertThat(listed())
                .contains("src fd00:55::1/128 dst fd00:55::2/128 proto udp dport 4789")
                .contains("tmpl src fd00:55::1 dst fd00:55::2 proto esp spi 0x00000010(16)")
                .contains("src ::/0 dst ::/0");
        assertThat(xfrm.policies()).containsExactlyInAnyOrder(seal, block);
        assertThat(xfrm.apply(List.of(new DeletePolicy(seal.id()), new DeletePolicy(block.id())))).isEmpty();
        assertThat(listed()).isEmpty();
    }

    @Test
    void putReplacesPolicyInPlace() throws Exception {
        xfrm.apply(List.of(new PutPolicy(seal(ID, 1))));
        assertThat(xfrm.apply(List.of(new PutPolicy(seal(ID, 2))))).isEmpty();
        assertThat(xfrm.policies()).containsExactly(seal(ID, 2));
        assertThat(count()).isEqualTo(1);
    }

    @Test
    void deleteAcceptsMissingPolicy() throws Exception {
        xfrm.apply(List.of(new PutPolicy(seal(ID, 1))));
        assertThat(xfrm.apply(List.of(new DeletePolicy(ID), new DeletePolicy(ID)))).isEmpty();
        assertThat(listed()).isEmpty();
    }

    @Test
    void policyCoexistsWithBuiltInDriversForSameNodes() throws Exception {
        host.run(THEIRS.formatted("add", THEIR_TEMPLATE));
        assertThat(xfrm.policies()).isEmpty();

        assertThat(xfrm.apply(List.of(new PutPolicy(seal(ID, 2))))).isEmpty();
        assertThat(xfrm.apply(List.of(new PutPolicy(seal(ID, 3))))).isEmpty();
        assertThat(count()).isEqualTo(2);
        assertThat(listed()).contains("spi 0x11111111").contains("spi 0x00000003");

        assertThat(xfrm.apply(List.of(new DeletePolicy(ID)))).isEmpty();
        assertThat(xfrm.apply(List.of(new DeletePolicy(ID)))).isEmpty();
        assertThat(count()).isEqualTo(1);
        assertThat(listed()).contains("spi 0x11111111");
    }

    @Test
    void builtInDriversRemovalKeepsOurPolicy() throws Exception {
        xfrm.apply(List.of(new PutPolicy(seal(ID, 2))));
        host.run(THEIRS.formatted("add", THEIR_TEMPLATE));
        host.run(THEIRS.formatted("delete", ""));
        assertThat(xfrm.policies()).containsExactly(seal(ID, 2));
        assertThat(count()).isEqualTo(1);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            action block                                                                              | true
            action allow                                                                              | false
            action allow tmpl proto esp mode transport                                                | false
            action allow tmpl proto esp reqid 13681891 mode transport                                 | false
            action allow tmpl proto esp reqid 1 mode transport                                        | true
            action allow tmpl src 10.55.0.2 dst 10.55.0.1 proto esp mode tunnel                       | true
            action allow tmpl proto ah mode transport                                                 | true
            action allow tmpl proto esp spi 7 mode transport                                          | true
            action allow tmpl proto comp mode transport level use tmpl proto esp mode transport       | false
            action allow tmpl proto ah mode transport tmpl proto esp mode transport                   | true
            """)
    void tellsWhichForeignPoliciesDropWhatIsOpened(String policy, boolean drops) throws Exception {
        host.run("ip xfrm policy add dir in src 10.55.0.0/24 dst 10.55.0.1/32 proto udp dport 4789 priority 9 " + policy);
        host.run("ip xfrm policy add dir fwd src 10.55.0.0/24 dst 10.55.0.1/32 action block");
        assertThat(xfrm.policies()).isEmpty();
        assertThat(xfrm.listedPolicies()).singleElement().isInstanceOfSatisfying(ForeignPolicy.class, foreign -> {
            assertThat(foreign).hasToString("policy in 10.55.0.0/24 -> 10.55.0.1/32 priority 9");
            assertThat(foreign.drops()).isEqualTo(drops);
            assertThat(foreign.takesAt(InetAddress.ofLiteral("10.55.0.1"), 4789)).isTrue();
            assertThat(foreign.takesAt(InetAddress.ofLiteral("10.55.0.1"), 4800)).isFalse();
            assertThat(foreign.takesAt(InetAddress.ofLiteral("10.55.0.2"), 4789)).isFalse();
            assertThat(foreign.takesFrom(InetAddress.ofLiteral("10.55.0.2"), 4789, MARK)).isFalse();
        });
    }

    @Test
    void policiesOfDifferentMarksAreDistinct() throws Exception {
        var other = new SecurityPolicy.Id(ID.source(), ID.destination(), 4789, 7);
        xfrm.apply(List.of(new PutPolicy(seal(ID, 1)), new PutPolicy(seal(other, 1))));
        assertThat(xfrm.policies()).containsExactlyInAnyOrder(seal(ID, 1), seal(other, 1));
        xfrm.apply(List.of(new DeletePolicy(other)));
        assertThat(xfrm.policies()).containsExactly(seal(ID, 1));
    }

    @Test
    void labelDoesNotAffectWhichPacketsMatch() throws Exception {
        host.run("ip address add 10.55.0.1/24 dev lo");
        host.run("ip link add wire type veth peer name eriw");
        host.run("ip link set wire up");
        host.run("ip address add 10.56.0.1/24 dev wire");
        host.run("ip neigh add 10.56.0.2 lladdr 02:42:00:00:00:01 dev wire");
        var toThem = new SecurityPolicy(id("0.0.0.0/0", "10.56.0.2/32"), new Action.Block());
        assertThat(outcomeOfMarkedDatagram()).isEqualTo("sent");
        xfrm.apply(List.of(new PutPolicy(toThem)));
        assertThat(outcomeOfMarkedDatagram()).contains("Operation not permitted");
        assertThat(host.run("grep XfrmOutPolBlock /proc/self/net/xfrm_stat")).matches("\\S+\\s+[1-9]\\d*\\s*");
        xfrm.apply(List.of(new DeletePolicy(toThem.id())));
        assertThat(outcomeOfMarkedDatagram()).isEqualTo("sent");
    }

    /** Sends a datagram that an iptables rule marks, as real ones are marked. */
    private String outcomeOfMarkedDatagram() throws Exception {
        host.run("iptables-nft -w -t mangle -F");
        host.run("iptables-nft -w -t mangle -A OUTPUT -p udp --dport 4789 -j MARK --set-mark 0x76d0c4e3");
        return host.attempt(List.of("bash", "-c", "echo x > /dev/udp/10.56.0.2/4789 && echo -n sent")).output();
    }

    @Test
    void appliesThousandsOfPoliciesInOneCall() throws Exception {
        List<SecurityPolicy> policies = IntStream.range(0, 2000)
                .mapToObj(i -> seal(id("10.55.0.1/32", "10.57." + i / 200 + "." + i % 200 + "/32"), i + 1))
                .toList();
        assertThat(xfrm.apply(policies.stream().<XfrmChange>map(PutPolicy::new).toList())).isEmpty();
        assertThat(xfrm.policies()).containsExactlyInAnyOrderElementsOf(policies);
        assertThat(xfrm.apply(policies.stream().<XfrmChange>map(p -> new DeletePolicy(p.id())).toList())).isEmpty();
        assertThat(listed()).isEmpty();
    }

    @Test
    void refusedChangeDoesNotPreventOthers() throws Exception {
        var wrong = new PutPolicy(seal(id("fd00::1/128", "10.55.0.2/32"), 1));
        List<XfrmRefusal> failures =
                xfrm.apply(List.of(new PutPolicy(seal(ID, 1)), wrong, new PutPolicy(seal(ID, 2))));
        assertThat(xfrm.policies()).containsExactly(seal(ID, 2));
        assertThat(failures).extracting(XfrmRefusal::change).containsExactly(wrong);
        assertThat(failures.getFirst().reason())
                .hasMessageStartingWith("put policy out fd00:0:0:0:0:0:0:1/128 -> 10.55.0.2/32 udp port 4789 mark 0x76d0c4e3")
                .hasMessageContaining("EINVAL")
                .hasMessageContaining("prefix");
    }

    @Test
    void servesConcurrentThreads() throws Exception {
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            var done = new ArrayList<Future<List<XfrmRefusal>>>();
            for (int i = 0; i < 40; i++) {
                var policy = seal(id("10.55.0.1/32", "10.55.1." + i + "/32"), i + 1);
                done.add(threads.submit(() -> {
                    xfrm.policies();
                    return xfrm.apply(List.of(new PutPolicy(policy)));
                }));
            }
            for (var each : done) {
                assertThat(each.get()).isEmpty();
            }
        }
        assertThat(xfrm.policies()).hasSize(40);
    }

    @Test
    void namesModulesThatKernelWithoutEspLacks() throws Exception {
        var state = new SecurityAssociation(
                new SecurityAssociation.Id(
                        InetAddress.ofLiteral("10.55.0.1"), InetAddress.ofLiteral("10.55.0.2"), 0x12345678),
                new AeadKey(new byte[20]));
        List<XfrmRefusal> failures = xfrm.apply(List.of(new AddState(state)));
        Assumptions.assumeFalse(failures.isEmpty(), "this kernel has ESP with AES-GCM");

        assertThat(failures).hasSize(1);
        assertThat(failures.getFirst().change()).isEqualTo(new AddState(state));
        assertThat(failures.getFirst().reason())
                .hasMessageStartingWith("add SA 10.55.0.1 -> 10.55.0.2 spi 0x12345678: ENOSYS")
                .hasMessageContaining("Requested AEAD algorithm not found")
                .hasMessageContaining("modprobe -a gcm seqiv");
        assertThat(xfrm.states()).isEmpty();
        assertThat(xfrm.apply(List.of(new DeleteState(state.id())))).isEmpty();
    }
}
