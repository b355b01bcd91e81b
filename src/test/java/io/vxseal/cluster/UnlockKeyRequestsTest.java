package io.vxseal.cluster;

import static org.awaitility.Awaitility.await;

import io.vxseal.swarm.TestSwarm;
import io.vxseal.swarm.UnlockKey;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class UnlockKeyRequestsTest {

    /** The engine writes its files again a moment later. */
    @Test
    void keyIsRequestedAgainAtOnceAfterOneThatWasOfUse() {
        AtomicInteger asked = new AtomicInteger();
        UnlockKeyRequests requests = new UnlockKeyRequests(() -> {
            asked.incrementAndGet();
            return UnlockKey.parse(TestSwarm.unlockKey(1));
        });
        requests.request();
        await().until(() -> requests.take().isPresent());
        requests.end();
        requests.request();
        await().until(() -> asked.get() == 2);
    }
}
