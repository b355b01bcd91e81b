package io.vxseal.cluster.hub;

import static io.vxseal.cluster.record.TestRecords.SUBNETS;
import static io.vxseal.cluster.record.TestRecords.endpoint;
import static io.vxseal.cluster.record.TestRecords.manager;
import static io.vxseal.cluster.record.TestRecords.vtep;
import static io.vxseal.cluster.record.TestRecords.worker;
import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.address.Cidr;
import io.vxseal.address.MacAddress;
import io.vxseal.cluster.record.EndpointRecord;
import io.vxseal.cluster.record.NetworkRecord;
import io.vxseal.cluster.record.NodeRecord;
import io.vxseal.cluster.record.RefusedClaim;
import io.vxseal.cluster.record.RefusedClaim.Reason;
import io.vxseal.cluster.record.SubnetRecord;
import io.vxseal.swarm.Role;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.junit.jupiter.api.Test;

class ClaimsTest {
    private final Claims claims = new Claims();

    private void claim(NodeRecord record) {
        claims.update(record.node(), Optional.of(record));
    }

    private List<Reason> refused(String node) {
        return claims.judged(node).orElseThrow().refused().stream().map(RefusedClaim::reason).toList();
    }

    private List<String> effective(String node) {
        return claims.judged(node).orElseThrow().effective().networks().stream()
                .flatMap(network -> network.endpoints().stream()).map(EndpointRecord::id).toList();
    }

    private static EndpointRecord since(EndpointRecord endpoint, long when) {
        return endpoint.admitted(when);
    }

    @Test
    void refusesGatewayFirstAndLastAddress() {
        claim(worker("w1", 1, 1, endpoint(0), endpoint(1), endpoint(255), endpoint(7)));
        assertThat(refused("w1")).containsExactly(Reason.RESERVED_ADDRESS, Reason.RESERVED_ADDRESS, Reason.RESERVED_ADDRESS);
        assertThat(effective("w1")).containsExactly("ep7");
    }

    @Test
    void refusesAddressOutsideTheSubnets() {
        Cidr outside = Cidr.parse("10.45.0.9/24");
        claim(worker("w1", 1, 1, new EndpointRecord("ep", outside, MacAddress.of(outside.address()), 0)));
        assertThat(refused("w1")).containsExactly(Reason.OUTSIDE_SUBNETS);
    }

    @Test
    void managersDefinitionOfSubnetsOverridesTheClaimants() {
        Cidr outside = Cidr.parse("10.45.0.9/24");
        NodeRecord liar = new NodeRecord("w1", Role.WORKER, 1, 1, vtep(1), 0, false, false, false, List.of(new NetworkRecord("net",
                List.of(new SubnetRecord(Cidr.parse("10.0.0.0/8"), InetAddress.ofLiteral("10.0.0.1"))),
                List.of(new EndpointRecord("ep", outside, MacAddress.of(outside.address()), 0)))));
        claim(liar);
        assertThat(refused("w1")).as("no manager has the network").isEmpty();
        claim(manager("m1", 9, SUBNETS));
        assertThat(refused("w1")).containsExactly(Reason.OUTSIDE_SUBNETS);
        claims.update("m1", Optional.empty());
        assertThat(refused("w1")).isEmpty();
    }

    @Test
    void refusesGroupAndZeroMac() {
        EndpointRecord good = endpoint(7);
        claim(worker("w1", 1, 1, new EndpointRecord("group", good.address(), new MacAddress(0x01005e000001L), 0),
                new EndpointRecord("zero", endpoint(8).address(), new MacAddress(0), 0)));
        assertThat(refused("w1")).containsExactly(Reason.BAD_MAC, Reason.BAD_MAC);
    }

    @Test
    void refusesVtepThatIsNoUnicastAddress() {
        refusesVteps(vtep(200), "0.0.0.0", "224.0.0.1", "255.255.255.255", "127.0.0.1", "2001:db8::1");
        refusesVteps(InetAddress.ofLiteral("fd00::200"), "::", "ff02::1", "::1", "10.0.0.1", "::ffff:10.0.0.1");
    }

    private void refusesVteps(InetAddress own, String... all) {
        claims.self(own);
        int n = 0;
        for (String bad : all) {
            NodeRecord record = new NodeRecord("w" + n++, Role.WORKER, 1, 1, InetAddress.ofLiteral(bad), 0, false, false, false,
                    worker("w", 1, 1, endpoint(7)).networks());
            claim(record);
            assertThat(refused(record.node())).as(bad).containsExactly(Reason.BAD_VTEP);
            assertThat(effective(record.node())).isEmpty();
        }
    }

    @Test
    void secondClaimWaitsUntilTheFirstEnds() {
        claim(worker("w1", 1, 1, since(endpoint("a", 7), 100)));
        claim(worker("w2", 1, 2, since(endpoint("b", 7), 200)));
        assertThat(effective("w1")).containsExactly("a");
        assertThat(refused("w2")).containsExactly(Reason.ADDRESS_TAKEN);
        assertThat(claims.update("w1", Optional.of(worker("w1", 2, 1)))).containsExactlyInAnyOrder("w1", "w2");
        assertThat(effective("w2")).containsExactly("b");
    }

