package io.vxseal.cluster.link;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.vxseal.swarm.Role;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Messages of sessions over TLS, both ways at once. */
class SessionTest extends LinkTest {
    @Test
    void carriesMessagesBothWaysInOrder() throws Exception {
        HubServer hub = hub();
        Node node = node(2, Role.WORKER);
        Connection up = dial(node, hub);
        assertThat(up.peer().node()).isEqualTo("hub");
        assertThat(up.peer().role()).isEqualTo(Role.MANAGER);
        for (int i = 0; i < 50; i++) {
            up.send(octets("up-" + i));
        }
        atHub.await("up-49");
        Connection down = atHub.open.getFirst();
        for (int i = 0; i < 50; i++) {
            down.send(octets("down-" + i));
        }
        node.heard().await("down-49");
        down.send(new byte[Messages.MAX_OCTETS]);
        node.heard().await("received " + Messages.MAX_OCTETS);
        List<String> expected = new ArrayList<>(List.of("opened hub"));
        for (int i = 0; i < 50; i++) {
            expected.add("received down-" + i);
        }
        expected.add("received " + Messages.MAX_OCTETS);
        assertThat(node.heard().events).isEqualTo(expected);
        down.close("test is over");
        node.heard().await("closed hub: closed by the peer: test is over");
        atHub.await("closed node-2: test is over");
    }

    @Test
    void learnsClockOfOtherEnd() throws Exception {
        HubServer hub = hub();
        Connection up = dial(node(2, Role.WORKER), hub);
        await("the hub's clock").until(() -> up.clockAhead().isPresent());
        assertThat(up.clockAhead().orElseThrow().abs()).isLessThan(Duration.ofMinutes(1));
    }

    @Test
    void learnsWrongClockAndThatItWasSet() throws Exception {
        HubServer hub = hub();
        try (RawClient slow = raw(3, hub)) {
            slow.open();
            atHub.await("opened", () -> atHub.open.size() == 1);
            Connection down = atHub.open.getFirst();
            slow.chunk(RawClient.frame(Frame.CLOCK, 3, new byte[3]));
            for (long wall : new long[] {Long.MAX_VALUE, Long.MIN_VALUE, System.currentTimeMillis() - Duration.ofHours(1).toMillis()}) {
                slow.chunk(RawClient.frame(Frame.CLOCK, Long.BYTES, ByteBuffer.allocate(Long.BYTES).putLong(wall).array()));
                Duration ahead = Duration.ofMillis(wall).minusMillis(System.currentTimeMillis());
                await("a clock that says " + wall).until(() -> down.clockAhead()
                        .filter(known -> known.minus(ahead).abs().compareTo(Duration.ofMinutes(1)) < 0).isPresent());
            }
        }
    }

    @Test
    void answersWithinMilliseconds() throws Exception {
        Recorder echo = new Recorder() {
            @Override
            public void received(Connection connection, byte[] message) {
                connection.send(message);
            }
        };
        HubServer hub = hub(echo, QUICK);
        Node node = node(2, Role.MANAGER);
        Connection up = dial(node, hub);
        List<Long> nanos = new ArrayList<>();
        for (int i = 0; i < 1000; i++) {
            long sent = System.nanoTime();
            up.send(octets("ping-" + i));
            String answer = "received ping-" + i;
            node.heard().await(answer, () -> node.heard().events.getLast().equals(answer));
            nanos.add(System.nanoTime() - sent);
        }
        Collections.sort(nanos);
        System.out.printf("measured: a message and its answer: p50 %d us, p99 %d us%n",
                nanos.get(500) / 1000, nanos.get(990) / 1000);
    }
}
