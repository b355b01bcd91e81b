package io.vxseal.cluster.hub;

import static io.vxseal.cluster.record.TestRecords.NET;
import static io.vxseal.cluster.record.TestRecords.endpoint;
import static io.vxseal.cluster.record.TestRecords.manager;
import static io.vxseal.cluster.record.TestRecords.worker;
import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.address.Cidr;
import io.vxseal.address.MacAddress;
import io.vxseal.cluster.message.ManualTimer;
import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.message.MessageCodec;
import io.vxseal.cluster.message.Mutation;
import io.vxseal.cluster.message.RecordedChannel;
import io.vxseal.cluster.message.RingMark;
import io.vxseal.cluster.record.EndpointRecord;
import io.vxseal.cluster.record.HubView.Retention;
import io.vxseal.cluster.record.NetworkRecord;
import io.vxseal.cluster.record.NodeRecord;
import io.vxseal.cluster.record.NodeReport;
import io.vxseal.cluster.record.PathReport;
import io.vxseal.cluster.record.RecordMark;
import io.vxseal.cluster.record.SubnetRecord;
import io.vxseal.cluster.record.TestRecords;
import io.vxseal.cluster.refusal.Refusal;
import io.vxseal.cluster.refusal.RefusedException;
import io.vxseal.swarm.Role;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Random and mutated messages of a worker that holds a certificate: each is taken or refused with a reason, and none changes what honest
 * nodes have. More of them: -Dvxseal.messages=1000000.
 */
class RandomMessagesTest {
    private static final int MESSAGES = Integer.getInteger("vxseal.messages", 5_000);
    private static final long SEED = Long.getLong("vxseal.messages.seed", 1);
    private static final String HOSTILE = "x1";
    /** More than a hub keeps of so few nodes. */
    private static final long MOST_GROWTH = 16L << 20;
    /** After which all code has run. */
    private static final int WARM = 1000;

    private final Random random = new Random(SEED);
    private final ManualTimer timer = new ManualTimer();
    private long refused;
    private final Hub hub = new Hub("m1", 1, new Retention(Duration.ofSeconds(26), Duration.ofMinutes(10)), timer,
            Set.of("m1", "m2")::contains, new StrangersRings(), RecordStore.NONE, (_, node, _) -> {
                assertThat(node).isEqualTo(HOSTILE);
                refused++;
            });

    private String addresses = "";
    private final Map<String, NodeRecord> honest = new TreeMap<>();
    private final List<RecordedChannel> sessions = new ArrayList<>();
    private RecordedChannel hostile = new RecordedChannel(HOSTILE, Role.WORKER, timer);
    private long round;
    private byte[] before = MessageCodec.encode(new Message.Ping());

    /** Takes no ring. */
    private static final class StrangersRings extends RingsWithoutKeys {
        @Override
        public void take(byte[] octets) throws RefusedException {
            throw new RefusedException(octets.length % 2 == 0 ? Refusal.RING : Refusal.RING_SIGNATURE, "ring of a stranger");
        }

        @Override
        public void onRotationRequest(RingMark ring) {}

        @Override
        public void onRemoval(String node) {
            assertThat(node).isEqualTo(HOSTILE);
        }
    }

    private InetAddress vtep(int number) {
        return InetAddress.ofLiteral(addresses + number);
    }

    private void know(NodeRecord record, int number) {
        honest.put(record.node(), at(record, vtep(number)));
    }

    private static NodeRecord at(NodeRecord record, InetAddress vtep) {
        return new NodeRecord(record.node(), record.role(), record.incarnation(), record.revision(), vtep, 0, false, false, false,
                record.networks());
    }

