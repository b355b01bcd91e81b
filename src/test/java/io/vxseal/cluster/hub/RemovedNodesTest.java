package io.vxseal.cluster.hub;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.record.TestRecords;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class RemovedNodesTest {
    private static final long BEHIND = RemovedNodes.BEHIND.toNanos();

    private final RemovedNodes removed = new RemovedNodes("m1", NodeList.NONE);
    private final Set<String> connected = new HashSet<>();

    /** Gives it a list with m1 and these nodes. */
    private Set<String> list(long time, String... nodes) {
        Set<String> all = new HashSet<>(List.of(nodes));
        all.add("m1");
        return removed.listed(all, connected, time).removed();
    }

    private static Message.Records words(boolean complete, String... removed) {
        return new Message.Records(List.of(), List.of(removed), complete, List.of(removed));
    }

    @Test
    void nodeThatLeavesTheListWasRemoved() {
        assertThat(list(0, "w1", "w2")).isEmpty();
        assertThat(list(1, "w1")).containsExactly("w2");
        assertThat(removed.contains("w2")).isTrue();
        assertThat(removed.contains("w1")).isFalse();
        assertThat(list(2, "w1")).as("once").isEmpty();
    }

    @Test
    void nodeThatJoinedJustNowHasTimeToBeListed() {
        connected.add("w1");
        assertThat(list(0)).isEmpty();
        assertThat(list(BEHIND - 1)).isEmpty();
        assertThat(list(BEHIND, "w1")).isEmpty();
        assertThat(removed.all()).isEmpty();
    }

    /** A hub that was started again has no earlier list. */
    @Test
    void nodeThatNoListHasForLongWasRemoved() {
        list(0);
        connected.add("w1");
        assertThat(list(BEHIND)).as("its time begins with the first list without it").isEmpty();
        assertThat(list(2 * BEHIND)).containsExactly("w1");
    }

    @Test
    void nodeThatComesAndGoesDoesNotBeginAnew() {
        list(0);
        connected.add("w1");
        list(BEHIND);
        connected.clear();
        list(2 * BEHIND - 1);
        connected.add("w1");
        assertThat(list(2 * BEHIND)).containsExactly("w1");
    }

    @Test
    void nodeWhoseSessionsAreBetweenListsWasRemovedToo() {
        list(0);
        removed.opened("w1");
        assertThat(list(1)).isEmpty();
        removed.opened("w1");
        assertThat(list(BEHIND)).isEmpty();
        assertThat(list(BEHIND + 1)).as("though it is away").containsExactly("w1");
    }

    @Test
    void remembersMissingNodesWithinBounds() {
        list(0);
        removed.opened("w1");
        list(1);
        for (int number = 0; number < RemovedNodes.MOST; number++) {
            removed.opened("x" + number);
        }
        list(2);
        assertThat(list(BEHIND + 2)).hasSize(RemovedNodes.MOST).doesNotContain("w1");
    }

    @Test
    void listThatComesBackTakesRemovalBack() {
        list(0, "w1");
        list(1);
        assertThat(list(2, "w1")).containsExactly("w1");
        assertThat(removed.contains("w1")).isFalse();
    }

    @Test
    void listWithoutThisNodeCountsForNothing() {
        list(0, "w1");
        assertThat(removed.listed(Set.of(), connected, 1)).isEqualTo(RemovedNodes.Change.NONE);
        assertThat(removed.listed(Set.of("other"), connected, 2)).isEqualTo(RemovedNodes.Change.NONE);
        assertThat(list(3, "w1")).isEmpty();
    }

    @Test
    void wordOfAnotherHubCountsUntilThatTakesItBack() {
        removed.hubOpened("m2", 7, 0);
        assertThat(removed.received("m2", words(true, "w1", "m1"))).as("this node knows better of itself").containsExactly("w1");
        assertThat(removed.contains("w1")).isTrue();
        assertThat(removed.byEngine()).as("passed on").isEmpty();
        assertThat(removed.received("m2", new Message.Records(List.of(TestRecords.worker("w1", 1, 1)), List.of(), false))).containsExactly("w1");
        assertThat(removed.contains("w1")).isFalse();
    }

    @Test
    void wordOfAnotherHubOutlivesItsSessionAndItsProcess() {
        removed.hubOpened("m2", 7, 0);
        removed.received("m2", words(true, "w1", "w2"));
        removed.hubOpened("m2", 7, 0);
        assertThat(removed.contains("w1")).isTrue();
        assertThat(removed.received("m2", words(true, "w1"))).as("not named again").containsExactly("w2");
        removed.hubOpened("m2", 8, 0);
        assertThat(removed.received("m2", words(true))).as("it may not remember").isEmpty();
        assertThat(removed.contains("w1")).isTrue();
        removed.hubOpened("m2", 8, 0);
        assertThat(removed.received("m2", words(true))).as("the second session with that process").isEmpty();
        assertThat(removed.received("m2", new Message.Records(List.of(TestRecords.worker("w1", 1, 1)), List.of(), false)))
                .as("the removed node is back at it").isEmpty();
        assertThat(removed.received("m2", new Message.Records(List.of(), List.of("w1"), false))).as("and leaves").isEmpty();
        assertThat(removed.contains("w1")).isTrue();
        removed.received("m2", words(false, "w1"));
        assertThat(removed.received("m2", new Message.Records(List.of(), List.of("w1"), false))).as("it takes its own word back")
                .containsExactly("w1");
    }

    @Test
    void wordOfAnotherHubsEarlierProcessEndsWithOwnList() {
        removed.hubOpened("m2", 7, 0);
        removed.received("m2", words(true, "w1", "w2"));
        assertThat(list(BEHIND, "w1")).as("that process knows better").isEmpty();
        removed.hubOpened("m2", 8, BEHIND);
        removed.received("m2", words(true));
        assertThat(list(2 * BEHIND - 1, "w1")).as("this list may be behind").isEmpty();
        assertThat(list(2 * BEHIND, "w1")).containsExactly("w1");
        assertThat(removed.all()).containsExactly("w2");
    }

    @Test
    void wordOfFormerManagerEnds() {
        removed.hubOpened("m2", 7, 0);
        removed.received("m2", words(true, "w1"));
        assertThat(removed.managers("m1"::equals)).containsExactly("w1");
        assertThat(removed.all()).isEmpty();
    }

    @Test
    void forgetsTheLongestRemovedFirst() {
        for (int number = 0; number <= RemovedNodes.MOST; number++) {
            list(2L * number, "w" + number);
            list(2L * number + 1);
        }
        assertThat(removed.all()).hasSize(RemovedNodes.MOST).doesNotContain("w0").contains("w1");
    }

    @Test
    void nodeThatIsRemovedWhileThePluginIsDownIsFoundByTheListBefore() {
        list(0, "w1", "w2");
        list(1, "w2");
        RemovedNodes next = new RemovedNodes("m1", removed.list());
        assertThat(next.all()).containsExactly("w1");
        assertThat(next.byEngine()).as("told before there is a list").isEmpty();
        assertThat(next.listed(Set.of("m1"), connected, 0)).isEqualTo(new RemovedNodes.Change(Set.of("w2"), Set.of("w1", "w2")));
        assertThat(next.listed(Set.of("m1", "w1"), connected, 1).removed()).as("restored").containsExactly("w1");
    }

    @Test
    void listOfAnotherSwarmIsForgotten() {
        list(0, "w1");
        list(1);
        RemovedNodes elsewhere = new RemovedNodes("m9", removed.list());
        assertThat(elsewhere.all()).isEmpty();
        assertThat(elsewhere.listed(Set.of("m9"), connected, 0)).isEqualTo(RemovedNodes.Change.NONE);
    }

    /** The other hub may end, or be a manager's no more. */
    @Test
    void ownListsWordIsToldThoughAnotherHubSaidTheSameBefore() {
        list(0, "w1");
        removed.hubOpened("m2", 7, 0);
        removed.received("m2", words(true, "w1"));
        RemovedNodes.Change change = removed.listed(Set.of("m1"), connected, 1);
        assertThat(change.removed()).isEmpty();
        assertThat(change.byEngine()).containsExactly("w1");
    }

    /** The one that said it is demoted, and this manager's own list never had the node. */
    @Test
    void wordThatOwnListConfirmsOutlivesTheHub() {
        removed.hubOpened("m2", 7, 0);
        removed.received("m2", words(true, "w1", "w2"));
        assertThat(removed.listed(Set.of("m1", "w2"), connected, 0).byEngine()).containsExactly("w1");
        assertThat(removed.managers("m1"::equals)).containsExactlyInAnyOrder("w1", "w2");
        assertThat(removed.all()).containsExactly("w1");
    }

    @Test
    void wordOfPresentProcessIsNotTakenBackWithThatOfTheEarlier() {
        removed.hubOpened("m2", 7, 0);
        removed.received("m2", words(true, "w1"));
        removed.hubOpened("m2", 8, 1);
        removed.received("m2", words(true, "w2"));
        assertThat(list(BEHIND + 1, "w1", "w2")).containsExactly("w1");
        assertThat(removed.all()).containsExactly("w2");
    }
}
