package io.vxseal.overlay;

import io.vxseal.text.Line;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.function.LongSupplier;

/**
 * The last refusal of each network that could not be created or joined here. It ends with the success of the step that was refused, or once
 * the engine has not tried again for a while. The network's removal says nothing: the engine removes one that no container could join, and
 * creates it again when it tries again.
 *
 * <p>Not safe for use by several threads at once; the driver's lock guards it.
 */
final class NetworkRefusals {
    /**
     * The engine tries again within seconds, as long as a task for this node is wanted; but after five failures of a service within five
     * minutes the swarm prefers other nodes for as long (swarmkit, scheduler/nodeinfo.go).
     */
    static final Duration MEMORY = Duration.ofMinutes(6);

    /** A step towards a container on a network. Who takes one has taken those before. */
    enum Step { CREATE, JOIN }

    private final LongSupplier clock;
    private final Map<String, Refusal> last = new HashMap<>();

    private record Refusal(Step step, String reason, long nanos) {}

    /** A call for a network. */
    interface Call<T> {
        T run() throws DriverException;
    }

    /** @param clock nanoseconds of a clock that nobody sets */
    NetworkRefusals(LongSupplier clock) {
        this.clock = clock;
    }

    /** Makes a call and keeps its refusal, unless the call itself was wrong. A success ends an earlier refusal of this step, or of one before. */
    <T> T watch(Step step, String network, Call<T> call) throws DriverException {
        try {
            T result = call.run();
            last.computeIfPresent(network, (_, refusal) -> refusal.step.compareTo(step) <= 0 ? null : refusal);
            return result;
        } catch (DriverException refusal) {
            if (refusal.kind() != DriverException.Kind.INVALID_PARAMETER) {
                last.put(network, new Refusal(step, Line.of(refusal.getMessage()), clock.getAsLong()));
            }
            throw refusal;
        }
    }

    /** Returns the reasons, by network. */
    Map<String, String> reasons() {
        long now = clock.getAsLong();
        last.values().removeIf(refusal -> now - refusal.nanos >= MEMORY.toNanos());
        Map<String, String> reasons = new HashMap<>();
        last.forEach((network, refusal) -> reasons.put(network, refusal.reason));
        return reasons;
    }
}
