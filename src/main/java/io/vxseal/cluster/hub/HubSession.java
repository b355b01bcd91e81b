package io.vxseal.cluster.hub;

import io.vxseal.cluster.link.TokenBucket;
import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.message.MessageChannel;
import io.vxseal.cluster.message.RingMark;
import io.vxseal.cluster.record.NodeRecord;
import io.vxseal.cluster.record.RecordMark;
import io.vxseal.cluster.ring.Rings;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.BiFunction;
import java.util.function.BiPredicate;
import java.util.function.Function;
import java.util.function.Predicate;

/**
 * Session of a node with this hub, and the nodes whose records are yet to be sent. No messages are kept: a node that reads slowly gets the
 * records as they are when it reads, and costs no memory.
 */
final class HubSession {
    /** Most nodes, and about how many endpoints, in one message; some 60 KiB. */
    private static final int BATCH_NODES = 400;
    private static final int BATCH_ENDPOINTS = 400;
    /** Octets of records in one message, of which the last record may be beyond: far below the largest message, with the nodes that are gone. */
    private static final int BATCH_OCTETS = 128 * 1024;
    /** Rings that a node may bring at once, and the time for one more: each may take milliseconds to verify. */
    static final int RING_BURST = 5;
    static final Duration RING_INTERVAL = Duration.ofSeconds(2);

    final MessageChannel channel;
    final long opened;
    /** Set when the node has sent which ring it has. */
    boolean greeted;
    boolean wantsEverything;
    boolean everything;
    Set<String> networks = Set.of();
    /** The record that the node announced and that was not looked at yet. */
    Optional<NodeRecord> announced = Optional.empty();
    /** Set while what the node announced has to wait. */
    boolean isHeldBack;
    /** Nodes whose records it has yet to be sent. */
    final Set<String> pending = new LinkedHashSet<>();
    /** Set while it has yet to be sent that it has all that it subscribed to. */
    boolean completing;
    boolean acknowledging;
    /** Set when the node announced that it left the swarm. */
    boolean left;
    boolean blocked;
    /** The newest ring that the node has or was sent. */
    RingMark ring = RingMark.NONE;
    /** Whether it was sent a ring. */
    boolean hadRing;
    private final TokenBucket rings;
    private final Deque<Message> answers = new ArrayDeque<>();
    /** Records that the node has from before, by node. */
    private Map<String, RecordMark> held = Map.of();
    /** Held records of whose nodes it has been sent nothing yet. */
    private final Set<RecordMark> unanswered = new LinkedHashSet<>();

    /**
     * Source of what sessions send.
     *
     * @param records record of a node that another is sent; empty if none
     * @param removed whether a node is sent that another was removed from the swarm
     * @param mayHaveRing whether a node may have the ring
     * @param acknowledgement answers what a node announced last
     */
    record Source(
            BiFunction<HubSession, String, Optional<NodeRecord>> records,
            BiPredicate<HubSession, String> removed,
            Rings rings,
            Predicate<HubSession> mayHaveRing,
            Function<HubSession, Optional<Message>> acknowledgement) {}

    HubSession(MessageChannel channel, long opened) {
        this.channel = channel;
        this.opened = opened;
        this.rings = new TokenBucket(1.0 / RING_INTERVAL.toSeconds(), RING_BURST, opened);
    }

    /** Counts a ring that the node brings, and returns whether it may. */
    boolean mayBringRing(long now) {
        return rings.tryTake(now);
    }

    String node() {
        return channel.peer().node();
    }

    /** Replaces the records that the node has from before. */
    void hold(List<RecordMark> marks) {
        held = new HashMap<>();
        marks.forEach(mark -> held.put(mark.node(), mark));
        unanswered.clear();
        unanswered.addAll(held.values());
    }

    /** Returns whether the node named records that it has from before. */
    boolean isHolder() {
        return !held.isEmpty();
    }

    /** Returns the record of another node that this node has from before. */
    Optional<RecordMark> held(String node) {
        return Optional.ofNullable(held.get(node));
    }

    /** Returns the nodes whose held record is outdated; each once. */
    Set<String> takeOutdated(Predicate<RecordMark> isOutdated) {
        Set<String> taken = new LinkedHashSet<>();
        unanswered.removeIf(mark -> isOutdated.test(mark) && taken.add(mark.node()));
        return taken;
    }

    /** Adds an answer; the node asked, and one that asks faster than it reads is not answered each time. */
    void answer(Message message) {
        answers.removeIf(waiting -> waiting.getClass() == message.getClass());
        answers.add(message);
    }

    /** Sends what the node has yet to receive, until its queue is full. The ring comes before the records. */
    void flush(Source source, boolean ready) {
        while (!blocked && !answers.isEmpty() && send(answers.peek())) {
            answers.remove();
        }
        if (!greeted) {
            return;
        }
        if (!blocked && source.mayHaveRing().test(this)) {
            source.rings().newerThan(ring).ifPresent(newer -> {
                if (send(newer)) {
                    hadRing = true;
                    ring = source.rings().mark();
                }
            });
        }
        if (!blocked && acknowledging) {
            acknowledging = source.acknowledgement().apply(this).filter(message -> !send(message)).isPresent();
        }
        while (!blocked && (ready || everything) && (!pending.isEmpty() || completing)) {
            sendRecords(source);
        }
    }

    private void sendRecords(Source source) {
        List<NodeRecord> records = new ArrayList<>();
        List<String> gone = new ArrayList<>();
        int endpoints = 0;
        int octets = 0;
        Set<String> taken = new LinkedHashSet<>();
        Iterator<String> nodes = pending.iterator();
        while (nodes.hasNext() && taken.size() < BATCH_NODES && endpoints < BATCH_ENDPOINTS && octets < BATCH_OCTETS) {
            String node = nodes.next();
            taken.add(node);
            Optional<NodeRecord> record = source.records().apply(this, node);
            record.ifPresentOrElse(records::add, () -> gone.add(node));
            endpoints += record.map(NodeRecord::endpoints).orElse(0);
            octets += record.map(NodeRecord::octets).orElse(0);
        }
        boolean last = completing && taken.size() == pending.size();
        List<String> removed = taken.stream().filter(node -> source.removed().test(this, node)).toList();
        if (send(new Message.Records(records, gone, last, removed))) {
            pending.removeAll(taken);
            completing &= !last;
        }
    }

    private boolean send(Message message) {
        blocked = !channel.send(message);
        return !blocked;
    }
}
