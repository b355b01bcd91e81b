package io.vxseal.cluster.hub;

import static io.vxseal.cluster.record.TestRecords.NET;
import static io.vxseal.cluster.record.TestRecords.endpoint;
import static io.vxseal.cluster.record.TestRecords.incarnation;
import static io.vxseal.cluster.record.TestRecords.manager;
import static io.vxseal.cluster.record.TestRecords.worker;
import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.address.Cidr;
import io.vxseal.cluster.link.Messages;
import io.vxseal.cluster.message.ManualTimer;
import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.message.MessageCodec;
import io.vxseal.cluster.message.RecordedChannel;
import io.vxseal.cluster.message.RingMark;
import io.vxseal.cluster.node.ClusterNode;
import io.vxseal.cluster.record.EndpointRecord;
import io.vxseal.cluster.record.HubView.Retention;
import io.vxseal.cluster.record.NetworkRecord;
import io.vxseal.cluster.record.NodeRecord;
import io.vxseal.cluster.record.RecordMark;
import io.vxseal.cluster.record.RefusedClaim;
import io.vxseal.cluster.record.SubnetRecord;
import io.vxseal.cluster.record.TestRecords;
import io.vxseal.cluster.refusal.Refusal;
import io.vxseal.cluster.refusal.RefusedException;
import io.vxseal.swarm.Role;
import java.net.InetAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class HubTest {
    private static final Duration BATCH = Duration.ofMillis(20);
    private static final byte FORGED = 66;
    private static final byte EARLIER = 67;

    private final ManualTimer timer = new ManualTimer();
    private final Set<String> managers = new HashSet<>(Set.of("m1", "m2"));
    private final List<String> refused = new ArrayList<>();
    private final List<String> removed = new ArrayList<>();
    private final Set<Integer> revoked = new HashSet<>();
    private boolean ringsAreBrought;
    private int brought;
    private final SimulatedDisk store = new SimulatedDisk();
    private final Hub hub = new Hub("m1", 1, new Retention(Duration.ofSeconds(26), Duration.ofMinutes(10)), timer, managers::contains,
            new NoKeys(), store, (_, node, what) -> refused.add(node + ": " + what));

    private final class NoKeys extends RingsWithoutKeys {
        @Override
        public boolean hadLately(byte[] octets) {
            return octets[0] == EARLIER;
        }

        @Override
        public void take(byte[] octets) throws RefusedException {
            assertThat(ringsAreBrought).as("a ring is brought").isTrue();
            brought++;
            if (octets[0] == FORGED) {
                throw new RefusedException(Refusal.RING_SIGNATURE, "forged ring");
            }
        }

        @Override
        public void onRemoval(String node) {
            removed.add(node);
        }

        @Override
        public void onRevocation(Set<Integer> tags) {
            revoked.addAll(tags);
        }
    }

    @BeforeEach
    void synchronize() {
        timer.pass(HubReadiness.SYNCHRONIZE);
        hub.tick();
    }

    private RecordedChannel open(String node, Role role) {
        return TestSessions.open(hub, node, role, RingsWithoutKeys.MARK, timer);
    }

    private void say(RecordedChannel channel, Message message) {
        hub.received(channel, message);
        timer.pass(BATCH);
    }

    private RecordedChannel subscriber(String node, String... networks) {
        RecordedChannel channel = open(node, Role.WORKER);
        say(channel, new Message.Subscribe(Set.of(networks), false));
        channel.take();
        return channel;
    }

    private static List<String> endpoints(List<Message.Records> told) {
        return told.stream().flatMap(each -> each.records().stream()).flatMap(record -> record.networks().stream())
                .flatMap(network -> network.endpoints().stream()).map(EndpointRecord::id).toList();
    }

    @Test
    void subscriberIsToldOfItsNetworksOnly() {
        RecordedChannel on = subscriber("w1", NET);
        RecordedChannel off = subscriber("w2", "other");
        say(open("w3", Role.WORKER), new Message.Announce(worker("w3", 1, 3, endpoint(7))));
        assertThat(endpoints(on.take(Message.Records.class))).containsExactly("ep7");
        assertThat(off.take()).isEmpty();
    }

    @Test
    void newSubscriberGetsTheRingBeforeTheRecords() {
        say(open("w3", Role.WORKER), new Message.Announce(worker("w3", 1, 3, endpoint(7))));
        RecordedChannel late = new RecordedChannel("w1", Role.WORKER, timer);
        hub.opened(late);
        hub.received(late, new Message.Hello(RingMark.NONE, false));
        say(late, new Message.Subscribe(Set.of(NET), false));
        List<Message> sent = late.take();
        assertThat(sent).extracting(Message::getClass).map(Class::getSimpleName).containsExactly("Welcome", "Ring", "Records");
        assertThat(((Message.Records) sent.getLast()).complete()).isTrue();
    }

    @Test
    void unsubscribingTellsThatNodesAreGone() {
        say(open("w3", Role.WORKER), new Message.Announce(worker("w3", 1, 3, endpoint(7))));
        RecordedChannel channel = subscriber("w1", NET);
        say(channel, new Message.Subscribe(Set.of(), false));
        assertThat(channel.take(Message.Records.class).getFirst().gone()).containsExactly("w3");
    }

    @Test
    void refusesRecordOfAnotherNode() {
        say(open("w3", Role.WORKER), new Message.Announce(worker("w4", 1, 3, endpoint(7))));
        assertThat(refused).singleElement().asString().startsWith("w3: a record of node w4");
        assertThat(hub.nodes()).isEmpty();
    }

    @Test
    void onlyListedManagersSubscribeToEverything() {
        say(open("w3", Role.WORKER), new Message.Announce(worker("w3", 1, 3, endpoint(7))));
        RecordedChannel worker = open("w1", Role.WORKER);
        say(worker, new Message.Subscribe(Set.of(), true));
        assertThat(refused).containsExactly("w1: a worker's subscription to everything");
        managers.remove("m2");
        RecordedChannel demoted = open("m2", Role.MANAGER);
        say(demoted, new Message.Subscribe(Set.of(), true));
        assertThat(demoted.take(Message.Records.class)).isEmpty();
        managers.add("m2");
        hub.managers(managers);
        timer.pass(BATCH);
        assertThat(endpoints(demoted.take(Message.Records.class))).containsExactly("ep7");
    }

    @Test
    void roleOfRecordComesFromCertificate() {
        NodeRecord lie = manager("w3", 3, TestRecords.SUBNETS);
        say(open("w3", Role.WORKER), new Message.Announce(lie));
        assertThat(hub.nodes()).singleElement().extracting(NodeRecord::role).isEqualTo(Role.WORKER);
    }

    @Test
    void refusedClaimIsCountedAndItsNodeToldUntilItStands() {
        RecordedChannel first = open("w3", Role.WORKER);
        say(first, new Message.Announce(worker("w3", 1, 3, endpoint("a", 7))));
        RecordedChannel second = open("w4", Role.WORKER);
        say(second, new Message.Announce(worker("w4", 1, 4, endpoint("b", 7))));
        assertThat(second.take(Message.Acknowledge.class).getLast().refused())
                .containsExactly(new RefusedClaim(NET, "b", RefusedClaim.Reason.ADDRESS_TAKEN));
        assertThat(hub.refusedClaims()).containsExactly(
                Map.entry("w4", List.of(new RefusedClaim(NET, "b", RefusedClaim.Reason.ADDRESS_TAKEN))));
        assertThat(refused).hasSize(1);
        say(first, new Message.Announce(worker("w3", 2, 3)));
        assertThat(second.take(Message.Acknowledge.class).getLast().refused()).isEmpty();
        assertThat(hub.refusedClaims()).isEmpty();
    }

    @Test
    void slowReaderGetsPresentStateInsteadOfBacklog() {
        RecordedChannel slow = subscriber("w1", NET);
        slow.room = 0;
        RecordedChannel busy = open("w3", Role.WORKER);
        for (int revision = 1; revision <= 50; revision++) {
            say(busy, new Message.Announce(worker("w3", revision, 3, endpoint("ep" + revision, 7))));
        }
        assertThat(hub.sessions()).filteredOn(session -> session.node().equals("w1")).extracting(SessionStatus::lag).containsExactly(1);
        slow.room = Integer.MAX_VALUE;
        hub.drained(slow);
        timer.pass(BATCH);
        assertThat(endpoints(slow.take(Message.Records.class))).containsExactly("ep50");
    }

    @Test
    void goodbyeIsAcknowledgedEndsTheRecordAndRotatesTheKeys() {
        RecordedChannel other = subscriber("w1", NET);
        RecordedChannel leaving = open("w3", Role.WORKER);
        say(leaving, new Message.Announce(worker("w3", 1, 3, endpoint(7))));
        other.take();
        say(leaving, new Message.Goodbye(1, 2));
        assertThat(other.take(Message.Records.class).getFirst().gone()).containsExactly("w3");
        assertThat(leaving.take(Message.Acknowledge.class)).contains(new Message.Acknowledge(0, 0, List.of()));
        assertThat(removed).containsExactly("w3");
    }

    /** Seed 30578: the hub that heard the good-bye ended before the keys were replaced. A restarted hub hears of all earlier ones. */
    @Test
    void goodbyeThatAnotherHubHeardRotatesTheKeysIfTheNodeWasThere() {
        NodeRecord node = worker("w3", 1, 3, endpoint(7));
        hub.hubOpened("m2", 7);
        hub.recordsReceived("m2", new Message.Records(List.of(node, worker("w4", 1, 4)), List.of(), true));
        hub.recordsReceived("m2", new Message.Records(List.of(node.ended(1, 2), worker("w4", 1, 4).ended(1, 1),
                worker("w5", 1, 5).ended(1, 2)), List.of(), false));
        assertThat(hub.nodes()).isEmpty();
        assertThat(removed).as("neither one that fell silent, nor one that had left before").containsExactly("w3");
    }

    @Test
    void keysAreRotatedForOneGoodbyeOfSession() {
        RecordedChannel leaving = open("w3", Role.WORKER);
        for (int revision = 2; revision < 5; revision++) {
            say(leaving, new Message.Goodbye(1, revision));
            assertThat(leaving.take(Message.Acknowledge.class)).contains(new Message.Acknowledge(0, 0, List.of()));
        }
        assertThat(removed).containsExactly("w3");
    }

    @Test
    void firstForgedRingEndsSessionAndWhatArrivedWithItIsDropped() {
        ringsAreBrought = true;
        RecordedChannel hostile = open("w1", Role.WORKER);
        for (int times = 0; times < 50; times++) {
            hub.received(hostile, new Message.Ring(new byte[] {FORGED}));
        }
        assertThat(hostile.closed).isTrue();
        assertThat(brought).isEqualTo(1);
        assertThat(refused).containsExactly("w1: forged ring");
    }

    /** Rings that are in order cost as much. */
    @Test
    void ringsThatComeTooFastEndSession() {
        ringsAreBrought = true;
        RecordedChannel patient = open("w1", Role.WORKER);
        RecordedChannel hostile = open("w2", Role.WORKER);
        for (int times = 0; times < 50; times++) {
            hub.received(hostile, new Message.Ring(new byte[] {1}));
        }
        assertThat(brought).isEqualTo(HubSession.RING_BURST);
        assertThat(refused).containsExactly("w2: another ring");
        assertThat(hostile.closed).isTrue();
        for (int times = 0; times < 50; times++) {
            timer.pass(HubSession.RING_INTERVAL);
            hub.received(patient, new Message.Ring(new byte[] {1}));
        }
        assertThat(brought).isEqualTo(HubSession.RING_BURST + 50);
        assertThat(patient.closed).isFalse();
    }

    /** As when an engine delivers keys faster than a node returns them. */
    @Test
    void ringsThatHubHadLatelyEndNoSession() {
        ringsAreBrought = true;
        RecordedChannel behind = open("w2", Role.WORKER);
        for (int n = 0; n < 50; n++) {
            hub.received(behind, new Message.Ring(new byte[] {EARLIER}));
        }
        assertThat(refused).isEmpty();
        hub.received(behind, new Message.Ring(new byte[] {1}));
        assertThat(behind.closed).isFalse();
    }

    /** Returns as much as one node may announce, in the fewest octets or the most tokens. */
    private static List<NetworkRecord> most(String node, boolean ipv4) {
        SubnetRecord all = new SubnetRecord(Cidr.parse(ipv4 ? "0.0.0.0/0" : "::/0"), InetAddress.ofLiteral(ipv4 ? "0.0.0.0" : "::"));
        List<NetworkRecord> networks = new ArrayList<>();
        int octets = worker(node, 1, 1).octets();
        for (int n = 0; n < NodeRecord.MOST_NETWORKS && octets < NodeRecord.MOST_OCTETS - 10_000; n++) {
            NetworkRecord next = new NetworkRecord("n" + n, Collections.nCopies(n < 500 ? 64 : 0, all), List.of());
            networks.add(next);
            octets = worker(node, 1, 1).with(networks).octets();
        }
        return networks;
    }

    @Test
    void noMessageIsLargerThanSessionsTake() throws RefusedException {
        for (int number = 1; number <= 6; number++) {
            say(open("w" + number, Role.WORKER),
                    new Message.Announce(worker("w" + number, 1, number).with(most("w" + number, number % 2 == 0))));
        }
        // And many that have networks without anything in them.
        List<NetworkRecord> empty = IntStream.range(0, NodeRecord.MOST_NETWORKS)
                .mapToObj(n -> new NetworkRecord(Integer.toString(n, 36), List.of(), List.of())).toList();
        for (int number = 7; number < 40; number++) {
            say(open("w" + number, Role.WORKER), new Message.Announce(worker("w" + number, 1, number).with(empty)));
        }
        RecordedChannel other = open("m2", Role.MANAGER);
        say(other, new Message.Subscribe(Set.of(), true));
        List<Message.Records> told = other.take(Message.Records.class);
        assertThat(told.stream().flatMap(each -> each.records().stream())).hasSize(39);
        for (Message.Records each : told) {
            byte[] octets = MessageCodec.encode(each);
            assertThat(octets.length).isLessThan(Messages.MAX_OCTETS);
            assertThat(MessageCodec.decode(octets)).contains(each);
        }
    }

    @Test
    void noRingIsSentToNodeThatLeftOrMayHaveBeenRemoved() {
        RecordedChannel leaving = open("w3", Role.WORKER);
        say(leaving, new Message.Goodbye(1, 2));
        say(leaving, new Message.Heartbeat(RingMark.NONE, false));
        hub.ringChanged();
        timer.pass(BATCH);
        assertThat(leaving.take(Message.Ring.class)).isEmpty();
        managers.remove("m2");
        RecordedChannel unlisted = open("m2", Role.MANAGER);
        say(unlisted, new Message.Heartbeat(RingMark.NONE, false));
        assertThat(unlisted.take(Message.Ring.class)).isEmpty();
        managers.add("m2");
        hub.managers(managers);
        timer.pass(BATCH);
        assertThat(unlisted.take(Message.Ring.class)).hasSize(1);
        RecordedChannel demoted = open("m4", Role.WORKER);
        say(demoted, new Message.Heartbeat(RingMark.NONE, false));
        assertThat(demoted.take(Message.Ring.class)).hasSize(1);
    }

    @Test
    void managersAloneNameRevokedKeys() {
        say(open("w1", Role.WORKER), new Message.Revoked(Set.of(1)));
        assertThat(refused).containsExactly("w1: revoked keys, which managers alone name");
        managers.remove("m2");
        RecordedChannel manager = open("m2", Role.MANAGER);
        say(manager, new Message.Revoked(Set.of(2)));
        assertThat(revoked).as("by one that was demoted, perhaps").isEmpty();
        managers.add("m2");
        say(manager, new Message.Revoked(Set.of(3)));
        assertThat(revoked).containsExactly(3);
        assertThat(refused).hasSize(1);
    }

    /** Seed 6848: all hubs lost their memory while a node was away, and it came back without its endpoints. */
    @Test
    void holderOfOutdatedRecordIsToldTheLaterOne() {
        say(open("w3", Role.WORKER), new Message.Announce(incarnation(worker("w3", 1, 3), 2)));
        say(open("w4", Role.WORKER), new Message.Announce(worker("w4", 1, 4)));
        RecordedChannel holder = open("w1", Role.WORKER);
        say(holder, new Message.Subscribe(Set.of(NET), false,
                List.of(new RecordMark("w3", 1, 9), new RecordMark("w4", 1, 1), new RecordMark("w5", 1, 1))));
        assertThat(holder.take(Message.Records.class)).singleElement().satisfies(told -> {
            assertThat(told.records()).singleElement().isEqualTo(incarnation(worker("w3", 1, 3), 2).admitted(Role.WORKER,
                    told.records().getFirst().vtepSince(), List.of()));
            assertThat(told.gone()).isEmpty();
        });
        say(open("w5", Role.WORKER), new Message.Announce(worker("w5", 2, 5)));
        hub.tick();
        timer.pass(BATCH);
        assertThat(holder.take(Message.Records.class).getFirst().records()).extracting(NodeRecord::node).containsExactly("w5");
        hub.tick();
        timer.pass(BATCH);
        assertThat(holder.take()).as("each once").isEmpty();
    }

    /** Seeds 1689 and 1741: a hub that admitted its own node's claim later than another hub did gave it to a rival. */
    @Test
    void otherHubIsToldWhenItsOwnNodesClaimsWereAdmitted() {
        RecordedChannel other = open("m2", Role.MANAGER);
        say(other, new Message.Subscribe(Set.of(), true));
        say(other, new Message.Announce(new NodeRecord("m2", Role.MANAGER, 1, 1, TestRecords.vtep(2), 0, false, false, false,
                worker("m2", 1, 2, endpoint(7)).networks())));
        assertThat(endpoints(other.take(Message.Records.class))).containsExactly("ep7");
    }

    @Test
    void newerSessionOfNodeReplacesTheOlder() {
        RecordedChannel old = subscriber("w1", NET);
        RecordedChannel now = subscriber("w1", NET);
        assertThat(old.closed).isTrue();
        hub.closed(old);
        say(open("w3", Role.WORKER), new Message.Announce(worker("w3", 1, 3, endpoint(7))));
        assertThat(endpoints(now.take(Message.Records.class))).containsExactly("ep7");
        assertThat(old.take()).isEmpty();
    }

    @Test
    void refusesMessagesThatOnlyHubsSend() {
        RecordedChannel channel = open("w1", Role.WORKER);
        say(channel, new Message.Records(List.of(), List.of("m1"), true));
        say(channel, new Message.Acknowledge(1, 1, List.of()));
        assertThat(refused).hasSize(2).allMatch(what -> what.equals("w1: a message that only hubs send"));
    }

    @Test
    void startingHubTellsNothingBeforeItHeardFromTheOthers() {
        Hub starting = new Hub("m1", 2, new Retention(Duration.ofSeconds(26), Duration.ofMinutes(10)), timer, managers::contains, new NoKeys(),
                RecordStore.NONE, (_, _, what) -> refused.add(what));
        starting.managers(managers);
        RecordedChannel channel = TestSessions.open(starting, "w1", Role.WORKER, RingsWithoutKeys.MARK, timer);
        starting.received(channel, new Message.Subscribe(Set.of(NET), false));
        timer.pass(BATCH);
        assertThat(channel.take(Message.Records.class)).isEmpty();
        starting.hubOpened("m2", 7);
        starting.recordsReceived("m2", new Message.Records(List.of(worker("w3", 1, 3, endpoint(7))), List.of(), true));
        timer.pass(BATCH.multipliedBy(2));
        assertThat(endpoints(channel.take(Message.Records.class))).containsExactly("ep7");
    }

    private static Message.RecallReply recalled(EndpointRecord... endpoints) {
        return new Message.RecallReply(List.of(new NetworkRecord(NET, List.of(), List.of(endpoints))));
    }

    private static List<String> named(Message.RecallReply recalled) {
        return recalled.networks().stream().flatMap(network -> network.endpoints().stream())
                .map(endpoint -> endpoint.id() + "@" + endpoint.address().address().getHostAddress()).toList();
    }

    /** A hostile node keeps nothing of what the others know from the hub's own node, however fast it answers. */
    @Test
    void recallOfItsOwnNodeGathersAllAnswers() {
        RecordedChannel hostile = open("w1", Role.WORKER);
        RecordedChannel honest = open("w2", Role.WORKER);
        RecordedChannel own = open("m1", Role.MANAGER);
        say(own, new Message.RecallRequest());
        assertThat(hostile.take(Message.RecallRequest.class)).hasSize(1);
        assertThat(honest.take(Message.RecallRequest.class)).hasSize(1);
        say(hostile, recalled(endpoint("lie", 66), endpoint("mine", 67)));
        say(hostile, recalled(endpoint("lie", 68)));
        assertThat(refused).containsExactly("w1: second answer to a recall");
        say(honest, recalled(endpoint("mine", 7)));
        RecordedChannel late = open("w3", Role.WORKER);
        timer.pass(BATCH);
        assertThat(late.take(Message.RecallRequest.class)).hasSize(1);
        say(late, recalled(endpoint("mine", 7)));
        RecordedChannel back = open("w3", Role.WORKER);
        timer.pass(BATCH);
        assertThat(back.take(Message.RecallRequest.class)).as("asked once").isEmpty();
        assertThat(own.take(Message.RecallReply.class)).isEmpty();
        timer.pass(OwnRecall.GATHER);
        assertThat(own.take(Message.RecallReply.class)).singleElement().satisfies(answer -> assertThat(named(answer))
                .containsExactlyInAnyOrder("mine@10.44.0.7", "lie@10.44.0.66", "mine@10.44.0.67").startsWith("mine@10.44.0.7"));
        say(honest, recalled(endpoint("mine", 9)));
        timer.pass(OwnRecall.LONGEST);
        assertThat(own.take(Message.RecallReply.class)).as("late answers").isEmpty();
    }

    @Test
    void recallOfItsOwnNodeEndsBeforeTheNodeStopsWaiting() {
        RecordedChannel own = open("m1", Role.MANAGER);
        say(own, new Message.RecallRequest());
        own.take();
        timer.pass(OwnRecall.LONGEST.minusSeconds(1));
        say(open("w1", Role.WORKER), recalled(endpoint("mine", 7)));
        timer.pass(Duration.ofSeconds(1));
        assertThat(own.take(Message.RecallReply.class)).singleElement().satisfies(answer -> assertThat(named(answer)).containsExactly("mine@10.44.0.7"));
        assertThat(OwnRecall.LONGEST).isLessThan(ClusterNode.RECALL);
    }

    @Test
    void namesFormerManagersThatKeepTheirCertificate() {
        open("m2", Role.MANAGER);
        open("w1", Role.WORKER);
        assertThat(hub.unlistedManagers()).isEmpty();
        managers.remove("m2");
        assertThat(hub.unlistedManagers()).containsExactly("m2");
    }

    /** Rewrites its record as fast as its frames are read, for half a minute. */
    private void churn(RecordedChannel hostile, long from, int changes) {
        for (int n = 0; n < changes; n++) {
            hub.received(hostile, new Message.Announce(worker("w3", from + n, 3, endpoint("of-" + (from + n), 7))));
            timer.pass(Duration.ofMillis(10));
        }
    }

    @Test
    void holdsBackRecordThatChangesWithoutEnd() {
        RecordedChannel other = subscriber("w1", NET);
        RecordedChannel hostile = open("w3", Role.WORKER);
        churn(hostile, 1, 3000);
        assertThat(other.take(Message.Records.class).size()).as("told").isBetween(300, 1000);
        assertThat(refused).isNotEmpty().allMatch(line -> line.startsWith("w3: "));
        timer.pass(Duration.ofSeconds(1));
        assertThat(endpoints(other.take(Message.Records.class))).as("the newest is told in the end").containsExactly("of-3000");
        say(open("w4", Role.WORKER), new Message.Announce(worker("w4", 1, 4, endpoint(8))));
        assertThat(endpoints(other.take(Message.Records.class))).containsExactly("ep8");
    }

    @Test
    void newSessionDoesNotRefillTheRateOfRecords() {
        RecordedChannel other = subscriber("w1", NET);
        churn(open("w3", Role.WORKER), 1, 1000);
        other.take();
        for (int session = 1; session <= 20; session++) {
            RecordedChannel next = open("w3", Role.WORKER);
            churn(next, 1 + 1000 * session, 10);
            hub.closed(next);
        }
        assertThat(other.take(Message.Records.class).size()).as("told").isLessThan(100);
    }

    @Test
    void takesLastWordsOfNodeWhoseRecordIsHeldBack() {
        RecordedChannel other = subscriber("w1", NET);
        RecordedChannel node = open("w3", Role.WORKER);
        churn(node, 1, 1000);
        timer.pass(Duration.ofSeconds(1));
        other.take();
        churn(node, 2000, 30);
        hub.received(node, new Message.Announce(TestRecords.away(worker("w3", 3000, 3, endpoint("last", 7)))));
        hub.closed(node);
        timer.pass(BATCH);
        NodeRecord told = other.take(Message.Records.class).getLast().records().getLast();
        assertThat(told.away()).isTrue();
        assertThat(told.networks().getFirst().endpoints()).extracting(EndpointRecord::id).containsExactly("last");
    }

    @Test
    void burstOfJoinsIsToldAtOnce() {
        RecordedChannel other = subscriber("w1", NET);
        RecordedChannel node = open("w3", Role.WORKER);
        for (int joined = 1; joined <= 100; joined++) {
            say(node, new Message.Announce(worker("w3", joined, 3,
                    IntStream.rangeClosed(2, 1 + joined).mapToObj(TestRecords::endpoint).toArray(EndpointRecord[]::new))));
            assertThat(endpoints(other.take(Message.Records.class))).contains("ep" + (1 + joined));
        }
        assertThat(refused).isEmpty();
    }

    private Hub restarted() {
        Hub restarted = new Hub("m1", 2, new Retention(Duration.ofSeconds(26), Duration.ofMinutes(10)), timer, managers::contains,
                new NoKeys(), store, (_, node, what) -> refused.add(node + ": " + what));
        timer.pass(HubReadiness.SYNCHRONIZE);
        restarted.tick();
        return restarted;
    }

    private void announce(Hub to, NodeRecord... records) {
        for (NodeRecord record : records) {
            RecordedChannel channel = new RecordedChannel(record.node(), Role.WORKER, timer);
            to.opened(channel);
            to.received(channel, new Message.Announce(record));
            timer.pass(BATCH);
        }
    }

    /** The rival, which waits, may be back first: it sees that the hub restarts. */
    @Test
    void firstClaimStandsAfterRestartOfAllHubs() {
        NodeRecord holder = worker("w3", 1, 3, endpoint("first", 7));
        NodeRecord rival = worker("w4", 1, 4, endpoint("rival", 7));
        announce(hub, holder, rival);
        assertThat(endpoints(told(hub))).containsExactly("first");
        hub.tick();
        Hub second = restarted();
        announce(second, rival);
        timer.pass(Duration.ofSeconds(1));
        second.tick();
        Hub third = restarted();
        announce(third, rival, holder);
        assertThat(endpoints(told(third))).as("of one that was not back before the second restart, too").containsExactly("first");
    }

    /** The same of one that claims after the restart only, and of the VTEP. */
    @Test
    void claimsOfHoldersThatAreNotBackAreNotForOthers() {
        NodeRecord holder = worker("w3", 1, 3, endpoint("first", 7));
        announce(hub, holder);
        hub.tick();
        Hub restarted = restarted();
        announce(restarted, worker("w4", 1, 3, endpoint("rival", 7)), holder);
        List<Message.Records> told = told(restarted);
        assertThat(endpoints(told)).containsExactly("first");
        assertThat(told.getLast().records()).extracting(NodeRecord::node).containsExactly("w3");
    }

    /** Seed 1883: the hub's clock was behind, so what it admitted next was older than all that it had kept. */
    @Test
    void claimsOfHoldersAreNotForOthersWhenTheClockWasSetBack() {
        NodeRecord holder = worker("w3", 1, 3, endpoint("first", 7));
        announce(hub, holder);
        hub.tick();
        timer.step(Duration.ofHours(-1));
        Hub restarted = restarted();
        announce(restarted, worker("w4", 1, 4, endpoint("rival", 7)), holder);
        assertThat(endpoints(told(restarted))).containsExactly("first");
    }

    @Test
    void claimThatANodeGaveUpHasNoTimeAfterRestart() {
        announce(hub, worker("w3", 1, 3, endpoint("first", 7)));
        hub.tick();
        Hub restarted = restarted();
        announce(restarted, worker("w3", 1, 3), worker("w4", 1, 4, endpoint("next", 7)), incarnation(worker("w3", 1, 3, endpoint("first", 7)), 2));
        assertThat(endpoints(told(restarted))).containsExactly("next");
    }

    /** Seed 366: the only hub that heard the good-bye was killed before it met the others again, which took the node for one that is away. */
    @Test
    void goodbyeIsKnownAfterRestart() {
        NodeRecord left = worker("w3", 1, 3, endpoint("first", 7));
        RecordedChannel node = open("w3", Role.WORKER);
        say(node, new Message.Announce(left));
        say(node, new Message.Goodbye(left.incarnation(), left.revision() + 1));
        hub.tick();
        Hub restarted = restarted();
        RecordedChannel other = TestSessions.open(restarted, "m2", Role.MANAGER, RingsWithoutKeys.MARK, timer);
        restarted.received(other, new Message.Subscribe(Set.of(), true));
        timer.pass(BATCH);
        assertThat(other.take(Message.Records.class).stream().flatMap(each -> each.records().stream()))
                .filteredOn(NodeRecord::ended).extracting(NodeRecord::node).containsExactly("w3");
    }

    private List<Message.Records> told(Hub by) {
        RecordedChannel channel = TestSessions.open(by, "w1", Role.WORKER, RingsWithoutKeys.MARK, timer);
        by.received(channel, new Message.Subscribe(Set.of(NET), false));
        timer.pass(BATCH);
        return channel.take(Message.Records.class);
    }

    /** One that waits for a node to fall silent would have its endpoints for good otherwise. */
    @Test
    void nodeThatReturnsHasItsEndpointsBackFromOneThatTookItsVtep() {
        RecordedChannel other = subscriber("w1", NET);
        RecordedChannel node = open("w3", Role.WORKER);
        say(node, new Message.Announce(worker("w3", 1, 3, endpoint(7))));
        RecordedChannel hostile = open("w4", Role.WORKER);
        hub.closed(node);
        timer.pass(Duration.ofSeconds(1));
        say(hostile, new Message.Announce(worker("w4", 1, 3, endpoint("stolen", 7))));
        hub.tick();
        timer.pass(BATCH);
        other.take();
        say(open("w3", Role.WORKER), new Message.Announce(incarnation(worker("w3", 1, 3, endpoint(7)), 2)));
        List<Message.Records> told = other.take(Message.Records.class);
        assertThat(endpoints(told)).containsExactly("ep7");
        assertThat(told.getLast().gone()).containsExactly("w4");
    }
}