    @ParameterizedTest
    @ValueSource(strings = {"10.0.0.", "fd00::"})
    void randomMessagesChangeNothingOfHonestNodes(String prefix) {
        addresses = prefix;
        know(manager("m1", 1, TestRecords.SUBNETS), 1);
        know(manager("m2", 2, TestRecords.SUBNETS), 2);
        know(worker("w1", 1, 3, endpoint(3), endpoint(4)), 3);
        know(worker("w2", 1, 4, endpoint(5), endpoint(6), endpoint(7)), 4);
        hub.self(vtep(1));
        honest.forEach((node, record) -> {
            RecordedChannel session = open(node, record.role());
            sessions.add(session);
            hub.received(session, new Message.Subscribe(Set.of(NET, "other"), node.equals("m2")));
            hub.received(session, new Message.Announce(record));
        });
        timer.pass(HubReadiness.SYNCHRONIZE);
        hub.tick();
        timer.pass(Duration.ofSeconds(1));
        hostile = open(HOSTILE, Role.WORKER);
        long heap = 0;
        for (int n = 0; n < MESSAGES; n++) {
            byte[] octets = Mutation.of(MessageCodec.encode(message()), before, random);
            try {
                step(octets);
                if (n % 500 == 0) {
                    check();
                }
            } catch (RuntimeException | AssertionError e) {
                throw new AssertionError("seed %d, message %d: %s".formatted(SEED, n, new String(octets, StandardCharsets.UTF_8)), e);
            }
            before = octets;
            if (n == WARM) {
                heap = heap();
            }
        }
        check();
        long growth = heap() - heap;
        System.out.printf("measured: %d messages from seed %d, %d refused; the heap grew by %d KiB%n", MESSAGES, SEED, refused, growth >> 10);
        assertThat(refused).isGreaterThan(MESSAGES / 10);
        assertThat(growth).isLessThan(MOST_GROWTH);
    }

    private static long heap() {
        System.gc();
        return ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
    }

    private RecordedChannel open(String node, Role role) {
        RecordedChannel channel = new RecordedChannel(node, role, timer);
        hub.opened(channel);
        hub.received(channel, new Message.Hello(RingsWithoutKeys.MARK, false));
        return channel;
    }

    private void step(byte[] octets) {
        if (hostile.closed) {
            assertThat(hostile.reason).isIn(Refusal.RING_SIGNATURE.text(), Refusal.RING_RATE.text());
        }
        if (hostile.closed || random.nextInt(300) == 0) {
            hub.closed(hostile);
            timer.pass(Duration.ofMillis(random.nextInt(30_000)));
            hostile = open(HOSTILE, Role.WORKER);
        }
        try {
            MessageCodec.decode(octets).ifPresent(message -> hub.received(hostile, message));
        } catch (RefusedException _) {
            refused++;
        }
        timer.pass(Duration.ofMillis(random.nextInt(50)));
        if (random.nextInt(20) == 0) {
            hub.tick();
        }
        for (Message sent : hostile.take()) {
            round = sent instanceof Message.ReportRequest(var asked) ? asked : sent instanceof Message.CheckRequest(var asked) ? asked : round;
        }
        sessions.forEach(this::checkTold);
    }

    /** Checks what honest nodes were told. A hub hears of all nodes what they announced, and judges it itself. */
    private void checkTold(RecordedChannel session) {
        assertThat(session.closed).as(session.reason).isFalse();
        for (Message.Records records : session.take(Message.Records.class)) {
            assertThat(records.gone()).doesNotContainAnyElementsOf(honest.keySet());
            for (NodeRecord record : records.records()) {
                if (!session.peer().node().equals("m2")) {
                    checkTold(record);
                }
            }
        }
    }

    private void checkTold(NodeRecord told) {
        NodeRecord own = honest.get(told.node());
        if (own != null) {
            assertThat(told.vtep()).isEqualTo(own.vtep());
            assertThat(endpoints(told)).isEqualTo(endpoints(own));
            return;
        }
        assertThat(told.node()).isEqualTo(HOSTILE);
        for (NodeRecord other : honest.values()) {
            assertThat(told.networks().isEmpty() || !told.vtep().equals(other.vtep())).as("VTEP of %s", other.node()).isTrue();
            for (EndpointRecord has : endpoints(other)) {
                assertThat(endpoints(told)).noneMatch(claimed -> claimed.id().equals(has.id()) || claimed.mac().equals(has.mac())
                        || claimed.address().address().equals(has.address().address()));
            }
        }
    }

    private static Set<EndpointRecord> endpoints(NodeRecord record) {
        Set<EndpointRecord> all = new HashSet<>();
        record.networks().stream().filter(network -> network.id().equals(NET))
                .forEach(network -> network.endpoints().forEach(endpoint -> all.add(endpoint.admitted(0))));
        return all;
    }

