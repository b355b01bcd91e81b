package io.vxseal.cluster.node;

import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.message.Timer;
import io.vxseal.peers.Peer;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Recall: learning from hubs which endpoints this node has. Until it is over this node announces nothing: what it does not name, the
 * others remove from their kernels.
 *
 * <p>It is over once each hub that was asked has answered or run out of time, at least one named endpoints or ran out of time, and
 * the driver has dealt with all answers.
 *
 * <p>Pure, one thread.
 */
final class EndpointRecall {
    /** Time for hubs to send what this node announced before; they forget it some time after. */
    static final Duration TIME = Duration.ofSeconds(10);
    /** Until a hub that knew nothing is asked again: it may receive the record from another hub just now. */
    private static final Duration AGAIN = Duration.ofSeconds(1);

    private final Timer timer;
    private final NodeListener listener;
    private final Runnable atEnd;
    private final Set<String> asked = new HashSet<>();
    private final Set<String> unanswered = new HashSet<>();
    private boolean running;
    /** Answers that the driver is dealing with. */
    private int answers;
    /** Set once an answer named endpoints, or the time for one is over. */
    private boolean answered;

    /** @param atEnd run when a recall is over */
    EndpointRecall(Timer timer, NodeListener listener, Runnable atEnd) {
        this.timer = timer;
        this.listener = listener;
        this.atEnd = atEnd;
    }

    void begin() {
        running = true;
    }

    boolean isRunning() {
        return running;
    }

    /** Asks a hub, unless it was asked in this session. */
    void ask(Uplink up) {
        String hub = up.hub();
        if (asked.add(hub) && unanswered.add(hub)) {
            send(up);
            timer.after(TIME, () -> {
                unanswered.remove(hub);
                answered = true;
                endIfComplete();
            });
        }
    }

    /** Takes a hub's answer, if it is one that is waited for. */
    void take(Uplink up, List<Peer> endpoints) {
        if (!running || !unanswered.remove(up.hub())) {
            return;
        }
        if (endpoints.isEmpty()) {
            endIfComplete();
            timer.after(AGAIN, () -> askAgain(up));
            return;
        }
        answers++;
        listener.recalled(endpoints, () -> {
            answers--;
            answered = true;
            endIfComplete();
        });
    }

    /** Asks a hub again, unless another named endpoints meanwhile. The time for an answer is that of the first question. */
    private void askAgain(Uplink up) {
        if (running && !answered && answers == 0 && asked.contains(up.hub()) && unanswered.add(up.hub())) {
            send(up);
        }
    }

    private static void send(Uplink up) {
        up.send(Message.RecallRequest.class, () -> Optional.of(new Message.RecallRequest()));
    }

    /** Forgets that a hub was asked: its session ended. */
    void closed(String hub) {
        unanswered.remove(hub);
        asked.remove(hub);
        endIfComplete();
    }

    private void endIfComplete() {
        if (running && answered && unanswered.isEmpty() && answers == 0) {
            running = false;
            atEnd.run();
        }
    }
}
