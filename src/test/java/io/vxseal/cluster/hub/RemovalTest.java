package io.vxseal.cluster.hub;

import static io.vxseal.cluster.hub.TestSessions.endpoints;
import static io.vxseal.cluster.record.TestRecords.NET;
import static io.vxseal.cluster.record.TestRecords.endpoint;
import static io.vxseal.cluster.record.TestRecords.incarnation;
import static io.vxseal.cluster.record.TestRecords.worker;
import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.StandardError;
import io.vxseal.cluster.message.ManualTimer;
import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.message.RecordedChannel;
import io.vxseal.cluster.message.RingMark;
import io.vxseal.cluster.record.HubView.Retention;
import io.vxseal.cluster.record.NodeRecord;
import io.vxseal.cluster.refusal.Refusal;
import io.vxseal.swarm.Role;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A worker is removed from the swarm: m1's engine lists the nodes, m2's does not. */
class RemovalTest {
    private static final Duration BATCH = Duration.ofMillis(20);

    private final ManualTimer timer = new ManualTimer();
    private final Set<String> managers = new HashSet<>(Set.of("m1", "m2"));
    private final List<Refusal> refused = new ArrayList<>();
    private final List<String> revoked = new ArrayList<>();
    private final Map<String, SimulatedDisk> disks = new HashMap<>();
    private final Hub m1 = hub("m1", 1);
    private final Hub m2 = hub("m2", 2);
    private RecordedChannel toM2 = new RecordedChannel("m2", Role.MANAGER, timer);

    private Hub hub(String self, long process) {
        return new Hub(self, process, new Retention(Duration.ofSeconds(26), Duration.ofMinutes(10)), timer, managers::contains,
                new RingsWithoutKeys() {
                    @Override
                    public void onRemoval(String node) {
                        revoked.add(self + " " + node);
                    }
                }, disks.computeIfAbsent(self, _ -> new SimulatedDisk()), (reason, _, _) -> refused.add(reason));
    }

    @BeforeEach
    void begin() {
        m1.swarmNodes(Set.of("m1", "m2", "w1", "w2"));
        timer.pass(HubReadiness.SYNCHRONIZE);
        m1.tick();
        m2.tick();
        connect(1);
    }

    /** Begins m2's session with m1. */
    private void connect(long process) {
        m2.hubOpened("m1", process);
        toM2 = open(m1, "m2", Role.MANAGER);
        m1.received(toM2, new Message.Subscribe(Set.of(), true));
        pass();
    }

    /** Lets both send, and m2 take what m1 sends it. */
    private void pass() {
        timer.pass(BATCH);
        toM2.take(Message.Records.class).forEach(records -> m2.recordsReceived("m1", records));
        timer.pass(BATCH);
    }

    private RecordedChannel open(Hub hub, String node, Role role) {
        return TestSessions.open(hub, node, role, RingMark.NONE, timer);
    }

    private RecordedChannel announce(Hub hub, NodeRecord record) {
        RecordedChannel channel = open(hub, record.node(), Role.WORKER);
        hub.received(channel, new Message.Announce(record));
        pass();
        return channel;
    }

    private RecordedChannel subscriber(Hub hub) {
        RecordedChannel channel = open(hub, "w2", Role.WORKER);
        hub.received(channel, new Message.Subscribe(Set.of(NET), false));
        pass();
        channel.take();
        return channel;
    }

    private void remove() {
        m1.swarmNodes(Set.of("m1", "m2", "w2"));
        pass();
    }

    @Test
    void sessionAndRecordOfRemovedNodeEndAndItsKeysAreRevoked() {
        RecordedChannel other = subscriber(m1);
        RecordedChannel removed = announce(m1, worker("w1", 1, 1, endpoint(7)));
        assertThat(removed.take(Message.Ring.class)).hasSize(1);
        assertThat(endpoints(other)).containsExactly("ep7");
        remove();
        assertThat(removed.closed).isTrue();
        assertThat(refused).containsExactly(Refusal.NODE);
        assertThat(other.take(Message.Records.class).getFirst().gone()).containsExactly("w1");
        assertThat(m1.nodes()).extracting(NodeRecord::node).doesNotContain("w1");
        assertThat(revoked).contains("m1 w1");
        m1.received(removed, new Message.Announce(worker("w1", 2, 1, endpoint(7))));
        m1.ringChanged();
        timer.pass(BATCH);
        assertThat(removed.take()).as("sent after its removal").isEmpty();
        assertThat(m1.nodes()).isEmpty();
    }

    @Test
    void removedNodeHasNoOtherSession() {
        remove();
        RecordedChannel again = open(m1, "w1", Role.WORKER);
        timer.pass(BATCH);
        assertThat(again.closed).isTrue();
        assertThat(again.take()).isEmpty();
        assertThat(refused).containsExactly(Refusal.NODE);
        remove();
        assertThat(revoked).as("once").containsExactly("m1 w1");
    }

    @Test
    void hubWhoseEngineListsNoNodesBelievesAnother() {
        RecordedChannel other = subscriber(m2);
        RecordedChannel removed = announce(m2, worker("w1", 1, 1, endpoint(7)));
        assertThat(endpoints(other)).containsExactly("ep7");
        remove();
        assertThat(removed.closed).isTrue();
        assertThat(other.take(Message.Records.class).getFirst().gone()).containsExactly("w1");
        assertThat(revoked).containsExactlyInAnyOrder("m1 w1", "m2 w1");
        assertThat(open(m2, "w1", Role.WORKER).closed).isTrue();
    }

