package io.vxseal.cluster.node;

import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.record.PathReport;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * Answers to hubs that have this node check its paths. One check runs at a time, however many ask, and its report answers all that asked
 * meanwhile.
 *
 * <p>One thread.
 */
final class PathAnswers {
    private final NodeListener listener;

    /** Rounds of the hubs that wait for the check under way. */
    private final Map<Uplink, Long> waiting = new LinkedHashMap<>();

    private boolean running;

    PathAnswers(NodeListener listener) {
        this.listener = listener;
    }

    void request(Uplink up, long round) {
        waiting.put(up, round);
        if (!running) {
            running = true;
            listener.checkPaths(this::answer);
        }
    }

    /** Forgets a hub whose session ended. */
    void lost(Uplink up) {
        waiting.remove(up);
    }

    private void answer(Optional<PathReport> report) {
        running = false;
        report.ifPresent(found -> waiting.forEach((up, round) ->
                up.send(Message.CheckResult.class, () -> Optional.of(new Message.CheckResult(round, found)))));
        waiting.clear();
    }
}
