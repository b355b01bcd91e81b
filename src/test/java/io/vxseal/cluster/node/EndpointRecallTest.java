package io.vxseal.cluster.node;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.address.Cidr;
import io.vxseal.address.MacAddress;
import io.vxseal.cluster.PeerChange;
import io.vxseal.cluster.message.ManualTimer;
import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.message.RecordedChannel;
import io.vxseal.cluster.record.PathReport;
import io.vxseal.peers.Peer;
import io.vxseal.swarm.Role;
import java.net.InetAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

class EndpointRecallTest {
    private static final InetAddress ADDRESS = InetAddress.ofLiteral("10.44.0.7");
    private static final Peer ENDPOINT =
            new Peer("net", "ep7", new Cidr(ADDRESS, 24), MacAddress.of(ADDRESS), InetAddress.ofLiteral("10.1.0.3"));

    private final ManualTimer timer = new ManualTimer();
    private final List<Peer> recalled = new ArrayList<>();
    private boolean over;
    private final EndpointRecall recall = new EndpointRecall(timer, new Listener(), () -> over = true);
    private final RecordedChannel one = new RecordedChannel("m1", Role.MANAGER, timer);
    private final RecordedChannel other = new RecordedChannel("m2", Role.MANAGER, timer);

    private final class Listener implements NodeListener {
        @Override
        public void changed(List<PeerChange> changes) {
            throw new AssertionError("nothing is known of other nodes");
        }

        @Override
        public void recalled(List<Peer> endpoints, Runnable then) {
            recalled.addAll(endpoints);
            then.run();
        }

        @Override
        public void checkPaths(Consumer<Optional<PathReport>> then) {
            throw new AssertionError("no path is checked");
        }

        @Override
        public void hubOpened(String hub, long process) {
            throw new AssertionError("this node has no hub");
        }

        @Override
        public void recordsReceived(String hub, Message.Records records) {
            throw new AssertionError("this node has no hub");
        }

        @Override
        public void hubClosed(String hub) {
            throw new AssertionError("this node has no hub");
        }
    }

    private Uplink up(RecordedChannel channel) {
        return new Uplink(channel, Optional.empty(), false, timer.nanoTime());
    }

    private static int questions(RecordedChannel channel) {
        return channel.take(Message.RecallRequest.class).size();
    }

    /** Seed 30352: the hub met the one that knew the endpoints a moment after it was asked. */
    @Test
    void hubThatKnewNothingIsAskedAgain() {
        recall.begin();
        Uplink up = up(one);
        recall.ask(up);
        assertThat(questions(one)).isEqualTo(1);
        recall.take(up, List.of());
        timer.pass(Duration.ofSeconds(1));
        assertThat(questions(one)).isEqualTo(1);
        recall.take(up, List.of(ENDPOINT));
        assertThat(recalled).containsExactly(ENDPOINT);
        assertThat(over).isTrue();
        timer.pass(Duration.ofMinutes(1));
        assertThat(questions(one)).as("asked for endpoints that are known").isZero();
    }

    @Test
    void recallEndsInTimeThoughHubsKeepKnowingNothing() {
        recall.begin();
        Uplink up = up(one);
        recall.ask(up);
        for (int second = 0; second < EndpointRecall.TIME.toSeconds(); second++) {
            assertThat(over).isFalse();
            assertThat(questions(one)).isEqualTo(1);
            recall.take(up, List.of());
            timer.pass(Duration.ofSeconds(1));
        }
        assertThat(over).isTrue();
        timer.pass(Duration.ofMinutes(1));
        assertThat(questions(one)).isZero();
    }

    @Test
    void hubThatKnewNothingDoesNotHoldUpAnotherThatKnows() {
        recall.begin();
        Uplink silent = up(other);
        Uplink up = up(one);
        recall.ask(silent);
        recall.ask(up);
        recall.take(silent, List.of());
        recall.take(up, List.of(ENDPOINT));
        assertThat(over).isTrue();
        questions(other);
        timer.pass(Duration.ofMinutes(1));
        assertThat(questions(other)).isZero();
    }
}
