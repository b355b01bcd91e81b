package io.vxseal.cluster.hub;

import static io.vxseal.cluster.hub.TestSessions.endpoints;
import static io.vxseal.cluster.record.TestRecords.NET;
import static io.vxseal.cluster.record.TestRecords.away;
import static io.vxseal.cluster.record.TestRecords.endpoint;
import static io.vxseal.cluster.record.TestRecords.worker;
import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.cluster.message.ManualTimer;
import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.message.RecordedChannel;
import io.vxseal.cluster.message.RingMark;
import io.vxseal.cluster.record.HubView.Retention;
import io.vxseal.cluster.record.NodeRecord;
import io.vxseal.swarm.Role;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Hubs that hear from each other of their nodes, of which some start again. */
class LinkedHubsTest {
    private static final Duration BATCH = Duration.ofMillis(20);
    private static final Retention RETENTION = new Retention(Duration.ofSeconds(26), Duration.ofMinutes(10));

    private final ManualTimer timer = new ManualTimer();
    private final Set<String> managers = new HashSet<>(Set.of("m1", "m2", "m3"));
    private final List<String> revoked = new ArrayList<>();
    /** Tags of revoked keys that the ring has. */
    private final Set<Integer> kept = new HashSet<>();
    private final Map<String, SimulatedDisk> disks = new HashMap<>();
    private final List<Link> links = new ArrayList<>();

    /** Session of one hub's node with another hub. */
    private record Link(Hub from, String fromId, Hub to, RecordedChannel channel) {}

    private Hub hub(String self, long process) {
        return new Hub(self, process, RETENTION, timer, managers::contains, new RingsWithoutKeys() {
            @Override
            public void onRemoval(String node) {
                revoked.add(self + " " + node);
            }

            @Override
            public Set<Integer> revoked() {
                return Set.copyOf(kept);
            }
        }, disks.computeIfAbsent(self, _ -> new SimulatedDisk()), (_, _, _) -> { });
    }

    private Hub ready(String self, long process) {
        Hub hub = hub(self, process);
        timer.pass(HubReadiness.SYNCHRONIZE);
        hub.tick();
        return hub;
    }

    /** Has `to` receive what `from` sends. */
    private void link(Hub from, String fromId, long process, Hub to, String toId) {
        to.hubOpened(fromId, process);
        RecordedChannel channel = open(from, toId, Role.MANAGER);
        from.received(channel, new Message.Subscribe(Set.of(), true));
        links.add(new Link(from, fromId, to, channel));
        pass();
    }

