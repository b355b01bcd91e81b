package io.vxseal.overlay;

import java.util.ArrayDeque;
import java.util.Deque;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Inverses of the steps that a call has taken so far. */
final class Rollback {
    private static final Logger log = LoggerFactory.getLogger(Rollback.class);

    private final Deque<Step> steps = new ArrayDeque<>();

    /** The inverse of a step. */
    interface Step {
        void run() throws Exception;
    }

    /** Adds the inverse of a step. */
    void add(Step inverse) {
        steps.push(inverse);
    }

    /** Undoes all steps, the last one first. One that fails is logged and does not keep the others from being undone. */
    void run() {
        while (!steps.isEmpty()) {
            try {
                steps.pop().run();
            } catch (Exception failure) {
                log.error("could not undo a step of a failed join: {}", failure.getMessage());
            }
        }
    }
}