    @Test
    void firstClaimantKeepsMacAndEndpointId() {
        claim(worker("w1", 1, 1, since(endpoint("a", 7), 100)));
        EndpointRecord sameMac = new EndpointRecord("b", endpoint(8).address(), endpoint(7).mac(), 200);
        EndpointRecord sameId = new EndpointRecord("a", endpoint(9).address(), endpoint(9).mac(), 200);
        claim(worker("w2", 1, 2, sameMac, sameId));
        assertThat(refused("w2")).containsExactly(Reason.MAC_TAKEN, Reason.ENDPOINT_TAKEN);
        assertThat(claims.refused().values().stream().flatMap(List::stream).map(RefusedClaim::reason))
                .containsExactlyInAnyOrder(Reason.MAC_TAKEN, Reason.ENDPOINT_TAKEN);
    }

    @Test
    void vtepOfLiveNodeIsRefusedAndOfSilentNodeIsGiven() {
        claim(worker("w1", 1, 1, endpoint(7)));
        NodeRecord second = new NodeRecord("w2", Role.WORKER, 1, 1, vtep(1), 5, false, false, false, List.of());
        claim(second);
        assertThat(refused("w2")).containsExactly(Reason.VTEP_TAKEN);
        assertThat(claims.isReplaced("w1")).isFalse();
        claim(worker("w1", 1, 1, endpoint(7)).silent(true));
        assertThat(refused("w2")).isEmpty();
        assertThat(refused("w1")).containsExactly(Reason.VTEP_TAKEN);
        assertThat(claims.isReplaced("w1")).isTrue();
    }

    @Test
    void admissionOfNewClaimIsLaterThanThatOfItsRivals() {
        claim(worker("w1", 1, 1, since(endpoint("a", 7), 5000)));
        assertThat(claims.latest(worker("w2", 1, 2).networks().getFirst(), endpoint("b", 7))).isEqualTo(5000);
        assertThat(claims.latest(worker("w2", 1, 2).networks().getFirst(), endpoint("b", 8))).isZero();
    }

    /** @param numbers of the endpoints, which are addresses as well */
    record Step(int node, boolean gone, List<Integer> numbers, int since) {}

    @Provide
    Arbitrary<List<Step>> steps() {
        return Combinators.combine(Arbitraries.integers().between(1, 4), Arbitraries.of(true, false, false),
                        Arbitraries.integers().between(2, 6).list().uniqueElements().ofMaxSize(4), Arbitraries.integers().between(1, 9))
                .as(Step::new).list().ofMaxSize(40);
    }

    /** Whatever the order of records, of all that claim an address the earliest has it, and nobody else. */
    @Property(tries = 500)
    void earliestClaimantAloneHasEachAddress(@ForAll("steps") List<Step> steps) {
        Claims tested = new Claims();
        Map<String, NodeRecord> all = new HashMap<>();
        long revision = 0;
        for (Step step : steps) {
            String node = "w" + step.node();
            EndpointRecord[] endpoints = step.numbers().stream()
                    .map(number -> since(endpoint(node + "-" + number, number), step.since())).toArray(EndpointRecord[]::new);
            Optional<NodeRecord> record = step.gone() ? Optional.empty() : Optional.of(worker(node, ++revision, step.node(), endpoints));
            Map<String, Claims.Judged> before = new HashMap<>();
            all.keySet().forEach(each -> before.put(each, tested.judged(each).orElseThrow()));
            record.ifPresentOrElse(r -> all.put(node, r), () -> all.remove(node));
            var changed = tested.update(node, record);
            Map<Integer, List<NodeRecord>> claimants = new HashMap<>();
            all.values().forEach(r -> r.networks().getFirst().endpoints().forEach(e -> claimants
                    .computeIfAbsent(number(e), _ -> new ArrayList<>()).add(r)));
            for (NodeRecord each : all.values()) {
                Claims.Judged now = tested.judged(each.node()).orElseThrow();
                if (!now.equals(before.get(each.node()))) {
                    assertThat(changed).contains(each.node());
                }
                for (EndpointRecord endpoint : each.networks().getFirst().endpoints()) {
                    NodeRecord first = claimants.get(number(endpoint)).stream().min(Comparator
                            .comparingLong((NodeRecord r) -> r.networks().getFirst().endpoints().getFirst().since())
                            .thenComparing(NodeRecord::node)).orElseThrow();
                    assertThat(now.effective().networks().getFirst().endpoints().contains(endpoint)).isEqualTo(first.equals(each));
                }
            }
        }
    }

    private static int number(EndpointRecord endpoint) {
        return endpoint.address().address().getAddress()[3];
    }
}
