package io.vxseal.cluster.link;

import io.vxseal.cluster.refusal.Refusal;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedSet;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Limits on connections by source address, before the peer has authenticated. Pure; not thread-safe.
 *
 * <p>A connection is pending until it is a session. If one source has too many pending, its oldest gives way to its
 * newest, not the other way round: an honest handshake takes milliseconds, so it is over before its turn comes, while
 * idle connections cannot occupy the places. If all sources together have too many, a source that has one replaces its
 * oldest, and one that has none takes the place of the oldest of the source with the most. If none has more than one, as
 * when a swarm's nodes start at once, newcomers wait in a queue, but no longer than some times what connections
 * have lately needed to become sessions. So idle connections from many addresses give way, while handshakes on a
 * busy machine, which all finish late, are not cut off in vain. That also holds if none finishes: each known address that gives way
 * doubles the time for the next, as each lost segment does in TCP.
 *
 * <p>An address from which a session was authenticated lately is known ({@link KnownAddresses}), and counts apart from the others. A connection of a known address
 * takes the place of another's, never the other way round. So whoever has many addresses and no certificate keeps no node out that
 * was there before. The last places are left to the others, so that new nodes come in beside all known ones that are back at once.
 *
 * <p>A session counts for its own address, not for the /64 that it is in: the nodes of one network share that, and each showed a certificate.
 */
final class Admission {
    /**
     * The limits.
     *
     * @param pendingPerSource connections of one source that are no sessions yet
     * @param pending those of all sources
     * @param minPatience nanoseconds that others wait for a source's only one at least
     * @param maxPatience and at most
     * @param perSource connections of one source, with the sessions of the same address
     * @param all connections of all sources
     * @param attemptsPerSecond connections that one source may open, on average
     * @param burst those that it may open at once
     */
    record Limits(
            int pendingPerSource,
            int pending,
            long minPatience,
            long maxPatience,
            int perSource,
            int all,
            double attemptsPerSecond,
            double burst) {
        /** Few pending ones at a time, as handshakes that share a processor finish late together. */
        static final Limits DEFAULT = new Limits(16, 64, 1_000_000_000L, 15_000_000_000L, 64, 4096, 50, 100);
    }

    /** Times the average that others wait, and the weight of one connection in that average: as of TCP's retransmission. */
    private static final int PATIENCE_FACTOR = 4;

    private static final int AVERAGE_WEIGHT = 8;
    private static final int MAX_SOURCES = 8192;

    /** A part of the places that is free: more are plenty. */
    private static final int SCARCE = 4;

    /** One in so many places is not for known addresses. */
    private static final int UNKNOWN_SHARE = 8;

    /** Octets of a /64. */
    private static final int PREFIX = 8;

    private final Limits limits;
    private final RateLimit<Object> attempts;
    private final Map<Object, Source> sources = new HashMap<>();
    private final SequencedSet<Entry> known = new LinkedHashSet<>();
    private final SequencedSet<Entry> unknown = new LinkedHashSet<>();
    private final KnownAddresses authenticated = new KnownAddresses();
    private int count;

    /** Average of the nanoseconds that connections needed to become sessions; long until some did. */
    private long average;

    /** Factor of the time that others wait for a known address's only one: doubled by each that gave way since the last became a session. */
    private long backOff = 1;

    Admission(Limits limits) {
        this.limits = limits;
        this.attempts = new RateLimit<>(limits.attemptsPerSecond(), limits.burst(), MAX_SOURCES);
        this.average = limits.maxPatience() / PATIENCE_FACTOR;
    }

    /** Connections of one source. */
    private static final class Source {
        private final Object key;
        private final SequencedSet<Entry> pending = new LinkedHashSet<>();
        private int count;

        private Source(Object key) {
            this.key = key;
        }
    }

    /** A connection that was let in. */
    static final class Entry {
        private final InetAddress address;
        private final long since;

        /** Whether the address was known when it was let in. */
        private final boolean known;

        private Source source;
        private boolean left;

        private Entry(InetAddress address, Source source, boolean known, long since) {
            this.address = address;
            this.source = source;
            this.known = known;
            this.since = since;
        }
    }

    /** Answer to a new connection. */
    sealed interface Answer {
        /** It was let in, in place of the displaced one, which has to be closed. */
        record Enter(Entry entry, Optional<Entry> displaced) implements Answer {}

        /** It has to be closed. */
        record Refuse(Refusal reason) implements Answer {}

        /** It has to wait for others, and to ask again. */
        record Wait() implements Answer {}
    }

    /** Returns whether the source opens connections slowly enough, and counts this one. */
    boolean attempt(InetAddress address, long now) {
        return attempts.tryTake(sourceOf(address), now);
    }