    /** It has none with this hub, because its engine lists earlier managers only. */
    @Test
    void removedNodeWithSessionElsewhereIsFoundByItsRecord() {
        m1.hubOpened("m2", 2);
        m1.recordsReceived("m2", new Message.Records(List.of(worker("w9", 5, 9, endpoint(7))), List.of(), true));
        remove();
        assertThat(m1.removed()).containsExactly("w1");
        timer.pass(Duration.ofNanos(RemovedNodes.BEHIND.toNanos()));
        remove();
        assertThat(m1.removed()).containsExactlyInAnyOrder("w1", "w9");
        assertThat(m2.removed()).contains("w9");
    }

    /** A hub that was started again has no earlier list, and the node closes each session before the next list comes. */
    @Test
    void removedNodeWithShortSessionsIsFoundAfterItsHubRestarted() {
        Hub restarted = hub("m1", 3);
        Set<String> nodes = Set.of("m1", "m2", "w2");
        restarted.swarmNodes(nodes);
        for (int poll = 0; poll < 3; poll++) {
            timer.pass(Duration.ofSeconds(5));
            RecordedChannel session = open(restarted, "w1", Role.WORKER);
            timer.pass(Duration.ofSeconds(1));
            restarted.closed(session);
            timer.pass(Duration.ofSeconds(4));
            restarted.swarmNodes(nodes);
        }
        assertThat(restarted.removed()).containsExactly("w1");
        assertThat(open(restarted, "w1", Role.WORKER).closed).isTrue();
        assertThat(revoked).contains("m1 w1");
    }

    /** m2 may not have heard yet. */
    @Test
    void recordThatAnotherHubStillSendsDoesNotCount() {
        m1.hubOpened("m2", 2);
        remove();
        m1.recordsReceived("m2", new Message.Records(List.of(worker("w1", 5, 1, endpoint(7))), List.of(), true));
        assertThat(m1.nodes()).isEmpty();
    }

    @Test
    void hubThatStartsHearsOfRemovalsAndRevokesNothing() {
        remove();
        Hub starting = hub("m2", 3);
        starting.managers(managers);
        starting.hubOpened("m1", 1);
        RecordedChannel session = open(m1, "m2", Role.MANAGER);
        m1.received(session, new Message.Subscribe(Set.of(), true));
        timer.pass(BATCH);
        RecordedChannel early = open(starting, "w1", Role.WORKER);
        timer.pass(BATCH);
        assertThat(early.take(Message.Ring.class)).as("rings before the others were heard").isEmpty();
        revoked.clear();
        session.take(Message.Records.class).forEach(records -> starting.recordsReceived("m1", records));
        assertThat(early.closed).isTrue();
        assertThat(open(starting, "w1", Role.WORKER).closed).isTrue();
        assertThat(revoked).isEmpty();
    }

    /** Seed 12692: its previous process had a session with the node, and gave it a ring that others had made since the removal. */
    @Test
    void hubThatStartsRevokesKeysOfNodeThatItsPreviousProcessKnew() {
        announce(m2, worker("w1", 1, 1, endpoint(7)));
        m2.tick();
        remove();
        revoked.clear();
        Hub restarted = hub("m2", 3);
        restarted.hubOpened("m1", 1);
        toM2 = open(m1, "m2", Role.MANAGER);
        m1.received(toM2, new Message.Subscribe(Set.of(), true));
        timer.pass(BATCH);
        toM2.take(Message.Records.class).forEach(records -> restarted.recordsReceived("m1", records));
        assertThat(restarted.removed()).containsExactly("w1");
        assertThat(revoked).containsExactly("m2 w1");
    }

    @Test
    void managerThatWasDemotedIsNotBelievedAnyMore() throws Exception {
        remove();
        assertThat(m2.removed()).containsExactly("w1");
        managers.remove("m1");
        try (StandardError log = new StandardError()) {
            m2.managers(managers);
            m2.managers(managers);
            assertThat(log.said()).containsOnlyOnce("node w1 counts as one of the swarm again");
        }
        assertThat(m2.removed()).isEmpty();
        assertThat(announce(m2, worker("w1", 1, 1, endpoint(7))).closed).isFalse();
        assertThat(m2.nodes()).extracting(NodeRecord::node).containsExactly("w1");
    }

    /** The swarm was restored from a backup, say. */
    @Test
    void nodeThatIsListedAgainIsReadmittedEverywhere() {
        announce(m1, worker("w1", 3, 1, endpoint(7)));
        announce(m2, worker("w1", 3, 1, endpoint(7)));
        remove();
        m1.swarmNodes(Set.of("m1", "m2", "w1", "w2"));
        pass();
        for (Hub hub : List.of(m1, m2)) {
            RecordedChannel other = subscriber(hub);
            RecordedChannel again = open(hub, "w1", Role.WORKER);
            pass();
            long outdone = again.take(Message.Welcome.class).getFirst().incarnation();
            hub.received(again, new Message.Announce(incarnation(worker("w1", 3, 1, endpoint(7)), outdone + 1)));
            pass();
            assertThat(endpoints(other)).containsExactly("ep7");
        }
    }

    @Test
    void manyRemovedNodesAreNamedInSeveralMessages() {
        Set<String> all = new HashSet<>(Set.of("m1", "m2", "w1", "w2"));
        for (int number = 0; number < 1000; number++) {
            all.add("removed" + number);
        }
        m1.swarmNodes(all);
        remove();
        assertThat(m2.removed()).hasSize(1001);
    }
}
