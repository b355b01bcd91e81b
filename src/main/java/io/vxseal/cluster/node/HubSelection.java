package io.vxseal.cluster.node;

import java.net.InetAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.random.RandomGenerator;

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
        boolean busy;
        int failures;
        long notBefore;
        /** The hub is this node's own. */
        boolean self;

        boolean isReady(long now) {
            return !busy && !self && now - notBefore >= 0;
        }
    }

    /** A selection among no hubs yet. */
    public HubSelection(RandomGenerator random) {
        this.random = random;
    }

    /** Replaces the addresses of the hubs. */
    public void listed(Set<InetAddress> addresses, long now) {
        candidates.keySet().retainAll(addresses);
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

    /** Returns the hubs to connect to now; they count as busy until they failed or closed. */
    public List<InetAddress> take(long now, int most) {
        long busy = 0;
        boolean ready = false;
        for (Candidate candidate : candidates.values()) {
            busy += candidate.busy ? 1 : 0;
            ready |= candidate.isReady(now);
        }
        if (!ready) {
            return List.of();
        }
        List<Map.Entry<InetAddress, Candidate>> free = candidates.entrySet().stream()
                .filter(each -> each.getValue().isReady(now))
                .sorted(Comparator.comparingInt(each -> each.getValue().failures))
                .limit(Math.max(0, most - busy))
                .toList();
        free.forEach(each -> each.getValue().busy = true);
        return free.stream().map(Map.Entry::getKey).toList();
    }

    /** Notes that a hub was reached. */
    public void connected(InetAddress address) {
        Candidate candidate = candidates.get(address);
        if (candidate != null) {
            candidate.failures = 0;
        }
    }

    /** Notes that the hub at this address is this node's own. */
    public void isSelf(InetAddress address) {
        Candidate candidate = candidates.get(address);
        if (candidate != null) {
            candidate.self = true;
            candidate.busy = false;
        }
    }

    /** Notes that a hub was not reached, or that its session ended. */
    public void closed(InetAddress address, long now) {
        Candidate candidate = candidates.get(address);
        if (candidate != null && candidate.busy) {
            candidate.busy = false;
            long wait = AGAIN.get(Math.min(candidate.failures, AGAIN.size() - 1)).toNanos();
            candidate.notBefore = now + wait + (wait == 0 ? 0 : random.nextLong(wait / 2));
            candidate.failures++;
        }
    }

    /** Tries all at once: something changed that may have been in the way. */
    public void retry(long now) {
        candidates.values().forEach(candidate -> {
            candidate.notBefore = now;
            candidate.self = false;
        });
    }
}
