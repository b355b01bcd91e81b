package io.vxseal.cluster.record;

import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Records of nodes that one hub sent, and those that it sent before its session broke. Those outlive the session: a hub that is started again has
 * to receive the nodes' records first.
 *
 * <p>Pure, one thread.
 */
public final class HubView {
    private final Retention retention;
    private final Map<String, NodeRecord> current = new HashMap<>();
    private final Map<String, NodeRecord> stale = new HashMap<>();
    /** Nodes whose stale record an earlier process of the hub sent, and this one has said nothing of: it may not have heard from them yet. */
    private final Set<String> earlier = new HashSet<>();
    private boolean connected;
    private boolean complete;
    private long hub;
    /** Since when that process has known what other hubs know. */
    private long since;
    private long closed;

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
        stale.putAll(current);
        current.clear();
        if (hub != process) {
            since = ready;
            earlier.addAll(stale.keySet());
        }
        hub = process;
        connected = true;
        complete = false;
    }

    /** Ends the session. */
    public void closed(long now) {
        stale.putAll(current);
        current.clear();
        connected = false;
        complete = false;
        closed = now;
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
            Set<String> ended = new HashSet<>(stale.keySet());
            ended.removeAll(earlier);
            stale.keySet().removeAll(ended);
            changed.addAll(ended);
        }
        return changed;
    }

    /**
     * Forgets what was sent before the session broke, once its time has passed.
     *
     * @param reached when another hub was reached, at the earliest
     * @param witness whether a hub is reached that was there before the session broke: it would know of a node that is away
     * @return the nodes of which this changes what is known
     */
    public Set<String> expire(long now, long reached, boolean witness) {
        Set<String> gone = new HashSet<>();
        stale.values().removeIf(record -> {
            long begin = Math.max(closed, reached);
            boolean over = now - begin >= (witness ? retention.silent() : retention.of(record)).toNanos();
            if (over) {
                gone.add(record.node());
            }
            return over;
        });
        earlier.removeAll(gone);
        return gone;
    }

    /** Forgets a node whose record this hub does not have now. */
    public boolean forgetStale(String node) {
        earlier.remove(node);
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
        return Optional.ofNullable(stale.get(node));
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
    public boolean isWitness(HubView of) {
        return connected && complete && since < of.closed;
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
