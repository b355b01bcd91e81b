package io.vxseal.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.StandardError;
import io.vxseal.encryption.KeyRing;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NodeTest {
    @TempDir
    Path folder;

    @Test
    void anErrorOnTheClustersThreadIsToldAndTheNextTaskRuns() throws InterruptedException {
        Cluster.Settings settings = new Cluster.Settings(
                folder.resolve("certificates"), folder.resolve("state.json"), 4788, Duration.ofHours(12), 0, Optional.empty());
        Cluster.Listener listener = new Cluster.Listener() {
            @Override
            public void peersChanged(List<PeerChange> changes) {}

            @Override
            public void ring(KeyRing ring) {}
        };
        CountDownLatch next = new CountDownLatch(1);
        try (StandardError log = new StandardError();
                Node node = new Node(settings, new KeyAuthority(Duration.ofHours(12), 0), Node.KEEP, listener)) {
            for (int i = 0; i < 3; i++) {
                node.post(() -> {
                    throw new StackOverflowError("deep");
                });
            }
            node.post(() -> {
                throw new AssertionError("another");
            });
            node.post(next::countDown);
            assertThat(next.await(1, TimeUnit.MINUTES)).isTrue();
            assertThat(log.said())
                    .contains("the cluster goes on after an unexpected failure", "AssertionError: another", "at io.vxseal")
                    .containsOnlyOnce("StackOverflowError: deep");
        }
    }
}
