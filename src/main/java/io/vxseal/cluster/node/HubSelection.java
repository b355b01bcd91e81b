package io.vxseal.cluster.node;

import io.vxseal.cluster.message.MessageChannel;
import java.net.InetAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.random.RandomGenerator;
import java.util.stream.Stream;

/**
 * Selection of the hubs that this node has sessions with. Prefers hubs that it reaches, and tries the others ever more seldom.
 *
 * <p>Pure, one thread.
 */
public final class HubSelection {
    /** Most hubs of a worker; a manager has sessions with all others. */
    public static final int MOST_HUBS = 5;

    private static final List<Duration> AGAIN = List.of(
            Duration.ZERO, Duration.ofMillis(300), Duration.ofSeconds(1), Duration.ofSeconds(2), Duration.ofSeconds(3));

    private final RandomGenerator random;
    private final Map<InetAddress, Candidate> candidates = new LinkedHashMap<>();

    private static final class Candidate {
        /** Unset for one that left the list while an attempt or a session is under way. */
        boolean listed = true;
        /** Time at which the attempt that is under way began. */
        Optional<Long> attempt = Optional.empty();
        Optional<MessageChannel> session = Optional.empty();
        int failures;
        long notBefore;
        /** Time of the last attempt; of no meaning while there was no failure. */
        long lastAttempt;
        /** The hub is this node's own. */
        boolean self;

        boolean isBusy() {
            return attempt.isPresent() || session.isPresent();
        }

        boolean isReady(long now) {
            return listed && !isBusy() && !self && now - notBefore >= 0;
        }
    }

    /** A selection among no hubs yet. */
    public HubSelection(RandomGenerator random) {
        this.random = random;
    }

    /** Replaces the addresses of the hubs. */
    public void listed(Set<InetAddress> addresses, long now) {
        candidates.forEach((address, candidate) -> candidate.listed = addresses.contains(address));
        forgetUnlisted();
        Set<InetAddress> added = new HashSet<>(addresses);
        added.removeAll(candidates.keySet());
        List<InetAddress> shuffled = new ArrayList<>(added);
        // Not in the set's order, or all workers of a large swarm would choose the same hubs.
        shuffled.sort(Comparator.comparing(InetAddress::getHostAddress));
        Collections.shuffle(shuffled, new Random(random.nextLong()));
        for (InetAddress address : shuffled) {
            Candidate candidate = new Candidate();
            candidate.notBefore = now;
            candidates.put(address, candidate);
        }
    }

    private void forgetUnlisted() {
        candidates.values().removeIf(candidate -> !candidate.listed && !candidate.isBusy());
    }

    /**
     * Returns the hubs to connect to now: attempts are under way until they are connected or closed.
     *
     * @param most attempts and sessions that there may be
     */
    public List<InetAddress> take(long now, int most) {
        if (candidates.values().stream().noneMatch(candidate -> candidate.isReady(now))) {
            return List.of();
        }
        List<Map.Entry<InetAddress, Candidate>> free = candidates.entrySet().stream()
                .filter(each -> each.getValue().isReady(now))
                .sorted((one, other) -> order(one.getValue(), other.getValue()))
                .limit(Math.max(0, most - busy()))
                .toList();
        free.forEach(each -> {
            each.getValue().attempt = Optional.of(now);
            each.getValue().lastAttempt = now;
        });
        return free.stream().map(Map.Entry::getKey).toList();
    }

    /** Compares: hubs that did not fail come first, and the others in turn, so that one that is back does not wait for those that are gone. */
    private static int order(Candidate one, Candidate other) {
        int byFailure = Boolean.compare(one.failures > 0, other.failures > 0);
        return byFailure != 0 || one.failures == 0 ? byFailure : Long.signum(one.lastAttempt - other.lastAttempt);
    }

    /** Returns the number of attempts and sessions. */
    public int busy() {
        return (int) candidates.values().stream().filter(Candidate::isBusy).count();
    }

    /** Returns when each attempt that is under way began. */
    public List<Long> attempts() {
        return candidates.values().stream().flatMap(candidate -> candidate.attempt.stream()).toList();
    }

    /** Returns the sessions. */
    public Stream<MessageChannel> sessions() {
        return candidates.values().stream().flatMap(candidate -> candidate.session.stream());
    }

    /**
     * Notes that an attempt became a session.
     *
     * @return how long that took
     */
    public Duration connected(InetAddress address, MessageChannel session, long now) {
        Candidate candidate = candidates.get(address);
        if (candidate == null) {
            return Duration.ZERO;
        }
        Duration took = candidate.attempt.map(began -> Duration.ofNanos(now - began)).orElse(Duration.ZERO);
        candidate.attempt = Optional.empty();
        candidate.session = Optional.of(session);
        candidate.failures = 0;
        return took;
    }

    /** Notes that the hub at this address is this node's own. */
    public void isSelf(InetAddress address) {
        Candidate candidate = candidates.get(address);
        if (candidate != null) {
            candidate.self = true;
            candidate.attempt = Optional.empty();
            forgetUnlisted();
        }
    }

    /** Notes that an attempt failed. */
    public void failed(InetAddress address, long now) {
        Candidate candidate = candidates.get(address);
        if (candidate != null && candidate.attempt.isPresent()) {
            candidate.attempt = Optional.empty();
            postpone(candidate, now);
        }
    }

    /** Notes that a session ended; does nothing if it is none of these. */
    public void closed(MessageChannel session, long now) {
        candidates.values().stream().filter(candidate -> candidate.session.filter(session::equals).isPresent()).findFirst()
                .ifPresent(candidate -> {
                    candidate.session = Optional.empty();
                    postpone(candidate, now);
                });
    }

    private void postpone(Candidate candidate, long now) {
        long wait = AGAIN.get(Math.min(candidate.failures, AGAIN.size() - 1)).toNanos();
        candidate.notBefore = now + wait + (wait == 0 ? 0 : random.nextLong(wait / 2));
        candidate.failures++;
        forgetUnlisted();
    }

    /** Tries all at once: something changed that may have been in the way. */
    public void retry(long now) {
        candidates.values().forEach(candidate -> {
            candidate.notBefore = now;
            candidate.self = false;
        });
    }
}
