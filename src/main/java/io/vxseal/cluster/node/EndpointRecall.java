package io.vxseal.cluster.node;

import java.util.HashSet;
import java.util.Set;

/**
 * The state of learning from hubs which endpoints this node has. Until it is over this node announces nothing: what it does not name,
 * the others remove from their kernels.
 *
 * <p>It is over once each hub that was asked has answered or run out of time, at least one named endpoints or ran out of time, and
 * the driver has dealt with all answers.
 *
 * <p>Pure, one thread.
 */
final class EndpointRecall {
    private final Set<String> asked = new HashSet<>();
    private final Set<String> unanswered = new HashSet<>();
    private boolean running;
    /** Answers that the driver is dealing with. */
    private int answers;
    /** Set once an answer named endpoints, or the time for one is over. */
    private boolean answered;

    void begin() {
        running = true;
    }

    boolean isRunning() {
        return running;
    }

    /** Returns whether the hub is to be asked, and counts on its answer from then on. */
    boolean ask(String hub) {
        return asked.add(hub) && unanswered.add(hub);
    }

    /** Gives up waiting for a hub. */
    void timeOut(String hub) {
        unanswered.remove(hub);
        answered = true;
    }

    /** Forgets that a hub was asked: its session ended. */
    void forget(String hub) {
        unanswered.remove(hub);
        asked.remove(hub);
    }

    /** Returns whether a hub's answer is the one that is waited for. */
    boolean take(String hub) {
        return running && unanswered.remove(hub);
    }

    /** Waits for the driver to deal with an answer that names endpoints. */
    void hold() {
        answers++;
    }

    /** Notes that the driver has dealt with an answer. */
    void release() {
        answers--;
        answered = true;
    }

    /** Ends the recall if nothing is waited for any more, and returns whether this call did. */
    boolean end() {
        if (!running || !answered || !unanswered.isEmpty() || answers > 0) {
            return false;
        }
        running = false;
        return true;
    }
}
