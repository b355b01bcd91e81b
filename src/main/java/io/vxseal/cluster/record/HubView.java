package io.vxseal.cluster.record;

import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.LongPredicate;

/**
 * Records of nodes that one hub sent, and those that it sent before its session broke. Those outlive the session: a hub that is started again has
 * to receive the nodes' records first.
 *
 * <p>Pure, one thread.
 */
public final class HubView {
    private final Retention retention;
    private final Map<String, NodeRecord> current = new HashMap<>();
    private final Map<String, Stale> stale = new HashMap<>();
    private boolean connected;
    private boolean complete;
    private long hub;
    /** Since when that process has known what other hubs know. */
    private long since;

    /**
     * A record that was sent before a session broke.
     *
     * @param hub the process that sent it; another one may not have heard from the node yet
     * @param closed when that session broke
     */
    private record Stale(NodeRecord record, long hub, long closed) {}

    /** A view of a hub that has sent nothing yet. */
    public HubView(Retention retention) {
        this.retention = retention;
    }

    /**
     * Begins a session: what the hub sent before stays until it has sent all again.
     *
     * @param process of the hub; what an earlier one sent stays longer
     * @param ready since when that process has known what other hubs know
     */
    public void opened(long process, long ready) {
        if (hub != process) {
            since = ready;
        }
        hub = process;
        connected = true;
        complete = false;
    }

    /** Ends the session. */
    public void closed(long now) {
        current.forEach((node, record) -> stale.put(node, new Stale(record, hub, now)));
        current.clear();
        connected = false;
        complete = false;
    }

    /**
     * Takes what the hub sends.
     *
     * @param all whether the hub has sent all its records with this
     * @return the nodes of which this changes what is known
     */
    public Set<String> receive(List<NodeRecord> records, List<String> gone, boolean all) {
        Set<String> changed = new HashSet<>();
        for (NodeRecord record : records) {
            current.put(record.node(), record);
            forgetStale(record.node());
            changed.add(record.node());
        }
        for (String node : gone) {
            boolean wasCurrent = current.remove(node) != null;
            if (forgetStale(node) || wasCurrent) {
                changed.add(node);
            }
        }
        if (all) {
            complete = true;
            stale.values().removeIf(each -> each.hub == hub && changed.add(each.record.node()));
        }
        return changed;
    }

    /**
     * Forgets what was sent before a session broke, once its time has passed.
     *
     * @param reached when another hub was reached, at the earliest
     * @param witness whether a hub is reached that was there before the session broke, at the given time: it would know of a node that is away
     * @return the nodes of which this changes what is known
     */
    public Set<String> expire(long now, long reached, LongPredicate witness) {
        Set<String> gone = new HashSet<>();
        stale.values().removeIf(each -> {
            long begin = Math.max(each.closed, reached);
            Duration time = witness.test(each.closed) ? retention.silent() : retention.of(each.record);
            return now - begin >= time.toNanos() && gone.add(each.record.node());
        });
        return gone;
    }

    /** Forgets a node whose record this hub does not have now. */
    public boolean forgetStale(String node) {
        return stale.remove(node) != null;
    }

    /** Forgets what this hub sent about a node before its session broke, if the node has announced a later record since. */
    public void forgetOutdated(NodeRecord later) {
        if (stale(later.node()).filter(later::isNewerThan).isPresent()) {
            forgetStale(later.node());
        }
    }

    /** Returns what the hub sent about a node. */
    public Optional<NodeRecord> current(String node) {
        return Optional.ofNullable(current.get(node));
    }

    /** Returns what the hub sent about a node before its session broke. */
    public Optional<NodeRecord> stale(String node) {
        return Optional.ofNullable(stale.get(node)).map(Stale::record);
    }

    /** Returns the nodes whose records the hub sent, now or before its session broke. */
    public Set<String> nodes() {
        Set<String> all = new HashSet<>(current.keySet());
        all.addAll(stale.keySet());
        return all;
    }

    /** Returns whether something is known that the hub sent before its session broke, and not again. */
    public boolean isStale() {
        return !stale.isEmpty();
    }

    /** Returns whether a session with the hub is open. */
    public boolean isConnected() {
        return connected;
    }

    /** Returns whether the hub has sent all its records since the session began. */
    public boolean isComplete() {
        return complete;
    }

    /** Returns whether this hub is reached, has sent all its records, and was there when a session of another broke. */
    public boolean isWitness(long closed) {
        return connected && complete && since < closed;
    }

    /** Returns whether nothing is known from this hub. */
    public boolean isEmpty() {
        return current.isEmpty() && stale.isEmpty();
    }

    /**
     * How long a record outlives the silence of its node, or of the hub that sent it.
     *
     * @param silent of a node that fell silent
     * @param away of one that announced that it would be back
     */
    public record Retention(Duration silent, Duration away) {
        Duration of(NodeRecord record) {
            return record.away() ? away : silent;
        }
    }
}
