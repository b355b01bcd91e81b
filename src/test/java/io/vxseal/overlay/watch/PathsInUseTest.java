package io.vxseal.overlay.watch;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.encryption.PeerTraffic;
import java.net.InetAddress;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.Test;

class PathsInUseTest {
    private static final InetAddress NODE = InetAddress.ofLiteral("192.0.2.12");

    private final PathsInUse inUse = new PathsInUse();
    private long nanos = 1;
    private long sealed = 50;
    private long opened = 50;

    private PeerTraffic pass(Duration time) {
        nanos += time.toNanos();
        return inUse.observe(List.of(new PeerTraffic(NODE, Instant.EPOCH, 0, sealed, 0, opened)), nanos).getFirst();
    }

    private void exchange(int sealedMore, int openedMore) {
        sealed += sealedMore;
        opened += openedMore;
        pass(PathsInUse.WINDOW);
    }

    private void request(int times) {
        for (int n = 0; n < times; n++) {
            inUse.sending("192.0.2.12");
            sealed++;
        }
    }

    @Test
    void pathIsInUseWhilePacketsGoBothWays() {
        pass(PathsInUse.WINDOW);
        assertThat(inUse.nodes()).as("what was before the first look").isEmpty();
        exchange(4, 4);
        assertThat(inUse.nodes()).containsExactly("192.0.2.12");
        exchange(3, 100);
        assertThat(inUse.nodes()).isEmpty();
        exchange(100, 3);
        assertThat(inUse.nodes()).isEmpty();
    }

    /** Each change that the kernel reports is followed by an observation. */
    @Test
    void countsOverTimeHoweverOftenItObserves() {
        pass(PathsInUse.WINDOW);
        for (int n = 0; n < 6; n++) {
            sealed++;
            opened++;
            pass(Duration.ofMillis(500));
        }
        assertThat(inUse.nodes()).containsExactly("192.0.2.12");
    }

    /** Two nodes would go on for ever. */
    @Test
    void requestsOfBothNodesAreNoUse() {
        pass(PathsInUse.WINDOW);
        request(9);
        // Its own request and our containers' replies, and the other's.
        exchange(3, 3);
        assertThat(inUse.nodes()).isEmpty();
    }

    @Test
    void requestsDoNotCountAsSealed() {
        pass(PathsInUse.WINDOW);
        request(9);
        assertThat(pass(Duration.ofSeconds(1)).sealedPackets()).isEqualTo(50);
        inUse.observe(List.of(), nanos + PathsInUse.WINDOW.toNanos());
        sealed = 0;
        assertThat(pass(Duration.ofSeconds(1)).sealedPackets()).as("after the node's states were gone").isZero();
    }
}
