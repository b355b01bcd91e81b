package io.vxseal.services;

import java.time.Duration;
import java.util.HashMap;
import java.util.Map;

/**
 * Endpoints here whose containers are leaving: the engine has called Leave, and not DeleteEndpoint yet. Meanwhile it may be asked for no
 * endpoint's name.
 *
 * <p>Between these two calls the engine takes the network's lock and then its controller's (moby, libnetwork: {@code Endpoint.sbLeave},
 * {@code Network.getSvcRecords}). To look for the name of an address it takes the controller's and then the network's ({@code Network.ResolveIP}).
 * If both happen at once, it never does anything again. So do engines 20.10 to 28; other questions take one lock at a time.
 *
 * <p>Pure: time is a parameter, in nanoseconds. For one thread at a time.
 */
final class LeavingEndpoints {
    /** Time after which DeleteEndpoint is not waited for: an engine that was killed in between does not call it. */
    private static final long LONGEST = Duration.ofSeconds(20).toNanos();

    private final Map<String, Long> since = new HashMap<>();

    /** Adds an endpoint whose container leaves. */
    void add(String endpoint, long now) {
        since.put(endpoint, now);
    }

    /** Removes an endpoint that the engine deletes. */
    void remove(String endpoint) {
        since.remove(endpoint);
    }

    /** Returns whether there is one. Forgets those that have been leaving for too long. */
    boolean isAny(long now) {
        since.values().removeIf(at -> now - at >= LONGEST);
        return !since.isEmpty();
    }

    /** Returns when there is none any more, if nothing happens before; the greatest time if there is none now. */
    long end() {
        return since.values().stream().mapToLong(at -> at + LONGEST).max().orElse(Long.MAX_VALUE);
    }
}
