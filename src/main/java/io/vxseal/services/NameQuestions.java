package io.vxseal.services;

import java.time.Duration;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.Map;

/**
 * Questions about endpoints' names, on all networks: when none may be asked, and at which the engine may be at work.
 *
 * <p>None may be asked while a container here leaves, which is from the driver's Leave to its DeleteEndpoint. In between the engine takes the
 * network's lock and then its controller's (moby, libnetwork: {@code Endpoint.sbLeave}, {@code Network.getSvcRecords}). To look for the name of
 * an address it takes the controller's and then the network's ({@code Network.ResolveIP}). If both happen at once, it never does anything again.
 * So do engines 20.10 to 28. Other questions take one lock at a time (since 20.10.7: moby/libnetwork, issue 2632).
 *
 * <p>Time is a parameter, in nanoseconds. For one thread at a time.
 */
final class NameQuestions {
    /** Time after which DeleteEndpoint is not waited for: an engine that was killed in between does not call it. */
    private static final long LONGEST_LEAVE = Duration.ofSeconds(20).toNanos();

    /** Time within which the engine has looked among its own names, if it is not very busy. It may go on to ask name servers outside. */
    private static final long LOOK_UP = Duration.ofSeconds(1).toNanos();

    private final Map<String, Long> leaving = new HashMap<>();

    /** When each question was sent that has no answer, by identity. The engine goes on with one whose socket was closed. */
    private final IdentityHashMap<Object, Long> sent = new IdentityHashMap<>();

    /** Takes note that an endpoint's container leaves. */
    void leave(String endpoint, long now) {
        leaving.put(endpoint, now);
    }

    /** Takes note that an endpoint's container has left, or is none any more. */
    void left(String endpoint) {
        leaving.remove(endpoint);
    }

    /** Returns whether a container leaves. One that has been leaving for too long does not count any more. */
    boolean isAnyLeaving(long now) {
        leaving.values().removeIf(at -> now - at >= LONGEST_LEAVE);
        return !leaving.isEmpty();
    }

    /** Returns when no container leaves any more, if nothing happens before; the greatest time if none does. */
    long end() {
        return leaving.values().stream().mapToLong(at -> at + LONGEST_LEAVE).max().orElse(Long.MAX_VALUE);
    }

    /** Takes note that a question was sent. */
    void asked(Object question, long now) {
        forget(now);
        sent.put(question, now);
    }

    /** Takes note that a question was answered. */
    void answered(Object question) {
        sent.remove(question);
    }

    /** Returns whether the engine may be at work on a question. */
    boolean isAnyUnderWay(long now) {
        forget(now);
        return !sent.isEmpty();
    }

    private void forget(long now) {
        sent.values().removeIf(at -> now - at >= LOOK_UP);
    }
}