    /** Decides on a new connection. */
    Answer enter(InetAddress address, long now) {
        Object key = sourceOf(address);
        Source source = sources.get(key);
        boolean isKnown = isKnown(address);
        boolean preferred = isKnown && known.size() < limits.pending() - limits.pending() / UNKNOWN_SHARE;
        Optional<Entry> displaced = Optional.empty();
        if (source != null && source.pending.size() >= limits.pendingPerSource()) {
            displaced = Optional.of(source.pending.getFirst());
        } else if (connectionsOf(address, key) >= limits.perSource()) {
            return new Answer.Refuse(Refusal.CONNECTIONS_OF_SOURCE);
        } else if (isFull() || isKnown && !preferred) {
            displaced = preferred
                    ? Optional.of(largest(unknown).pending.getFirst())
                    : displaceable(isKnown, source, now);
            if (displaced.isEmpty()) {
                return new Answer.Wait();
            }
        } else if (count >= limits.all()) {
            return new Answer.Refuse(Refusal.CONNECTIONS);
        }
        displaced.ifPresent(this::leave);
        Source counted = sources.computeIfAbsent(key, Source::new);
        Entry entry = new Entry(address, counted, isKnown, now);
        counted.count++;
        counted.pending.add(entry);
        pending(isKnown).add(entry);
        count++;
        return new Answer.Enter(entry, displaced);
    }

    /** Notes that a connection became a session of a node. */
    void settle(Entry entry, String node, long now) {
        average += (now - entry.since - average) / AVERAGE_WEIGHT;
        if (entry.known) {
            backOff = 1;
        }
        authenticated.add(node, entry.address);
        endPending(entry);
        leaveSource(entry);
        entry.source = sources.computeIfAbsent(entry.address, Source::new);
        entry.source.count++;
    }

    /** Returns the connections that count for an address: those of its source, and its own sessions. */
    private int connectionsOf(InetAddress address, Object source) {
        return source.equals(address) ? count(address) : count(address) + count(source);
    }

    private int count(Object key) {
        Source source = sources.get(key);
        return source == null ? 0 : source.count;
    }

    private void endPending(Entry entry) {
        entry.source.pending.remove(entry);
        pending(entry.known).remove(entry);
    }

    /** Notes that a connection was closed. */
    void leave(Entry entry) {
        if (entry.left) {
            return;
        }
        entry.left = true;
        endPending(entry);
        count--;
        leaveSource(entry);
    }

    private void leaveSource(Entry entry) {
        if (--entry.source.count == 0) {
            sources.remove(entry.source.key);
        }
    }

    /**
     * Returns the connections that have been pending for too long; they still have to leave.
     *
     * @param scarce nanoseconds that are too long while there is not much room for others
     * @param plenty and while there is
     */
    List<Entry> overdue(long now, long scarce, long plenty) {
        attempts.forgetIdle(now);
        long nanos = known.size() + unknown.size() > limits.pending() - limits.pending() / SCARCE ? scarce : plenty;
        return Stream.of(known, unknown)
                .flatMap(pending -> pending.stream().takeWhile(entry -> now - entry.since > nanos))
                .toList();
    }

    /** Returns whether a session of this address was authenticated lately. */
    boolean isKnown(InetAddress address) {
        return authenticated.contains(address);
    }

    private boolean isFull() {
        return known.size() + unknown.size() >= limits.pending();
    }

    /**
     * Returns the pending connection that gives way to one of this source, which may have none yet; empty if the newcomer waits.
     *
     * @param isKnown whether its address is known: those of known addresses give way to such ones, the others to others
     */
    private Optional<Entry> displaceable(boolean isKnown, @Nullable Source newcomer, long now) {
        SequencedSet<Entry> pending = pending(isKnown);
        if (pending.isEmpty()) {
            return Optional.empty();
        }
        if (newcomer != null && !newcomer.pending.isEmpty()) {
            return Optional.of(newcomer.pending.getFirst());
        }
        Source largest = largest(pending);
        if (largest.pending.size() > 1) {
            return Optional.of(largest.pending.getFirst());
        }
        Entry oldest = pending.getFirst();
        if (now - oldest.since <= patience(isKnown)) {
            return Optional.empty();
        }
        if (isKnown && patience(true) < limits.maxPatience()) {
            backOff *= 2;
        }
        return Optional.of(oldest);
    }

    private static Source largest(SequencedSet<Entry> pending) {
        return pending.stream()
                .map(entry -> entry.source)
                .max(Comparator.comparingInt(source -> source.pending.size()))
                .orElseThrow();
    }

    private SequencedSet<Entry> pending(boolean isKnown) {
        return isKnown ? known : unknown;
    }

    private long patience(boolean isKnown) {
        long factor = isKnown ? backOff : 1;
        return Math.min(factor * Math.max(PATIENCE_FACTOR * average, limits.minPatience()), limits.maxPatience());
    }

    /** Returns what counts as one source: a known address, another IPv4 address, or the /64 of an IPv6 address, all of which a host has. */
    private Object sourceOf(InetAddress address) {
        return address instanceof Inet6Address && !isKnown(address) ? ByteBuffer.wrap(address.getAddress(), 0, PREFIX) : address;
    }
}