    private void pass() {
        for (int times = 0; times < 3; times++) {
            timer.pass(BATCH);
            links.forEach(link -> link.channel.take(Message.Records.class).forEach(records -> link.to.recordsReceived(link.fromId, records)));
        }
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

    private List<String> told(Hub by) {
        RecordedChannel channel = open(by, "observer", Role.WORKER);
        by.received(channel, new Message.Subscribe(Set.of(NET), false));
        pass();
        List<String> told = endpoints(channel);
        by.closed(channel);
        return told;
    }

    /** It announces nothing, so no hub has a record of it, and the session is with the hub whose engine gives no list. */
    @Test
    void nodeThatIsRemovedWhileThePluginWithTheListIsDownHasNoSession() {
        managers.remove("m3");
        Hub m2 = ready("m2", 2);
        Hub before = ready("m1", 1);
        before.swarmNodes(Set.of("m1", "m2", "w1", "w2"));
        Hub m1 = ready("m1", 11);
        link(m1, "m1", 11, m2, "m2");
        RecordedChannel removed = open(m2, "w1", Role.WORKER);
        m1.swarmNodes(Set.of("m1", "m2", "w2"));
        pass();
        assertThat(removed.closed).isTrue();
        assertThat(revoked).contains("m1 w1", "m2 w1");
        Hub next = ready("m1", 21);
        Hub restarted = ready("m2", 22);
        link(next, "m1", 21, restarted, "m2");
        next.swarmNodes(Set.of("m1", "m2", "w2"));
        pass();
        assertThat(open(restarted, "w1", Role.WORKER).closed).as("after both started again").isTrue();
    }

    /** The keys are not replaced yet, and no other hub heard of it. */
    @Test
    void hubThatEndsBeforeTheKeysAreReplacedFindsTheRemovalAgain() {
        Hub before = ready("m1", 1);
        before.swarmNodes(Set.of("m1", "w1"));
        kept.add(17);
        before.swarmNodes(Set.of("m1"));
        before.swarmNodes(Set.of("m1"));
        revoked.clear();
        Hub m1 = ready("m1", 11);
        m1.swarmNodes(Set.of("m1"));
        assertThat(revoked).containsExactly("m1 w1");
        kept.clear();
        m1.swarmNodes(Set.of("m1"));
        revoked.clear();
        Hub next = ready("m1", 21);
        next.swarmNodes(Set.of("m1"));
        assertThat(next.removed()).containsExactly("w1");
        assertThat(revoked).as("replaced long ago").isEmpty();
    }

    /** M1 cannot be reached for three seconds as m2 starts; the worker takes the ring and goes. */
    @Test
    void keysThatStartingHubGaveRemovedNodeAreRevokedThoughItAnnouncedNothing() {
        Hub m1 = ready("m1", 1);
        m1.swarmNodes(Set.of("m1", "m2", "w1"));
        m1.swarmNodes(Set.of("m1", "m2"));
        Hub m2 = hub("m2", 3);
        m2.managers(managers);
        timer.pass(HubReadiness.SYNCHRONIZE);
        m2.tick();
        RecordedChannel early = open(m2, "w1", Role.WORKER);
        timer.pass(BATCH);
        assertThat(early.take(Message.Ring.class)).as("it was given the ring").hasSize(1);
        m2.closed(early);
        revoked.clear();
        link(m1, "m1", 1, m2, "m2");
        assertThat(m2.removed()).containsExactly("w1");
        assertThat(revoked).containsExactly("m2 w1");
    }

    /** W1 stopped in good order, for ten minutes at most. m1 restarts, hears of it from m2, and then m2 restarts. */
    @Test
    void nodeThatIsAwayOutlivesRestartOfOneHubAfterTheOther() {
        managers.remove("m3");
        Hub m2 = ready("m2", 2);
        RecordedChannel session = announce(m2, worker("w1", 1, 1, endpoint(7)));
        m2.received(session, new Message.Announce(away(worker("w1", 1, 1, endpoint(7)))));
        pass();
        m2.closed(session);
        timer.pass(Duration.ofSeconds(2));
        m2.tick();
        Hub m1 = ready("m1", 11);
        link(m2, "m2", 2, m1, "m1");
        assertThat(told(m1)).containsExactly("ep7");
        links.clear();
        m1.hubClosed("m2");
        Hub next = ready("m2", 22);
        link(m1, "m1", 11, next, "m2");
        link(next, "m2", 22, m1, "m1");
        for (int second = 0; second < 30; second++) {
            timer.pass(Duration.ofSeconds(1));
            m1.tick();
            next.tick();
            pass();
        }
        assertThat(told(m1)).as("half a minute later").containsExactly("ep7");
    }

    /** Both have the list, and said it of each other; then the swarm was restored. */
    @Test
    void nodeThatBothListsHaveAgainIsReadmitted() {
        managers.remove("m3");
        Hub m1 = ready("m1", 1);
        Hub m2 = ready("m2", 2);
        for (Hub hub : List.of(m1, m2)) {
            hub.swarmNodes(Set.of("m1", "m2", "w1"));
            hub.swarmNodes(Set.of("m1", "m2"));
        }
        link(m1, "m1", 1, m2, "m2");
        link(m2, "m2", 2, m1, "m1");
        for (int poll = 0; poll < 360; poll++) {
            for (Hub hub : List.of(m1, m2)) {
                hub.swarmNodes(Set.of("m1", "m2", "w1"));
                pass();
            }
            timer.pass(Duration.ofSeconds(10));
        }
        assertThat(m1.removed()).as("an hour after both lists have it").isEmpty();
        assertThat(m2.removed()).isEmpty();
    }
}
