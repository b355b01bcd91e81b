package io.vxseal.cluster.link;

import java.net.Inet6Address;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedSet;

/**
 * Limits on connections by source address, before the peer has authenticated. Pure; not thread-safe.
 *
 * <p>A connection is pending until it is a session. Where there are too many pending ones, the oldest gives way to the
 * newest, not the other way round: an honest handshake takes milliseconds, so it is over before its turn comes, while
 * idle connections cannot occupy the places. The place is taken from the newcomer's own source first; if all sources
 * together hold too many, from the source that holds the most.
 */
final class Admission {
    /**
     * The limits.
     *
     * @param pendingPerSource connections of one source that are no sessions yet
     * @param pending those of all sources
     * @param perSource connections of one source, sessions included
     * @param all connections of all sources
     * @param attemptsPerSecond connections that one source may open, on average
     * @param burst those that it may open at once
     */
    record Limits(
            int pendingPerSource, int pending, int perSource, int all, double attemptsPerSecond, double burst) {
        static final Limits DEFAULT = new Limits(16, 512, 64, 4096, 50, 100);
    }

    private static final int MAX_SOURCES = 8192;

    /** Octets of a /64. */
    private static final int PREFIX = 8;

    private final Limits limits;
    private final RateLimit<Object> attempts;
    private final Map<Object, Source> sources = new HashMap<>();
    private final SequencedSet<Entry> pending = new LinkedHashSet<>();
    private int count;

    Admission(Limits limits) {
        this.limits = limits;
        this.attempts = new RateLimit<>(limits.attemptsPerSecond(), limits.burst(), MAX_SOURCES);
    }

    /** Connections of one source. */
    private static final class Source {
        private final SequencedSet<Entry> pending = new LinkedHashSet<>();
        private int count;
    }

    /** A connection that was let in. */
    static final class Entry {
        private final Object source;
        private final long since;
        private boolean left;

        private Entry(Object source, long since) {
            this.source = source;
            this.since = since;
        }
    }

    /**
     * Answer to a new connection.
     *
     * @param entry present if it was let in
     * @param displaced the connection to close in its place
     * @param refusal present if it was not let in
     */
    record Answer(Optional<Entry> entry, Optional<Entry> displaced, Optional<Rejection> refusal) {
        private static Answer refuse(Rejection reason) {
            return new Answer(Optional.empty(), Optional.empty(), Optional.of(reason));
        }
    }

    /** Decides on a new connection. */
    Answer enter(InetAddress address, long now) {
        Object key = sourceOf(address);
        if (!attempts.tryTake(key, now)) {
            return Answer.refuse(Rejection.CONNECTION_RATE);
        }
        Source source = sources.get(key);
        Optional<Entry> displaced = Optional.empty();
        if (source != null && source.pending.size() >= limits.pendingPerSource()) {
            displaced = Optional.of(source.pending.getFirst());
        } else if (source != null && source.count >= limits.perSource()) {
            return Answer.refuse(Rejection.CONNECTIONS_OF_SOURCE);
        } else if (pending.size() >= limits.pending()) {
            displaced = Optional.of(oldestOfLargestSource());
        } else if (count >= limits.all()) {
            return Answer.refuse(Rejection.CONNECTIONS);
        }
        displaced.ifPresent(this::leave);
        Entry entry = new Entry(key, now);
        source = sources.computeIfAbsent(key, _ -> new Source());
        source.count++;
        source.pending.add(entry);
        pending.add(entry);
        count++;
        return new Answer(Optional.of(entry), displaced, Optional.empty());
    }

    /** Notes that a connection became a session. */
    void settle(Entry entry) {
        Source source = sources.get(entry.source);
        if (source != null) {
            source.pending.remove(entry);
        }
        pending.remove(entry);
    }

    /** Notes that a connection was closed. */
    void leave(Entry entry) {
        if (entry.left) {
            return;
        }
        entry.left = true;
        settle(entry);
        count--;
        Source source = sources.get(entry.source);
        if (--source.count == 0) {
            sources.remove(entry.source);
        }
    }

    /** Returns the connections that have been pending for too long; they still have to leave. */
    List<Entry> overdue(long now, long nanos) {
        attempts.forgetIdle(now);
        return pending.stream().takeWhile(entry -> now - entry.since > nanos).toList();
    }

    int pending() {
        return pending.size();
    }

    int connections() {
        return count;
    }

    private Entry oldestOfLargestSource() {
        Iterator<Source> all = sources.values().iterator();
        Source largest = all.next();
        while (all.hasNext()) {
            Source next = all.next();
            if (next.pending.size() > largest.pending.size()) {
                largest = next;
            }
        }
        return largest.pending.getFirst();
    }

    /** Returns what counts as one source: an IPv4 address, or the /64 of an IPv6 address, as whoever has one has all of it. */
    private static Object sourceOf(InetAddress address) {
        return address instanceof Inet6Address ? ByteBuffer.wrap(address.getAddress(), 0, PREFIX) : address;
    }
}
