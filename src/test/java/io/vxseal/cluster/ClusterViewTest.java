package io.vxseal.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.StandardError;
import io.vxseal.encryption.KeyRing;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class ClusterViewTest {
    private final BlockingQueue<KeyRing> heard = new LinkedBlockingQueue<>();

    @Test
    void listenerThatFailedGetsTheNextChange() throws InterruptedException {
        ClusterListener listener = new ClusterListener() {
            @Override
            public void peersChanged(List<PeerChange> changes) {}

            @Override
            public void ring(KeyRing ring) {
                heard.add(ring);
                throw new StackOverflowError("deep");
            }
        };
        try (StandardError log = new StandardError(); ClusterView view = new ClusterView(listener)) {
            view.change(Hosts.keys(1, 2, 3));
            view.change(Hosts.keys(2, 1, 4));
            assertThat(heard.poll(1, TimeUnit.MINUTES)).isEqualTo(Hosts.keys(1, 2, 3));
            assertThat(heard.poll(1, TimeUnit.MINUTES)).isEqualTo(Hosts.keys(2, 1, 4));
            assertThat(log.said()).contains("a change in the cluster was not dealt with", "StackOverflowError: deep", "at io.vxseal");
        }
    }
}
