package io.vxseal.overlay;

import io.vxseal.text.Line;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.function.LongSupplier;

/**
 * The last refusal of each network that could not be created or joined here. It ends with a success, with the network's removal, or once
 * the engine has not tried again for a while: of a network that was refused before it was known here, no removal is reported.
 *
 * <p>Not safe for use by several threads at once; the driver's lock guards it.
 */
final class NetworkRefusals {
    /** The engine tries again within seconds, as long as a task for this node is wanted. */
    static final Duration MEMORY = Duration.ofMinutes(5);

    private final LongSupplier clock;
    private final Map<String, Refusal> last = new HashMap<>();

    private record Refusal(String reason, long nanos) {}

    /** A call for a network. */
    interface Call<T> {
        T run() throws DriverException;
    }

    /** @param clock nanoseconds of a clock that nobody sets */
    NetworkRefusals(LongSupplier clock) {
        this.clock = clock;
    }

    /** Makes a call and keeps its refusal, unless the call itself was wrong. A success ends an earlier refusal. */
    <T> T watch(String network, Call<T> call) throws DriverException {
        try {
            T result = call.run();
            last.remove(network);
            return result;
        } catch (DriverException refusal) {
            if (refusal.kind() != DriverException.Kind.INVALID_PARAMETER) {
                last.put(network, new Refusal(Line.of(refusal.getMessage()), clock.getAsLong()));
            }
            throw refusal;
        }
    }

    /** Ends the refusal of a network that is removed. */
    void remove(String network) {
        last.remove(network);
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
