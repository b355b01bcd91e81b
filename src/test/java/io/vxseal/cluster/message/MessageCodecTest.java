package io.vxseal.cluster.message;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vxseal.address.Cidr;
import io.vxseal.address.MacAddress;
import io.vxseal.cluster.record.EndpointRecord;
import io.vxseal.cluster.record.NetworkRecord;
import io.vxseal.cluster.record.NodeRecord;
import io.vxseal.cluster.record.NodeReport;
import io.vxseal.cluster.record.PathReport;
import io.vxseal.cluster.record.RecordMark;
import io.vxseal.cluster.record.RefusedClaim;
import io.vxseal.cluster.record.SubnetRecord;
import io.vxseal.cluster.refusal.Refusal;
import io.vxseal.cluster.refusal.RefusedException;
import io.vxseal.swarm.Role;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class MessageCodecTest {
    private static final NodeRecord RECORD = new NodeRecord("node-1", Role.MANAGER, 7, 3, InetAddress.ofLiteral("192.0.2.1"), 12, true, true, false,
            List.of(new NetworkRecord("net", List.of(new SubnetRecord(Cidr.parse("10.0.1.0/24"), InetAddress.ofLiteral("10.0.1.1"))),
                    List.of(new EndpointRecord("ep", Cidr.parse("10.0.1.2/24"), MacAddress.parse("02:42:0a:00:01:02"), 99)))));
    private static final RingMark MARK = new RingMark(5, "node-1", 17);
    private static final NodeReport REPORT = new NodeReport(
            "node-1", Role.MANAGER, "192.0.2.1", "0.1.0", 5, 2, 3, 1, 4, 6, List.of("node 192.0.2.2: nothing comes back"));
    private static final List<Message> ALL = List.of(
            new Message.Hello(MARK, true),
            new Message.Welcome(1, 5000, MARK, true, 7, 3),
            new Message.Subscribe(Set.of("net"), true),
            new Message.Subscribe(Set.of("net"), false, List.of(RecordMark.of(RECORD))),
            new Message.Announce(RECORD),
            new Message.Acknowledge(7, 3, List.of(new RefusedClaim("net", "ep", RefusedClaim.Reason.ADDRESS_TAKEN))),
            new Message.Records(List.of(RECORD), List.of("node-2"), true),
            new Message.Heartbeat(MARK, true),
            new Message.Revoked(Set.of(1, -2)),
            new Message.Ping(),
            new Message.RecallRequest(),
            new Message.RecallReply(RECORD.networks()),
            new Message.Goodbye(7, 4),
            new Message.Inquiry(5),
            new Message.ReportRequest(6),
            new Message.Report(6, REPORT),
            new Message.Reports(5, List.of(REPORT), List.of("node-2"), true),
            new Message.CheckRequest(7),
            new Message.CheckResult(7, new PathReport(
                    List.of(new PathReport.Path("192.0.2.1", PathReport.State.PASSES), new PathReport.Path("192.0.2.2", PathReport.State.FAILS)),
                    List.of(new PathReport.Finding("192.0.2.2", "nothing passes", "open ESP")))));

    @Test
    void readsWhatItWrites() throws RefusedException {
        for (Message message : ALL) {
            assertThat(MessageCodec.decode(MessageCodec.encode(message))).contains(message);
        }
        byte[] octets = {1, 2, 3};
        Message.Ring ring = (Message.Ring) MessageCodec.decode(MessageCodec.encode(new Message.Ring(octets))).orElseThrow();
        assertThat(ring.octets()).isEqualTo(octets);
    }

    private static void assertRefused(String json, Refusal reason) {
        assertThatThrownBy(() -> read(json)).as("%.80s", json)
                .isInstanceOfSatisfying(RefusedException.class, refused -> assertThat(refused.reason()).isEqualTo(reason));
    }

    @Test
    void namesTheReasonOfRefusal() {
        assertRefused("{\"ping\":", Refusal.MALFORMED);
        assertRefused("{\"ping\":7}", Refusal.MALFORMED);
        assertRefused("{\"goodbye\":{\"incarnation\":-1,\"revision\":1}}", Refusal.BOUNDS);
        assertRefused("{\"unknown\":" + "[".repeat(50), Refusal.BOUNDS);
    }

    /** A lone surrogate has no form in UTF-8, and a line break would forge a line of the log. */
    @Test
    void refusesIdsOfOtherThanVisibleAsciiCharacters() {
        for (String id : List.of("\\ud800", "a\\nb", "a b", "\\u009b2J", "\u00e4")) {
            assertRefused("""
                    {"announce":{"record":{"node":"w1","role":"WORKER","incarnation":1,"revision":1,"vtep":"10.0.0.2",
                    "networks":[{"id":"%s","subnets":[],"endpoints":[]}]}}}""".formatted(id), Refusal.BOUNDS);
            assertRefused("""
                    {"announce":{"record":{"node":"w1","role":"WORKER","incarnation":1,"revision":1,"vtep":"10.0.0.2",
                    "networks":[{"id":"net","subnets":[],"endpoints":[{"id":"%s","address":"10.44.0.9/24","mac":"02:42:0a:2c:00:09"}]}]}}}"""
                    .formatted(id), Refusal.BOUNDS);
        }
    }

    private static Optional<Message> read(String json) throws RefusedException {
        return MessageCodec.decode(json.getBytes(StandardCharsets.UTF_8));
    }

    @Test
    void ignoresUnknownFieldsAndKindsAndDefaultsMissingOnes() throws RefusedException {
        assertThat(read("{\"hello\":{\"colour\":{\"a\":[1]},\"rotate\":true}}")).contains(new Message.Hello(RingMark.NONE, true));
        assertThat(read("{\"hello\":{}}")).contains(new Message.Hello(RingMark.NONE, false));
        assertThat(read("{\"later\":{\"x\":1}}")).isEmpty();
        assertThat(read("{\"records\":{\"records\":[{\"node\":\"n\",\"incarnation\":1,\"revision\":1,\"vtep\":\"192.0.2.1\",\"x\":[]}]}}"))
                .contains(new Message.Records(List.of(new NodeRecord(
                        "n", Role.WORKER, 1, 1, InetAddress.ofLiteral("192.0.2.1"), 0, false, false, false, List.of())), List.of(), false));
    }

    @Test
    void shortensReportsOfPathsThatAreTooLong() throws RefusedException {
        String path = "{\"address\":\"192.0.2.1\",\"state\":\"BROKEN\"}";
        String finding = "{\"address\":\"192.0.2.1\",\"found\":\"%s\"}".formatted("f".repeat(1000));
        Message.CheckResult read = (Message.CheckResult) read("{\"checkResult\":{\"round\":1,\"report\":{\"paths\":[null%s],\"findings\":[%s]}}}"
                .formatted(("," + path).repeat(3000), String.join(",", Collections.nCopies(100, finding)))).orElseThrow();
        assertThat(read.report().paths()).hasSize(PathReport.MOST_PATHS)
                .allMatch(each -> each.state() == PathReport.State.UNTRIED);
        assertThat(read.report().findings()).hasSize(PathReport.MOST_FINDINGS)
                .allMatch(each -> each.found().length() == 300 && each.remedy().isEmpty());
    }

    @Test
    void shortensReportsThatAreTooLong() throws RefusedException {
        String line = "\"" + "x".repeat(1000) + "\"";
        Message.Report read = (Message.Report) read("{\"report\":{\"round\":1,\"report\":{\"version\":%s,\"ring\":-3,\"conditions\":[%s]}}}"
                .formatted(line, String.join(",", Collections.nCopies(50, line)))).orElseThrow();
        assertThat(read.report().version()).hasSize(128);
        assertThat(read.report().ring()).isZero();
        assertThat(read.report().conditions()).hasSize(NodeReport.MOST_CONDITIONS)
                .allMatch(condition -> condition.length() == NodeReport.LONGEST_CONDITION && condition.endsWith("…"));
    }

    @Test
    void refusesWhatIsOutOfBounds() {
        String head = "{\"announce\":{\"record\":{\"node\":\"n\",\"incarnation\":1,\"revision\":1,\"vtep\":";
        for (String json : List.of("", "null", "[]", "7", "{", "{\"ping\":{}} {\"ping\":{}}", "{\"ping\":{},\"recall\":{}}",
                head + "\"manager.example\"}}}", head + "\"192.0.2.1\",\"networks\":[{\"id\":\"\"}]}}}",
                head + "\"192.0.2.1\",\"networks\":[{\"id\":\"n\",\"endpoints\":[{\"id\":\"e\"}]}]}}}",
                "{\"announce\":{\"record\":{\"node\":\"n\",\"incarnation\":9223372036854775807,\"revision\":1,\"vtep\":\"192.0.2.1\"}}}",
                "{\"announce\":{\"record\":{\"node\":\"" + "n".repeat(129) + "\",\"incarnation\":1,\"revision\":1,\"vtep\":\"192.0.2.1\"}}}",
                "{\"announce\":{}}", "{\"report\":{}}", "{\"x\":" + "[".repeat(100_000), "{\"ring\":{\"octets\":\"" + "A".repeat(100_000) + "\"}}",
                "{\"hello\":{\"ring\":{\"version\":" + "9".repeat(100_000) + "}}}")) {
            assertThatThrownBy(() -> read(json)).as("%.80s", json).isInstanceOf(RefusedException.class);
        }
    }

    private static String announcement(String vtep, String networks) {
        return "{\"announce\":{\"record\":{\"node\":\"w1\",\"incarnation\":1,\"revision\":1,\"vtep\":\"%s\",\"networks\":[%s]}}}"
                .formatted(vtep, networks);
    }

    /** The host has an interface of that name. */
    @Test
    void refusesAddressesWithScope() {
        for (String scope : List.of("%lo", "%1")) {
            assertRefused(announcement("fe80::1" + scope, ""), Refusal.MALFORMED);
            assertRefused(announcement("10.0.0.2", "{\"id\":\"net\",\"subnets\":[{\"pool\":\"fe80::1%s/64\",\"gateway\":\"fe80::2\"}]}"
                    .formatted(scope)), Refusal.MALFORMED);
        }
    }

    @Test
    void refusesMoreTokensThanAnyMessageHas() {
        assertRefused("{\"subscribe\":{\"networks\":[%s]}}".formatted(String.join(",", Collections.nCopies(200_000, "\"a\""))),
                Refusal.BOUNDS);
    }

    private static List<SubnetRecord> subnets(String pool, String gateway) {
        return Collections.nCopies(64, new SubnetRecord(Cidr.parse(pool), InetAddress.ofLiteral(gateway)));
    }

    /** It is passed on with all zeros written out. */
    @Test
    void refusesRecordThatIsTooLargeToPassOn() {
        String network = "{\"id\":\"n%d\",\"subnets\":[" + String.join(",", Collections.nCopies(64, "{\"pool\":\"::/0\",\"gateway\":\"::\"}"))
                + "]}";
        String networks = IntStream.range(0, 500).mapToObj(network::formatted).collect(Collectors.joining(","));
        String json = announcement("10.0.0.2", networks);
        assertThat(json.length()).isLessThan(1 << 20);
        assertRefused(json, Refusal.BOUNDS);
    }

    @Test
    void countsNoFewerOctetsOfRecordThanItTakes() {
        String id = "\"".repeat(128);
        Cidr address = Cidr.parse("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128");
        List<NetworkRecord> networks = IntStream.range(0, 20).mapToObj(n -> new NetworkRecord(id.substring(n),
                subnets(address.toString(), address.address().getHostAddress()),
                Collections.nCopies(40, new EndpointRecord(id, address, MacAddress.parse("fe:ff:ff:ff:ff:ff"), Long.MIN_VALUE)))).toList();
        for (List<NetworkRecord> some : List.of(List.<NetworkRecord>of(), networks)) {
            NodeRecord record = new NodeRecord(id, Role.MANAGER, NodeRecord.GREATEST, NodeRecord.GREATEST, address.address(), Long.MIN_VALUE, true,
                    true, true, some);
            assertThat(record.octets()).isBetween(MessageCodec.encode(record).length(), NodeRecord.MOST_OCTETS);
        }
    }

    /** Docker's ids, two subnets for each network. */
    @Test
    void takesRecordWithAllEndpointsAndNetworksOfOneNode() throws RefusedException {
        List<NetworkRecord> networks = IntStream.range(0, NodeRecord.MOST_NETWORKS).mapToObj(n -> new NetworkRecord(
                "%025d".formatted(n), subnets("10.111.222.0/24", "10.111.222.101").subList(0, 2),
                List.of(new EndpointRecord("%064d".formatted(n), Cidr.parse("10.111.222.103/24"), MacAddress.parse("02:42:0a:00:01:02"),
                        1_700_000_000_000L)))).toList();
        Message announce = new Message.Announce(RECORD.with(networks));
        assertThat(MessageCodec.decode(MessageCodec.encode(announce))).contains(announce);
    }

    @Test
    void refusesOrReadsMutatedMessages() {
        Random random = new Random(7);
        for (int n = 0; n < 20_000; n++) {
            byte[] octets = MessageCodec.encode(ALL.get(n % ALL.size()));
            for (int changes = random.nextInt(4); changes >= 0; changes--) {
                octets[random.nextInt(octets.length)] = (byte) random.nextInt();
            }
            try {
                MessageCodec.decode(octets);
            } catch (RefusedException expected) {
                assertThat(expected).hasMessageStartingWith("message ");
            }
        }
    }
}
