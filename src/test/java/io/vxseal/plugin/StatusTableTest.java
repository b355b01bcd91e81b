package io.vxseal.plugin;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.cluster.ClusterStatus;
import io.vxseal.metrics.CallStats;
import io.vxseal.overlay.Overview;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

class StatusTableTest {
    private static final StatusReply STATUS = new StatusReply(
            "0.1.0",
            "2026-03-01T12:00:00Z",
            new StatusReply.Node("n2d0w1l9", "k3vx8q", "192.0.2.11", "192.0.2.11"),
            new StatusReply.Cluster(
                    null,
                    0,
                    new TreeMap<>(Map.of("too many connections", 7L)),
                    new TreeMap<>(Map.of("ADDRESS_TAKEN", 1)),
                    List.of(new ClusterStatus.Claim("n2d0w1l9", "x1tn53m6e8ylk0oz4cdq7vbw2", "d", "claim of another endpoint's address"),
                            new ClusterStatus.Claim("q4", "", "", "claim of another node's VTEP")),
                    List.of(
                            new StatusReply.Hub("m7f4c0za", null, 12_100, true, null),
                            new StatusReply.Hub("m9x2", "192.0.2.12", 40, false, 2L)),
                    List.of(new StatusReply.Session("n2d0w1l9", "worker", 12_100, 3)),
                    List.of(
                            new StatusReply.Member("m7f4c0za", "manager", "192.0.2.10", 2, 360_100),
                            new StatusReply.Member("n2d0w1l9", "worker", "192.0.2.11", 1, 12_100))),
            new StatusReply.Ring(
                    9,
                    "m7f4c0za",
                    "2026-03-01T09:00:00Z",
                    10_800L,
                    false,
                    List.of(
                            new StatusReply.Key(731_190_113, true, 12_100),
                            new StatusReply.Key(731_190_112, false, 12_100),
                            new StatusReply.Key(731_190_114, false, 10_799))),
            List.of(new StatusReply.Network(
                    "x1tn53m6e8ylk0oz4cdq7vbw2",
                    null,
                    true,
                    true,
                    List.of(new StatusReply.Subnet("10.0.1.0/24", "10.0.1.1/24", 4097)),
                    List.of(
                            new StatusReply.Attached("a", "10.0.1.3/24", "02:42:0a:00:01:03", true, true, "192.0.2.11"),
                            new StatusReply.Attached("b", "10.0.1.4/24", "02:42:0a:00:01:04", false, true, "192.0.2.10"),
                            new StatusReply.Attached("c", "10.0.1.5/24", "02:42:0a:00:01:05", false, true, "192.0.2.10")))),
            List.of(new StatusReply.Service(
                    "x1tn53m6e8ylk0oz4cdq7vbw2", "web", List.of("10.0.1.9"), List.of("10.0.1.3", "10.0.1.4"), List.of("10.0.1.5"))),
            List.of("endpoint a: the kernel lacks nf_tables"),
            new StatusReply.Ipsec(4, 4, 2, 2),
            "iptables-nft",
            List.of("policy out 10.0.0.0/8 -> 10.0.0.0/8 priority 0\ncomes before ours"),
            List.of(new StatusReply.Condition("path_silent", "192.0.2.10", "2026-03-01T11:58:00Z", 120, "node 192.0.2.10: silent")),
            new Overview.Repaired(0, 6, 0, 0),
            new TreeMap<>(Map.of(
                    "CreateEndpoint", new CallStats.Tally(3, 1.25, 2.5), "Join", new CallStats.Tally(3, 4.123, 10.04))),
            List.of(new StatusReply.Failure(
                    "2026-03-01T08:38:12Z", 2, "/NetworkDriver.Join", "encryption key is\nnot \u001b[31mpresent")));

