package io.vxseal.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.address.Cidr;
import io.vxseal.address.MacAddress;
import io.vxseal.address.NodeAddresses;
import io.vxseal.cluster.ClusterStatus;
import io.vxseal.cluster.ring.RingStatus;
import io.vxseal.encryption.PeerTraffic;
import io.vxseal.encryption.Tally;
import io.vxseal.kernel.firewall.Drops;
import io.vxseal.overlay.Endpoint;
import io.vxseal.overlay.KernelCounters;
import io.vxseal.overlay.Network;
import io.vxseal.overlay.Overview;
import io.vxseal.overlay.Subnet;
import io.vxseal.overlay.watch.Condition;
import io.vxseal.peers.Peer;
import io.vxseal.services.ServiceProxy;
import io.vxseal.swarm.Role;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class ExpositionTest {
    private static final InetAddress HERE = InetAddress.ofLiteral("192.0.2.11");
    private static final InetAddress THERE = InetAddress.ofLiteral("192.0.2.12");
    private static final Instant NOW = Instant.parse("2026-03-01T12:00:00Z");

    private static final KernelCounters KERNEL =
            new KernelCounters(Map.of("XfrmInNoStates", 5L), new Drops(3, 2), new Drops(1, 0));

    private final CallStats calls = new CallStats();

    private static Overview overview() {
        Network network = new Network("sealednet", true, 1424,
                List.of(new Subnet(Cidr.parse("10.0.1.0/24"), Cidr.parse("10.0.1.1/24"), 4097)));
        return new Overview(
                Optional.of(new NodeAddresses(HERE, HERE)),
                List.of(new Overview.Attached(network, true,
                        List.of(new Endpoint("one", "sealednet", Cidr.parse("10.0.1.2/24"), MacAddress.parse("02:42:0a:00:01:02"), true, "")),
                        List.of(new Peer("sealednet", "two", Cidr.parse("10.0.1.3/24"), MacAddress.parse("02:42:0a:00:01:03"), THERE)))),
                List.of(new ServiceProxy.Service("sealednet", "web", List.of(address("10.0.1.9")),
                                List.of(address("10.0.1.2"), address("10.0.1.3")), List.of(address("10.0.1.4"))),
                        new ServiceProxy.Service("sealednet", "without-vip", List.of(), List.of(address("10.0.1.5")), List.of())),
                List.of("endpoint three: no namespace"),
                Optional.of("iptables-nft"),
                new Tally(4, 2),
                Optional.of(new Tally(3, 2)),
                List.of(new PeerTraffic(THERE, NOW, 1500, 3, 84, 1)),
                List.of("a foreign policy"),
                List.of(new Condition(Condition.Kind.OBSTACLE, "a foreign policy", "a foreign policy", NOW)),
                new Overview.Repaired(1, 6, 0, 0),
                List.of());
    }

    private static InetAddress address(String text) {
        return InetAddress.ofLiteral(text);
    }

    private static ClusterStatus cluster(boolean external) {
        return new ClusterStatus(Optional.of("swarmid"), Optional.of("nodeid"), Optional.empty(),
                List.of(new ClusterStatus.Member("nodeid", Optional.of(Role.MANAGER), Optional.of(HERE), 1, Duration.ofHours(1))),
                List.of(new ClusterStatus.Hub("nodeid", Optional.empty(), Duration.ofHours(1), true, Optional.empty()),
                        new ClusterStatus.Hub("other", Optional.of(THERE), Duration.ofMinutes(1), false, Optional.of(Duration.ofSeconds(2)))),
                List.of(new ClusterStatus.Session("other", Role.WORKER, Duration.ofMinutes(1), 3)),
                Optional.of(new RingStatus(List.of(new RingStatus.KnownKey(7, Duration.ofHours(1))), 9, "nodeid",
                        NOW.minus(Duration.ofHours(3)), external)),
                Map.of("too many connections", 7L, "ring too far ahead", 3L), Map.of("ADDRESS_TAKEN", 1), List.of());
    }

    /** Returns a sample with something in every metric. */
    static Sample sample() {
        return sample(1);
    }

    /** Returns the sample of a scrape: with each there is one more call of the engine and one more packet that IPsec drops. */
    static Sample sample(int scrape) {
        CallStats calls = new CallStats();
        for (int call = 0; call < scrape; call++) {
            calls.add("Join", Duration.ofMillis(7));
        }
        KernelCounters kernel = new KernelCounters(Map.of("XfrmInNoStates", 4L + scrape), KERNEL.rules(), KERNEL.priority());
        return new Sample("0.1.0", overview(), kernel, cluster(false), Duration.ofHours(12), calls, NOW);
    }

    private String print(ClusterStatus cluster) {
        return new String(Exposition.print(new Sample("0.1.0", overview(),
                KERNEL, cluster, Duration.ofHours(12), calls, NOW)), StandardCharsets.UTF_8);
    }

    @Test
    void promtoolFindsNothingToCriticise() throws Exception {
        calls.add("Join", Duration.ofMillis(7));
        assertThat(Promtool.run(print(cluster(false)).getBytes(StandardCharsets.UTF_8), "check", "metrics"))
                .isEqualTo(new Promtool.Outcome(0, ""));
    }

    @Test
    void promtoolRejectsWhatIsNoExposition() throws Exception {
        assertThat(Promtool.run("vxseal_hubs{ 1\n".getBytes(StandardCharsets.UTF_8), "check", "metrics").status()).isNotZero();
    }

    @Test
    void showsNodeAndCluster() {
        calls.add("Join", Duration.ofMillis(7));
        assertThat(print(cluster(false)).lines()).contains(
                "vxseal_build_info{version=\"0.1.0\"} 1",
                "vxseal_node_info{node=\"nodeid\",swarm=\"swarmid\"} 1",
                "vxseal_networks{encrypted=\"true\"} 1.0",
                "vxseal_networks{encrypted=\"false\"} 0.0",
                "vxseal_networks_up{encrypted=\"true\"} 1.0",
                "vxseal_endpoints{where=\"local\"} 1.0",
                "vxseal_endpoints{where=\"remote\"} 1.0",
                "vxseal_xfrm_states_wanted 4.0",
                "vxseal_xfrm_states_found 3.0",
                "vxseal_xfrm_policies_wanted 2.0",
                "vxseal_xfrm_policies_found 2.0",
                "vxseal_obstacles 1.0",
                "vxseal_conditions{kind=\"obstacle\"} 1.0",
                "vxseal_conditions{kind=\"no_hub\"} 0.0",
                "vxseal_peer_sealed_bytes_total{node=\"192.0.2.12\"} 1500.0",
                "vxseal_peer_sealed_packets_total{node=\"192.0.2.12\"} 3.0",
                "vxseal_peer_opened_bytes_total{node=\"192.0.2.12\"} 84.0",
                "vxseal_peer_opened_packets_total{node=\"192.0.2.12\"} 1.0",
                "vxseal_xfrm_errors_total{reason=\"XfrmInNoStates\"} 5.0",
                "vxseal_cleartext_dropped_packets_total{barrier=\"rules\",direction=\"in\"} 3.0",
                "vxseal_cleartext_dropped_packets_total{barrier=\"rules\",direction=\"out\"} 2.0",
                "vxseal_cleartext_dropped_packets_total{barrier=\"priority\",direction=\"in\"} 1.0",
                "vxseal_cleartext_dropped_packets_total{barrier=\"priority\",direction=\"out\"} 0.0",
                "vxseal_services 1.0",
                "vxseal_service_backends{state=\"active\"} 2.0",
                "vxseal_service_backends{state=\"draining\"} 1.0",
                "vxseal_endpoints_without_services 1.0",
                "vxseal_repairs_total{kind=\"states_and_policies\"} 6.0",
                "vxseal_members 1.0",
                "vxseal_hubs 2.0",
                "vxseal_hubs_up_to_date 1.0",
                "vxseal_hub_sessions 1.0",
                "vxseal_hub_session_lag_nodes 3.0",
                "vxseal_ring_version 9.0",
                "vxseal_ring_keys 1.0",
                "vxseal_ring_age_seconds 10800.0",
                "vxseal_ring_next_rotation_seconds 32400.0",
                "vxseal_refusals_total{reason=\"too many connections\"} 7.0",
                "vxseal_refusals_total{reason=\"ring too far ahead\"} 3.0",
                "vxseal_refused_claims{reason=\"address_taken\"} 1.0",
                "vxseal_call_duration_seconds_bucket{method=\"Join\",le=\"0.005\"} 0",
                "vxseal_call_duration_seconds_bucket{method=\"Join\",le=\"0.01\"} 1",
                "vxseal_call_duration_seconds_bucket{method=\"Join\",le=\"+Inf\"} 1",
                "vxseal_call_duration_seconds_count{method=\"Join\"} 1",
                "vxseal_call_duration_seconds_sum{method=\"Join\"} 0.007");
    }

    @Test
    void leavesOutRotationOfEnginesKeys() {
        assertThat(print(cluster(true))).contains("vxseal_ring_version").doesNotContain("vxseal_ring_next_rotation");
    }

    @Test
    void showsProcessUnderItsUsualNames() {
        assertThat(print(cluster(false))).contains(
                "process_resident_memory_bytes ", "process_cpu_seconds_total ", "process_start_time_seconds ");
    }
}