    /** Checks what a node is told that joins now. */
    private void check() {
        hub.checkPaths(new CompletableFuture<>());
        RecordedChannel joining = open("w9", Role.WORKER);
        hub.received(joining, new Message.Subscribe(Set.of(NET), false));
        timer.pass(Duration.ofMillis(20));
        Set<String> told = new HashSet<>();
        for (Message.Records records : joining.take(Message.Records.class)) {
            records.records().forEach(record -> {
                checkTold(record);
                told.add(record.node());
            });
        }
        hub.closed(joining);
        assertThat(told).contains("w1", "w2");
        assertThat(hub.connected()).containsAll(honest.keySet());
        assertThat(hub.nodes()).extracting(NodeRecord::node).isSubsetOf("m1", "m2", "w1", "w2", HOSTILE);
    }

    // ---- messages that read well

    private Message message() {
        return switch (random.nextInt(16)) {
            case 0 -> new Message.Hello(mark(), random.nextBoolean());
            case 1 -> new Message.Subscribe(Set.of(one(NET, "other", "net" + random.nextInt(9))), random.nextInt(9) == 0,
                    List.of(new RecordMark(node(), 1 + random.nextInt(9), random.nextInt(9))));
            case 2 -> new Message.Heartbeat(mark(), random.nextBoolean());
            case 3 -> new Message.Goodbye(random.nextInt(9), random.nextInt(9));
            case 4 -> new Message.Ring(new byte[random.nextInt(40)]);
            case 5 -> new Message.RecallReply(networks());
            case 6 -> one(new Message.RecallRequest(), new Message.Ping(), new Message.Revoked(Set.of(random.nextInt(9))), new Message.Inquiry(random.nextInt(9)));
            case 7 -> new Message.Report(round, new NodeReport(node(), Role.MANAGER, "10.0.0.3", "1", 1, 1, 1, 1, 1, 1, List.of("trouble")));
            case 8 -> new Message.CheckResult(round, new PathReport(
                    List.of(new PathReport.Path(vtep(1 + random.nextInt(9)).getHostAddress(), PathReport.State.FAILS)),
                    List.of(new PathReport.Finding("10.0.0.1", "found", "remedy"))));
            case 9 -> one(new Message.Records(List.of(record(node())), List.of(node()), true), new Message.Acknowledge(1, 1, List.of()),
                    new Message.Welcome(1, 1, mark(), true, 1, 1), new Message.ReportRequest(1), new Message.CheckRequest(1),
                    new Message.Reports(1, List.of(), List.of(node()), true));
            case 10 -> new Message.Announce(record(node()));
            default -> new Message.Announce(record(HOSTILE));
        };
    }

    @SafeVarargs
    private <T> T one(T... all) {
        return all[random.nextInt(all.length)];
    }

    private String node() {
        return one("m1", "m2", "w1", "w2", HOSTILE, "w9", "nobody");
    }

    private RingMark mark() {
        return new RingMark(random.nextInt(9), one("m1", "m2", HOSTILE), random.nextInt(20));
    }

    private NodeRecord record(String node) {
        return new NodeRecord(node, one(Role.values()), 1 + random.nextInt(9), 1 + random.nextInt(1000),
                one(vtep(66), vtep(66), vtep(1 + random.nextInt(9)), InetAddress.ofLiteral(one("224.0.0.1", "ff02::1", "::", "2001:db8::1", "10.9.9.9", "127.0.0.1", "::1"))),
                random.nextInt(9), random.nextBoolean(), random.nextBoolean(), random.nextInt(9) == 0, networks());
    }

    private List<NetworkRecord> networks() {
        List<NetworkRecord> networks = new ArrayList<>();
        for (String id : List.of(NET, "other", "net" + random.nextInt(9))) {
            if (random.nextInt(3) > 0) {
                List<EndpointRecord> endpoints = new ArrayList<>();
                for (int left = random.nextInt(6); left > 0; left--) {
                    Cidr address = Cidr.parse("10.44.0.%d/24".formatted(random.nextInt(12)));
                    endpoints.add(new EndpointRecord("ep" + random.nextInt(12), address, one(MacAddress.of(address.address()),
                            MacAddress.parse("02:42:0a:2c:00:%02x".formatted(random.nextInt(12)))), random.nextInt(9)));
                }
                networks.add(new NetworkRecord(id, one(List.<SubnetRecord>of(), TestRecords.SUBNETS), endpoints));
            }
        }
        return networks;
    }
}
