package io.vxseal.journal;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.Comparator;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(30)
class JournalTest {
    private final Journal journal = new Journal();

    private void add(int events) {
        for (int i = 0; i < events; i++) {
            journal.add(Event.Kind.REPAIRED, "this host", "event " + (journal.newest() + 1));
        }
    }

    @Test
    void keepsTheLastEventsInTheirOrder() {
        add(Journal.CAPACITY + 5);
        assertThat(journal.last()).hasSize(Journal.CAPACITY);
        assertThat(journal.last().getFirst().text()).isEqualTo("event 6");
        assertThat(journal.last().getLast().number()).isEqualTo(journal.newest()).isEqualTo(Journal.CAPACITY + 5);
    }

    @Test
    void floodOfOneKindLeavesEventsOfOthers() {
        journal.add(Event.Kind.ERROR, "", "an error");
        add(5);
        for (int i = 0; i < 10 * Journal.CAPACITY; i++) {
            journal.add(Event.Kind.PEERS, "node", "peers " + i);
        }
        assertThat(journal.last()).hasSize(Journal.CAPACITY).isSortedAccordingTo(Comparator.comparingLong(Event::number));
        assertThat(journal.last().subList(0, 6)).extracting(Event::kind)
                .containsExactly(Event.Kind.ERROR, Event.Kind.REPAIRED, Event.Kind.REPAIRED, Event.Kind.REPAIRED, Event.Kind.REPAIRED,
                        Event.Kind.REPAIRED);
        assertThat(journal.last().getLast().text()).isEqualTo("peers " + (10 * Journal.CAPACITY - 1));
    }

    @Test
    void keepsTextsShortAndOnOneLine() {
        journal.add(Event.Kind.ERROR, "", "a\nb\u001b[31m" + "c".repeat(1000));
        assertThat(journal.last().getFirst().text()).startsWith("a b [31mcc").hasSize(300).endsWith("…");
    }

    @Test
    void tellsSlowFollowerHowManyItMissed() throws Exception {
        add(3);
        assertThat(journal.awaitAfter(1, Duration.ZERO).events()).extracting(Event::number).containsExactly(2L, 3L);
        assertThat(journal.awaitAfter(1, Duration.ZERO).missed()).isZero();
        add(Journal.CAPACITY);
        Journal.Batch batch = journal.awaitAfter(1, Duration.ZERO);
        assertThat(batch.missed()).isEqualTo(2);
        assertThat(batch.events()).hasSize(Journal.CAPACITY);
    }

    @Test
    void tellsFollowerOfAnEarlierProcessEverything() throws Exception {
        add(2);
        assertThat(journal.awaitAfter(900, Duration.ofSeconds(20)).events()).hasSize(2);
    }

    @Test
    void wakesFollowerThatWaits() throws Exception {
        CompletableFuture<Journal.Batch> waiting = CompletableFuture.supplyAsync(() -> {
            try {
                return journal.awaitAfter(0, Duration.ofSeconds(20));
            } catch (InterruptedException stopped) {
                throw new IllegalStateException(stopped);
            }
        });
        add(1);
        assertThat(waiting.get(10, TimeUnit.SECONDS).events()).hasSize(1);
        assertThat(journal.awaitAfter(1, Duration.ofMillis(1)).events()).isEmpty();
    }
}
