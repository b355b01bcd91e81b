package io.vxseal.cluster;

import io.vxseal.cluster.ring.RotationQuorum;
import java.time.Duration;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Wait of a rotation that is due for a majority of the managers. A long one is logged once. */
final class MajorityWait {
    private static final Logger log = LoggerFactory.getLogger(MajorityWait.class);

    /** Time without a majority after which that is logged. */
    private static final Duration PATIENCE = Duration.ofSeconds(30);

    private Optional<Long> began = Optional.empty();
    private boolean logged;

    /** Begins the wait, or continues it. */
    void goOn(RotationQuorum quorum, long now) {
        long since = began.orElse(now);
        began = Optional.of(since);
        if (!logged && now - since >= PATIENCE.toNanos()) {
            logged = true;
            log.warn("the keys are due for rotation, which waits for a majority of the managers: {} of {} are reached; "
                    + "is the plugin enabled on all of them?", quorum.fresh(), quorum.all());
        }
    }

    /** Ends the wait: the rotation is made, or not due. */
    void end() {
        began = Optional.empty();
        logged = false;
    }
}
