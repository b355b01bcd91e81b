package io.vxseal.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.cluster.link.LinkTimes;
import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.message.MessageChannel;
import io.vxseal.cluster.message.Timer;
import io.vxseal.swarm.NodeName;
import io.vxseal.swarm.Role;
import java.net.InetAddress;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.PriorityQueue;
import java.util.Random;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class HubDialerTest {
    private final Clock clock = new Clock();
    private final List<InetAddress> dialled = new ArrayList<>();
    private final HubDialer dialer = new HubDialer(clock, new Random(1), dialled::add, () -> dial(Optional.empty()));

    /** Time that passes when the test says so. */
    private static final class Clock implements Timer {
        private record Due(long at, Runnable task) {}

        private final PriorityQueue<Due> due = new PriorityQueue<>((a, b) -> Long.compare(a.at(), b.at()));
        private long now;

        @Override
        public long nanoTime() {
            return now;
        }

        @Override
        public Instant wallTime() {
            return Instant.EPOCH.plusNanos(now);
        }

        @Override
        public void after(Duration delay, Runnable task) {
            due.add(new Due(now + delay.toNanos(), task));
        }

        void pass(double seconds) {
            long end = now + (long) (seconds * 1e9);
            while (!due.isEmpty() && due.peek().at() <= end) {
                Due next = due.remove();
                now = next.at();
                next.task().run();
            }
            now = end;
        }
    }

    private final class Channel implements MessageChannel {
        private final int number;
        private long heard = clock.now;

        Channel(int number) {
            this.number = number;
        }

        @Override
        public NodeName peer() {
            return new NodeName("swarm", Role.MANAGER, "hub" + number);
        }

        @Override
        public boolean send(Message message) {
            return true;
        }

        @Override
        public void close(String reason) {}

        @Override
        public long lastReceived() {
            return heard;
        }
    }

    private void dial(Optional<InetAddress> own) {
        dialer.dial(own);
    }

    private static Set<InetAddress> hubs(int some) {
        return IntStream.rangeClosed(1, some).mapToObj(n -> InetAddress.ofLiteral("10.0.0." + n)).collect(Collectors.toSet());
    }

    @Test
    void workerBeginsWithOneHub() {
        dialer.listed(hubs(3));
        dial(Optional.empty());
        clock.pass(5);
        assertThat(dialled).hasSize(1);
    }

    @Test
    void managerDialsAllOtherHubsAtOnce() {
        dialer.listed(hubs(7));
        dial(Optional.of(InetAddress.ofLiteral("10.0.0.1")));
        assertThat(dialled).hasSize(6);
    }

    @Test
    void sessionsFollowTheMoreSlowlyTheLongerTheLastTook() {
        for (Map.Entry<Double, Integer> expected : Map.of(0.05, 3, 1.0, 2, 4.0, 1).entrySet()) {
            HubDialerTest other = new HubDialerTest();
            other.dialer.listed(hubs(3));
            other.dial(Optional.empty());
            other.clock.pass(expected.getKey());
            other.dialer.connected(other.dialled.getLast(), other.new Channel(1));
            other.clock.pass(0.6);
            if (other.dialled.size() == 2) {
                other.dialer.connected(other.dialled.getLast(), other.new Channel(2));
            }
            other.clock.pass(10.5);
            assertThat(other.dialled).as("after an attempt of %s s", expected.getKey()).hasSize(expected.getValue());
        }
    }

    @Test
    void anotherHubIsDialledWhereOneHangsOrFails() {
        dialer.listed(hubs(3));
        dial(Optional.empty());
        clock.pass(HubDialer.STALLED.toSeconds() + 0.1);
        assertThat(dialled).hasSize(2);
        dialer.failed(dialled.getLast());
        clock.pass(0.1);
        assertThat(dialled).hasSize(3).doesNotHaveDuplicates();
    }

    /** Where a whole swarm starts at once, each attempt more makes all slower. */
    @Test
    void furtherHubsAreDialledEverMoreSlowlyWhereSeveralHang() {
        dialer.listed(hubs(3));
        dial(Optional.empty());
        clock.pass(HubDialer.STALLED.toSeconds() * 2.5);
        dial(Optional.empty());
        assertThat(dialled).hasSize(2);
        clock.pass(HubDialer.STALLED.toSeconds() * 0.6);
        dial(Optional.empty());
        assertThat(dialled).hasSize(3);
    }

    @Test
    void anotherHubIsDialledOnceTheOnlySessionIsSilent() {
        dialer.listed(hubs(3));
        dial(Optional.empty());
        clock.pass(2);
        Channel only = new Channel(1);
        // The next session would follow after 20 s.
        dialer.connected(dialled.getLast(), only);
        for (int second = 1; second <= 12; second++) {
            only.heard = second <= 6 ? clock.now : only.heard;
            clock.pass(1);
            dial(Optional.empty());
            assertThat(dialled).as("after %d s", second).hasSize(second < 11 ? 1 : 2);
        }
        assertThat(HubDialer.SILENT).isLessThan(LinkTimes.DEFAULT.silence()).isGreaterThan(LinkTimes.DEFAULT.keepAlive());
    }

    @Test
    void lostSessionIsReplacedAtOnce() {
        dialer.listed(hubs(3));
        dial(Optional.empty());
        clock.pass(2);
        Channel only = new Channel(1);
        dialer.connected(dialled.getLast(), only);
        dialer.closed(only);
        clock.pass(0.1);
        assertThat(dialled).hasSize(2);
    }
}
