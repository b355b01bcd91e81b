package io.vxseal.cluster.node;

import static io.vxseal.cluster.record.TestRecords.NET;
import static io.vxseal.cluster.record.TestRecords.SUBNETS;
import static io.vxseal.cluster.record.TestRecords.away;
import static io.vxseal.cluster.record.TestRecords.endpoint;
import static io.vxseal.cluster.record.TestRecords.incarnation;
import static io.vxseal.cluster.record.TestRecords.vtep;
import static io.vxseal.cluster.record.TestRecords.worker;
import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.cluster.PeerChange;
import io.vxseal.cluster.PeerChange.Added;
import io.vxseal.cluster.PeerChange.Removed;
import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.record.EndpointRecord;
import io.vxseal.cluster.record.HubView.Retention;
import io.vxseal.cluster.record.NodeRecord;
import io.vxseal.cluster.record.RecordMark;
import io.vxseal.peers.Peer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class DirectoryTest {
    private static final Retention RETENTION = new Retention(Duration.ofSeconds(26), Duration.ofMinutes(10));

    private final Directory directory = new Directory(RETENTION);

    private static long at(int seconds) {
        return Duration.ofSeconds(seconds).toNanos();
    }

    private static Peer peer(EndpointRecord endpoint, int vtep) {
        return new Peer(NET, endpoint.id(), endpoint.address(), endpoint.mac(), vtep(vtep));
    }

    @BeforeEach
    void subscribe() {
        directory.self("w0");
        directory.subscribe(NET, SUBNETS);
        directory.opened("m1", 11, at(0));
        directory.opened("m2", 12, at(0));
    }

    private List<PeerChange> tell(String hub, int seconds, NodeRecord... records) {
        return directory.received(hub, new Message.Records(List.of(records), List.of(), true), at(seconds));
    }

    private List<PeerChange> gone(String hub, int seconds, String... nodes) {
        return directory.received(hub, new Message.Records(List.of(), List.of(nodes), false), at(seconds));
    }

    @Test
    void endpointIsKeptWhileOneHubTellsIt() {
        assertThat(tell("m1", 0, worker("w1", 1, 1, endpoint(7)))).containsExactly(new Added(peer(endpoint(7), 1)));
        assertThat(tell("m2", 0, worker("w1", 1, 1, endpoint(7)))).as("the same again").isEmpty();
        assertThat(gone("m1", 1, "w1")).isEmpty();
        assertThat(gone("m2", 1, "w1")).containsExactly(new Removed(peer(endpoint(7), 1)));
    }

    @Test
    void newerRevisionCountsWhicheverHubTellsIt() {
        tell("m1", 0, worker("w1", 2, 1, endpoint(8)));
        assertThat(tell("m2", 0, worker("w1", 1, 1, endpoint(7)))).isEmpty();
        assertThat(directory.peers()).containsExactly(peer(endpoint(8), 1));
    }

    @Test
    void returningNodeCausesOnlyDifferences() {
        tell("m1", 0, worker("w1", 5, 1, endpoint(7), endpoint(8)));
        assertThat(tell("m1", 1, incarnation(worker("w1", 1, 1, endpoint(8), endpoint(9)), 2)))
                .containsExactly(new Removed(peer(endpoint(7), 1)), new Added(peer(endpoint(9), 1)));
    }

    @Test
    void endpointThatMovesIsRemovedWhereItWasFirst() {
        tell("m1", 0, worker("w1", 1, 1, endpoint(7)), worker("w2", 1, 2));
        assertThat(tell("m1", 1, worker("w1", 2, 1), worker("w2", 2, 2, endpoint("moved", 7))))
                .containsExactly(new Removed(peer(endpoint(7), 1)), new Added(peer(endpoint("moved", 7), 2)));
    }

    @Test
    void everythingIsKeptWhileNoHubIsReached() {
        tell("m1", 0, worker("w1", 1, 1, endpoint(7)));
        directory.closed("m2", at(1));
        assertThat(directory.closed("m1", at(1))).isEmpty();
        assertThat(directory.expire(at(3600))).isEmpty();
        assertThat(directory.peers()).hasSize(1);
    }

    @Test
    void recordsOfLostHubExpireAfterAnotherIsReached() {
        tell("m1", 0, worker("w1", 1, 1, endpoint(7)));
        directory.closed("m1", at(1));
        directory.closed("m2", at(1));
        directory.opened("m2", 12, at(100));
        tell("m2", 100);
        assertThat(directory.expire(at(125))).isEmpty();
        assertThat(directory.expire(at(126))).containsExactly(new Removed(peer(endpoint(7), 1)));
    }

    @Test
    void awayNodeIsKeptLongerUnlessHubWasWitness() {
        tell("m1", 0, away(worker("w1", 1, 1, endpoint(7))));
        tell("m2", 0);
        directory.closed("m1", at(10));
        assertThat(directory.expire(at(36))).as("the other hub was there").hasSize(1);

        directory.opened("m1", 11, at(40));
        tell("m1", 40, away(worker("w1", 1, 1, endpoint(7))));
        directory.closed("m1", at(50));
        directory.closed("m2", at(50));
        directory.opened("m2", 99, at(51));
        tell("m2", 51);
        assertThat(directory.expire(at(650))).as("the other hub was started since").isEmpty();
        assertThat(directory.expire(at(651))).hasSize(1);
    }

    /** Seed 3776: the hub that was there all along had been out of reach, and its view was dropped meanwhile. */
    @Test
    void hubReachedLaterIsWitnessSinceItsStart() {
        tell("m1", 0, away(worker("w1", 1, 1, endpoint(7))));
        directory.closed("m1", at(50));
        directory.closed("m2", at(50));
        directory.opened("m3", 13, at(20));
        tell("m3", 60);
        assertThat(directory.expire(at(85))).isEmpty();
        assertThat(directory.expire(at(86))).containsExactly(new Removed(peer(endpoint(7), 1)));
    }

    /** Seed 6848: no hub was there to hear that the node was back. */
    @Test
    void laterRecordEndsWhatAnyHubToldBefore() {
        NodeRecord before = away(worker("w1", 1, 1, endpoint(7)));
        tell("m1", 0, before);
        assertThat(directory.held()).isEmpty();
        directory.closed("m1", at(10));
        directory.closed("m2", at(10));
        directory.opened("m2", 99, at(20));
        tell("m2", 20);
        assertThat(directory.held()).containsExactly(RecordMark.of(before));
        assertThat(tell("m2", 21, incarnation(worker("w1", 1, 1), 2))).containsExactly(new Removed(peer(endpoint(7), 1)));
        assertThat(directory.held()).isEmpty();
        assertThat(gone("m2", 22, "w1")).isEmpty();
        assertThat(directory.peers()).isEmpty();
    }

    @Test
    void completeTellingReplacesEarlierRecords() {
        tell("m1", 0, worker("w1", 1, 1, endpoint(7)));
        directory.closed("m1", at(1));
        assertThat(directory.opened("m1", 11, at(2))).isEmpty();
        assertThat(tell("m1", 2)).containsExactly(new Removed(peer(endpoint(7), 1)));
    }

    @Test
    void restartedHubHasTimeToHearFromNodes() {
        tell("m1", 0, worker("w1", 1, 1, endpoint(7)));
        directory.closed("m1", at(1));
        directory.opened("m1", 77, at(2));
        assertThat(tell("m1", 2)).isEmpty();
        assertThat(directory.expire(at(10))).isEmpty();
        assertThat(directory.peers()).hasSize(1);
    }

    /** What that process itself has told is no longer there if it does not tell it again. */
    @Test
    void restartedHubHasThatTimeInItsSecondSessionAsWell() {
        tell("m1", 0, worker("w1", 1, 1, endpoint(7)));
        directory.closed("m1", at(1));
        directory.opened("m1", 77, at(2));
        tell("m1", 2, worker("w2", 1, 2, endpoint(8)));
        directory.closed("m1", at(3));
        directory.opened("m1", 77, at(4));
        assertThat(tell("m1", 4)).containsExactly(new Removed(peer(endpoint(8), 2)));
        assertThat(directory.peers()).containsExactly(peer(endpoint(7), 1));
        assertThat(directory.expire(at(29))).isEmpty();
        assertThat(directory.expire(at(30))).containsExactly(new Removed(peer(endpoint(7), 1)));
    }

    /** The only hub restarts while the node is away; then the session with its new process breaks once more. */
    @Test
    void hubIsNoWitnessOfWhatItsEarlierProcessKnew() {
        tell("m1", 0, away(worker("w1", 1, 1, endpoint(7))));
        directory.closed("m2", at(9));
        directory.closed("m1", at(10));
        directory.opened("m1", 21, at(20));
        tell("m1", 20);
        assertThat(directory.expire(at(49))).isEmpty();
        directory.closed("m1", at(50));
        directory.opened("m1", 21, at(20));
        tell("m1", 51);
        assertThat(directory.expire(at(80))).as("it may be away for ten minutes").isEmpty();
        assertThat(directory.expire(at(651))).hasSize(1);
    }

    @Test
    void nodeThatTheEngineLostGoesUnlessHubTellsIt() {
        tell("m1", 0, worker("w1", 1, 1, endpoint(7)));
        assertThat(directory.lost(vtep(1))).isEmpty();
        directory.closed("m1", at(1));
        assertThat(directory.lost(vtep(1))).containsExactly(new Removed(peer(endpoint(7), 1)));
    }

    @Test
    void ignoresClaimThatContradictsTheEngine() {
        assertThat(tell("m1", 0, worker("w1", 1, 1, endpoint(1), endpoint(255), endpoint(7)))).hasSize(1);
        assertThat(directory.refused()).isEqualTo(2);
        tell("m1", 1, worker("w1", 2, 1, endpoint(7)));
        assertThat(directory.refused()).isZero();
    }

    @Test
    void ignoresOwnRecordAndOtherNetworks() {
        assertThat(tell("m1", 0, worker("w0", 1, 9, endpoint(7)))).isEmpty();
        tell("m1", 1, worker("w1", 1, 1, endpoint(7)));
        assertThat(directory.unsubscribe(NET)).containsExactly(new Removed(peer(endpoint(7), 1)));
        assertThat(directory.subscribe(NET, SUBNETS)).containsExactly(new Added(peer(endpoint(7), 1)));
    }

    enum Kind { TELL, GONE, OPEN, RESTART, CLOSE, EXPIRE, LOST, SUBSCRIBE, UNSUBSCRIBE }

    record Step(Kind kind, int hub, int node, List<Integer> endpoints) {}

    @Provide
    Arbitrary<List<Step>> steps() {
        return Combinators.combine(Arbitraries.of(Kind.class), Arbitraries.integers().between(1, 3), Arbitraries.integers().between(1, 3),
                        Arbitraries.integers().between(2, 6).list().uniqueElements().ofMaxSize(3))
                .as(Step::new).list().ofMaxSize(60);
    }

    /**
     * Whoever applies the changes in order has what the directory has. Each address is of one endpoint, and no change says what is so
     * already.
     */
    @Property(tries = 500)
    void changesAddUpToTheDirectory(@ForAll("steps") List<Step> steps) {
        Directory tested = new Directory(RETENTION);
        tested.self("w0");
        boolean subscribed = false;
        Set<Peer> seen = new HashSet<>();
        Set<String> open = new HashSet<>();
        int now = 0;
        for (Step step : steps) {
            String hub = "m" + step.hub();
            String node = "w" + step.node();
            now += 7;
            List<PeerChange> changes = new ArrayList<>();
            switch (step.kind()) {
                case TELL, GONE -> {
                    if (open.contains(hub)) {
                        // Addresses are of one node, as hubs see to.
                        EndpointRecord[] endpoints = step.endpoints().stream()
                                .map(number -> endpoint(10 * step.node() + number)).toArray(EndpointRecord[]::new);
                        List<NodeRecord> some = step.kind() == Kind.TELL ? List.of(worker(node, now, step.node(), endpoints)) : List.of();
                        changes.addAll(tested.received(hub, new Message.Records(some, some.isEmpty() ? List.of(node) : List.of(), true), at(now)));
                    }
                }
                case OPEN, RESTART -> {
                    if (open.add(hub)) {
                        changes.addAll(tested.opened(hub, step.kind() == Kind.OPEN ? 1 : now, at(now)));
                    }
                }
                case CLOSE -> {
                    if (open.remove(hub)) {
                        changes.addAll(tested.closed(hub, at(now)));
                    }
                }
                case EXPIRE -> changes.addAll(tested.expire(at(now)));
                case LOST -> changes.addAll(tested.lost(vtep(step.node())));
                case SUBSCRIBE -> {
                    subscribed = true;
                    changes.addAll(tested.subscribe(NET, SUBNETS));
                }
                case UNSUBSCRIBE -> {
                    subscribed = false;
                    changes.addAll(tested.unsubscribe(NET));
                }
            }
            for (PeerChange change : changes) {
                switch (change) {
                    case Added(var peer) -> assertThat(seen.add(peer)).isTrue();
                    case Removed(var peer) -> assertThat(seen.remove(peer)).isTrue();
                }
            }
            assertThat(seen).containsExactlyInAnyOrderElementsOf(tested.peers());
            assertThat(seen).extracting(peer -> peer.address().address()).doesNotHaveDuplicates();
            assertThat(subscribed || seen.isEmpty()).isTrue();
        }
    }
}