    @Test
    void alignsColumnsAndRemovesControlCharacters() {
        assertThat(StatusTable.print(STATUS)).isEqualTo("""
                vxseal       0.1.0
                node         n2d0w1l9
                swarm        k3vx8q
                address      192.0.2.11
                firewall     iptables-nft
                refused      0 messages
                in the way   policy out 10.0.0.0/8 -> 10.0.0.0/8 priority 0 comes before ours
                trouble      for 2m 0s: node 192.0.2.10: silent
                no services  endpoint a: the kernel lacks nf_tables

                HUB       ADDRESS     SESSION  UP TO DATE
                m7f4c0za  here        3h 21m   yes
                m9x2      192.0.2.12  40s      no

                SESSION OF  ROLE    AGE     LAG
                n2d0w1l9    worker  3h 21m  3

                MEMBER    ROLE     ADDRESS     ENDPOINTS  AGE
                m7f4c0za  manager  192.0.2.10  2          4d 4h
                n2d0w1l9  worker   192.0.2.11  1          3h 21m

                REFUSED          REASON                COUNT
                claims now       ADDRESS_TAKEN         1
                since the start  too many connections  7

                CLAIM OF  NETWORK                    ENDPOINT  REFUSED AS
                n2d0w1l9  x1tn53m6e8ylk0oz4cdq7vbw2  d         claim of another endpoint's address
                q4        all                        all       claim of another node's VTEP

                RING 9, by m7f4c0za, changed 3h 0m ago
                KEY            USE            KNOWN FOR
                tag 731190113  send, receive  3h 21m
                tag 731190112  receive        3h 21m
                tag 731190114  receive        2h 59m

                NETWORK                    ENCRYPTED  UP   VNI   SUBNET       ENDPOINTS HERE  ELSEWHERE
                x1tn53m6e8ylk0oz4cdq7vbw2  yes        yes  4097  10.0.1.0/24  1               2

                SERVICE  NETWORK                    ADDRESS   TASKS  DRAINING
                web      x1tn53m6e8ylk0oz4cdq7vbw2  10.0.1.9  2      10.0.1.5

                IPSEC     WANTED  FOUND
                states    4       4
                policies  2       2

                REPAIRED         RULES  STATES AND POLICIES  LINKS  ENTRIES
                since the start  0      6                    0      0

                CALL            COUNT  MEAN ms  SLOWEST ms
                CreateEndpoint  3      1.3      2.5
                Join            3      4.1      10.0

                LAST ERROR            TIMES  WHERE                WHAT
                2026-03-01T08:38:12Z  2      /NetworkDriver.Join  encryption key is not  [31mpresent
                """);
    }

    @Test
    void namesNetworksWhereTheEngineGaveNames() {
        StatusReply.Network known = STATUS.networks().getFirst();
        StatusReply.Network named = new StatusReply.Network(
                known.id(), "my-net", known.encrypted(), known.up(), known.subnets(), known.endpoints());
        StatusReply.Network other = new StatusReply.Network("b", null, false, false, List.of(), List.of());
        StatusReply status = new StatusReply(STATUS.version(), STATUS.time(), STATUS.node(), STATUS.cluster(), null, List.of(named, other),
                STATUS.services(), List.of(), STATUS.ipsec(), null, List.of(), List.of(), STATUS.repairs(), STATUS.calls(), List.of());
        assertThat(StatusTable.print(status)).contains("""
                NETWORK                    NAME    ENCRYPTED  UP   VNI   SUBNET       ENDPOINTS HERE  ELSEWHERE
                x1tn53m6e8ylk0oz4cdq7vbw2  my-net  yes        yes  4097  10.0.1.0/24  1               2
                b                          -       no         no   -     -            0               0

                SERVICE  NETWORK  ADDRESS   TASKS  DRAINING
                web      my-net   10.0.1.9  2      10.0.1.5
                """);
    }

    @Test
    void printsDashForUnknown() {
        StatusReply early = new StatusReply(
                "0.1.0",
                "2026-03-01T12:00:00Z",
                new StatusReply.Node(null, null, null, null),
                new StatusReply.Cluster(
                        "waiting for certificates", 0, new TreeMap<>(), new TreeMap<>(), List.of(), List.of(), List.of(), List.of()),
                null,
                List.of(),
                List.of(),
                List.of(),
                new StatusReply.Ipsec(0, null, 0, null),
                null,
                List.of(),
                List.of(),
                new Overview.Repaired(0, 0, 0, 0),
                new TreeMap<>(),
                List.of());
        assertThat(StatusTable.print(early))
                .startsWith("vxseal    0.1.0\nnode      -\nswarm     -\naddress   -\n")
                .contains("problem   waiting for certificates\n", "states    0       -\n")
                .contains("(none)")
                .doesNotContain("RING", "null");
    }
}
