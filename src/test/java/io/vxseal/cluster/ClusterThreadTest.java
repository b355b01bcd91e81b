package io.vxseal.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.StandardError;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class ClusterThreadTest {
    @Test
    void logsRepeatedErrorOnceAndRunsTheNextTask() throws InterruptedException {
        CountDownLatch next = new CountDownLatch(1);
        try (StandardError log = new StandardError(); ClusterThread thread = new ClusterThread()) {
            for (int i = 0; i < 3; i++) {
                thread.post(() -> {
                    throw new StackOverflowError("deep");
                });
            }
            thread.post(() -> {
                throw new AssertionError("another");
            });
            thread.post(next::countDown);
            assertThat(next.await(1, TimeUnit.MINUTES)).isTrue();
            assertThat(log.said())
                    .contains("unexpected error on the cluster thread, continuing", "AssertionError: another", "at io.vxseal")
                    .containsOnlyOnce("StackOverflowError: deep");
        }
    }
}
