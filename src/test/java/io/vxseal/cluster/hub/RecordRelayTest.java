package io.vxseal.cluster.hub;

import static io.vxseal.cluster.record.TestRecords.NET;
import static io.vxseal.cluster.record.TestRecords.endpoint;
import static io.vxseal.cluster.record.TestRecords.worker;
import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.cluster.message.ManualTimer;
import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.message.RecordedChannel;
import io.vxseal.cluster.record.EndpointRecord;
import io.vxseal.cluster.record.HubView.Retention;
import io.vxseal.cluster.record.NodeRecord;
import io.vxseal.cluster.record.TestRecords;
import io.vxseal.swarm.Role;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A worker announces its record to five hubs, and the first of them passes on what all have. */
class RecordRelayTest {
    private static final Duration MOMENT = Duration.ofMillis(10);

    private final ManualTimer timer = new ManualTimer();
    private final List<String> refused = new ArrayList<>();
    private final Map<String, Hub> hubs = new LinkedHashMap<>();
    private final Map<String, RecordedChannel> toFirst = new LinkedHashMap<>();
    private final List<RecordedChannel> node = new ArrayList<>();
    private RecordedChannel subscriber = new RecordedChannel("w1", Role.WORKER, timer);

    @BeforeEach
    void begin() {
        for (int number = 1; number <= 5; number++) {
            hubs.put("m" + number, new Hub("m" + number, number, new Retention(Duration.ofSeconds(26), Duration.ofMinutes(10)), timer,
                    _ -> true, new RingsWithoutKeys() {
                        @Override
                        public void onRemoval(String left) {
                            // It is what ends the record.
                        }
                    }, RecordStore.NONE, (_, of, what) -> refused.add(of + ": " + what)));
        }
        timer.pass(HubReadiness.SYNCHRONIZE);
        hubs.values().forEach(Hub::tick);
        hubs.forEach((id, hub) -> {
            node.add(open(hub, "w3", Role.WORKER));
            if (hub != first()) {
                first().hubOpened(id, 1);
                toFirst.put(id, open(hub, "m1", Role.MANAGER));
                hub.received(toFirst.get(id), new Message.Subscribe(Set.of(), true));
            }
        });
        subscriber = open(first(), "w1", Role.WORKER);
        first().received(subscriber, new Message.Subscribe(Set.of(NET), false));
        pass(5);
        subscriber.take();
    }

    private Hub first() {
        return hubs.get("m1");
    }

    private RecordedChannel open(Hub hub, String id, Role role) {
        RecordedChannel channel = new RecordedChannel(id, role, timer);
        hub.opened(channel);
        hub.received(channel, new Message.Hello(RingsWithoutKeys.MARK, false));
        return channel;
    }

    private void announce(int to, NodeRecord record) {
        hubs.get("m" + to).received(node.get(to - 1), new Message.Announce(record));
    }

    private void pass(int moments) {
        for (int moment = 0; moment < moments; moment++) {
            timer.pass(MOMENT);
            toFirst.forEach((id, channel) -> channel.take(Message.Records.class).forEach(records -> first().recordsReceived(id, records)));
        }
    }

    private static List<String> last(List<Message.Records> told) {
        return told.getLast().records().getLast().networks().getFirst().endpoints().stream().map(EndpointRecord::id).toList();
    }

    @Test
    void passesOnWhatOneSessionMayChangeTwiceWhateverHubsItComesFrom() {
        for (int revision = 1; revision <= 3000; revision++) {
            announce(1 + revision % 5, worker("w3", revision, 3, endpoint("of-" + revision, 7)));
            pass(1);
        }
        List<Message.Records> told = subscriber.take(Message.Records.class);
        // At once and in thirty seconds, of 4 KiB each.
        assertThat(told.size()).as("told").isBetween(1000, 2 * (256 + 30 * 16) + 10);
        assertThat(refused).isNotEmpty().allMatch(line -> line.startsWith("w3: "));
        pass(100);
        assertThat(last(subscriber.take(Message.Records.class))).as("the newest is told in the end").containsExactly("of-3000");
    }

    @Test
    void endOfRecordIsPassedOnAtOnce() {
        for (int revision = 1; revision <= 2000; revision++) {
            announce(1 + revision % 5, worker("w3", revision, 3, endpoint("of-" + revision, 7)));
            pass(1);
        }
        assertThat(refused).isNotEmpty();
        subscriber.take();
        endOnAll();
        assertThat(subscriber.take(Message.Records.class).getLast().gone()).containsExactly("w3");
    }

    private void endOnAll() {
        hubs.forEach((id, hub) -> hub.received(node.get(Integer.parseInt(id.substring(1)) - 1), new Message.Goodbye(1, 1L << 40)));
        pass(5);
    }

    @Test
    void burstOfJoinsIsPassedOnAtOnceThoughAllHubsSendIt() {
        for (int joined = 1; joined <= 100; joined++) {
            NodeRecord record = worker("w3", joined, 3,
                    IntStream.rangeClosed(2, 1 + joined).mapToObj(TestRecords::endpoint).toArray(EndpointRecord[]::new));
            IntStream.rangeClosed(1, 5).forEach(to -> announce(to, record));
            pass(5);
            assertThat(last(subscriber.take(Message.Records.class))).contains("ep" + (1 + joined));
        }
        assertThat(refused).isEmpty();
    }
}
