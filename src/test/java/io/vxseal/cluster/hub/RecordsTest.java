package io.vxseal.cluster.hub;

import static io.vxseal.cluster.record.TestRecords.away;
import static io.vxseal.cluster.record.TestRecords.endpoint;
import static io.vxseal.cluster.record.TestRecords.incarnation;
import static io.vxseal.cluster.record.TestRecords.vtep;
import static io.vxseal.cluster.record.TestRecords.worker;
import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.record.HubView.Retention;
import io.vxseal.cluster.record.NodeRecord;
import io.vxseal.swarm.Role;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

class RecordsTest {
    private static final Retention RETENTION = new Retention(Duration.ofSeconds(26), Duration.ofMinutes(10));
    private static final NodeRecord W1 = worker("w1", 5, 1, endpoint(2), endpoint(3));

    private final Records records = records();

    private static Records records() {
        return new Records(RETENTION, new Claims(), new KeptRecords(RecordStore.NONE, RETENTION.away(), 0), 0);
    }

    private static long at(int seconds) {
        return Duration.ofSeconds(seconds).toNanos();
    }

    private void announce(NodeRecord record) {
        records.announce(record, Role.WORKER, 1000);
    }

    private void tell(String hub, int seconds, NodeRecord... told) {
        records.received(hub, new Message.Records(List.of(told), List.of(), true), at(seconds));
    }

    private NodeRecord direct(String node) {
        return records.direct(node).orElseThrow();
    }

    @Test
    void silentNodeIsKeptForItsRetention() {
        announce(W1);
        records.closed("w1", at(0), at(10));
        assertThat(records.expire(at(25))).isEmpty();
        assertThat(records.chosen("w1")).isPresent();
        assertThat(records.expire(at(26))).containsExactly("w1");
        assertThat(records.chosen("w1")).isEmpty();
    }

    @Test
    void nodeWhoseSilenceWasNoticedLateHasTimeToReturn() {
        announce(W1);
        records.closed("w1", at(0), at(25));
        assertThat(records.expire(at(29))).isEmpty();
        assertThat(records.expire(at(30))).containsExactly("w1");
    }

    @Test
    void nodeThatIsAwayIsKeptForTenMinutes() {
        announce(away(W1));
        records.closed("w1", at(1), at(1));
        assertThat(records.expire(at(600))).isEmpty();
        assertThat(records.expire(at(601))).containsExactly("w1");
    }

    @Test
    void ignoresOlderRecordOfLiveNode() {
        announce(W1);
        announce(worker("w1", 4, 1));
        assertThat(direct("w1").revision()).isEqualTo(5);
    }

    @Test
    void nodeThatTheEngineLostEndsOnlyIfItIsSilent() {
        announce(W1);
        assertThat(records.lost(vtep(1), at(0))).isEmpty();
        assertThat(records.chosen("w1")).isPresent();
        assertThat(records.closed("w1", at(1), at(1))).containsExactly("w1");
        assertThat(records.chosen("w1")).isEmpty();
    }

    @Test
    void earliestAdmissionOfAnyHubCounts() {
        announce(W1);
        long own = direct("w1").networks().getFirst().endpoints().getFirst().since();
        records.hubOpened("m2", 7, at(0));
        tell("m2", 0, W1);
        assertThat(own).isEqualTo(1000);
        assertThat(direct("w1").networks().getFirst().endpoints().getFirst().since()).isZero();
    }

    @Test
    void recordOfAnotherHubIsKeptWhileThatHubTellsIt() {
        records.hubOpened("m2", 7, at(0));
        tell("m2", 0, W1);
        assertThat(records.chosen("w1")).isPresent();
        records.received("m2", new Message.Records(List.of(), List.of("w1"), false), at(1));
        assertThat(records.chosen("w1")).isEmpty();
    }

    /** Seed 1056: the hub was cut off while the node came back, and left the swarm. */
    @Test
    void awayRecordEndsWhereAnotherHubHeardTheGoodbye() {
        announce(away(W1));
        records.closed("w1", at(1), at(1));
        Records other = records();
        other.announce(incarnation(W1, 2), Role.WORKER, 2000);
        other.goodbye("w1", 2, 6, at(20));
        assertThat(other.chosen("w1")).isEmpty();

        records.hubOpened("m2", 7, at(30));
        tell("m2", 30, other.direct("w1").orElseThrow());
        assertThat(records.chosen("w1")).isEmpty();
        records.hubClosed("m2", at(31));
        records.expire(at(100));
        assertThat(records.chosen("w1")).as("after what the other hub told is forgotten").isEmpty();
    }

    /** The same of a node that came back and whose power was cut. */
    @Test
    void awayRecordEndsWhereAnotherHubGaveUpItsSuccessor() {
        announce(away(W1));
        records.closed("w1", at(1), at(1));
        Records other = records();
        other.announce(incarnation(W1, 2), Role.WORKER, 2000);
        other.closed("w1", at(20), at(20));
        other.expire(at(46));
        records.hubOpened("m2", 7, at(50));
        tell("m2", 50, other.direct("w1").orElseThrow());
        assertThat(records.chosen("w1")).isEmpty();
    }

    @Test
    void awayRecordEndsWhenAnotherHubHearsTheNextProcess() {
        announce(away(W1));
        records.closed("w1", at(1), at(1));
        records.hubOpened("m2", 7, at(2));
        tell("m2", 2, incarnation(worker("w1", 1, 1, endpoint(2)), 2));
        records.received("m2", new Message.Records(List.of(), List.of("w1"), false), at(40));
        assertThat(records.chosen("w1")).isEmpty();
    }

    @Test
    void hubThatGaveUpDoesNotEndWhatAnotherHears() {
        announce(W1);
        Records other = records();
        other.announce(W1, Role.WORKER, 1000);
        other.closed("w1", at(0), at(0));
        other.expire(at(26));
        records.hubOpened("m2", 7, at(27));
        tell("m2", 27, other.direct("w1").orElseThrow());
        assertThat(records.chosen("w1")).isPresent();
        records.closed("w1", at(30), at(30));
        assertThat(records.chosen("w1")).as("silent here for a moment only").isPresent();
    }

    @Test
    void goodbyeEndsWhatOtherHubsStillHear() {
        announce(W1);
        records.hubOpened("m2", 7, at(0));
        Records other = records();
        other.announce(W1, Role.WORKER, 1000);
        other.goodbye("w1", 1, 6, at(1));
        tell("m2", 1, other.direct("w1").orElseThrow());
        assertThat(records.chosen("w1")).isEmpty();
    }

    @Test
    void nodeThatReturnsAfterItsEndIsKnownAgain() {
        announce(W1);
        records.goodbye("w1", 1, 6, at(1));
        assertThat(records.opened("w1")).isEmpty();
        assertThat(records.incarnation("w1")).as("what a process with a slow clock has to outdo").isEqualTo(1);
        announce(incarnation(W1, 2));
        assertThat(records.chosen("w1")).isPresent();
        records.closed("w1", at(2), at(2));
        assertThat(records.chosen("w1")).isPresent();
    }

    @Test
    void endedRecordIsForgottenInTheEnd() {
        announce(W1);
        records.goodbye("w1", 1, 6, at(1));
        assertThat(direct("w1").ended()).isTrue();
        assertThat(direct("w1").networks()).isEmpty();
        records.expire(at(600));
        assertThat(records.directNodes()).containsExactly("w1");
        records.expire(at(601));
        assertThat(records.directNodes()).isEmpty();
    }
}
