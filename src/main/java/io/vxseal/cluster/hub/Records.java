package io.vxseal.cluster.hub;

import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.record.HubView;
import io.vxseal.cluster.record.HubView.Retention;
import io.vxseal.cluster.record.NodeRecord;
import io.vxseal.swarm.Role;
import java.net.InetAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;

/**
 * The nodes' records that a hub has: those that nodes announced to it, and those that other hubs pass on. A node's record stands as long
 * as one hub vouches for it, and a hub vouches for a node with which it has a session, and for some time after that broke: a node whose
 * plugin dies keeps forwarding.
 *
 * <p>What is left of a record that ended is kept, and sent to the other hubs, for as long as any of them may hold an earlier copy: one that
 * was cut off when the node came back and left still takes it for one that is away.
 *
 * <p>Pure, one thread. Methods return the nodes whose record changed.
 */
final class Records {
    /** A node that fell silent is given so long to be back, however late its silence was noticed. */
    private static final Duration LEAST_RETENTION = Duration.ofSeconds(5);

    private final Retention retention;
    private final Claims claims;
    private final KeptRecords kept;
    private final Map<String, DirectRecord> direct = new HashMap<>();
    private final Map<String, HubView> hubs = new HashMap<>();
    private final Map<String, NodeRecord> chosen = new HashMap<>();
    /** Nodes whose direct record changed since {@link #takeDirectChanges}. */
    private Set<String> directChanges = new HashSet<>();
    private final Set<InetAddress> lost = new HashSet<>();
    /** Nodes that were removed from the swarm: nothing that is known of them counts. */
    private final Set<String> removed = new HashSet<>();

    Records(Retention retention, Claims claims, KeptRecords kept, long now) {
        this.retention = retention;
        this.claims = claims;
        this.kept = kept;
        kept.ended().forEach(record -> end(record.node(), record, now));
    }

    /** Begins a session with a node, which is going to announce its record. */
    Set<String> opened(String node) {
        DirectRecord known = direct.get(node);
        if (known == null || known.live || known.record.ended()) {
            return Set.of();
        }
        known.live = true;
        directChanges.add(node);
        return choose(Set.of(node));
    }

    /**
     * Takes the record that a node announced.
     *
     * @param wall of this hub's clock, epoch milliseconds
     */
    Set<String> announce(NodeRecord announced, Role role, long wall) {
        String node = announced.node();
        DirectRecord known = direct.get(node);
        if (known != null && known.live && known.record.isNewerThan(announced)) {
            return Set.of();
        }
        NodeRecord admitted = times(node).admit(announced, role, Math.max(wall, kept.latest() + 1), claims);
        kept.forget(node);
        if (known == null) {
            known = new DirectRecord(admitted);
            direct.put(node, known);
        }
        known.record = admitted;
        known.displaced = Optional.empty();
        known.live = true;
        directChanges.add(node);
        return choose(Set.of(node));
    }

    /** The earliest admission of each claim in all copies of a node's record. */
    private Times times(String node) {
        Times times = new Times();
        kept.earlier(node).ifPresent(times::add);
        Optional.ofNullable(direct.get(node)).ifPresent(each -> {
            times.add(each.record);
            each.displaced.ifPresent(times::add);
        });
        for (HubView hub : hubs.values()) {
            hub.current(node).ifPresent(times::add);
            hub.stale(node).ifPresent(times::add);
        }
        return times;
    }

    /** Ends a node's session. */
    Set<String> closed(String node, long lastReceived, long now) {
        DirectRecord known = direct.get(node);
        if (known == null || !known.live) {
            return Set.of();
        }
        known.live = false;
        known.until = now + retention.silent().toNanos();
        if (known.record.away()) {
            known.until = now + retention.away().toNanos();
        } else {
            // A dead host is noticed late, and does not stay longer for that; but everybody has some time to be back.
            long least = Math.min(retention.silent().toNanos(), LEAST_RETENTION.toNanos());
            known.until = Math.max(lastReceived + retention.silent().toNanos(), now + least);
        }
        directChanges.add(node);
        if (lost.contains(known.record.vtep())) {
            return giveUp(known.record, now);
        }
        return choose(Set.of(node));
    }

    /**
     * Ends the record of a node that left the swarm.
     *
     * @param incarnation of its process
     * @param revision later than all that it announced
     */
    Set<String> goodbye(String node, long incarnation, long revision, long now) {
        DirectRecord own = direct.get(node);
        NodeRecord known = own == null ? chosen.get(node) : own.record;
        if (known == null) {
            return Set.of();
        }
        boolean isLater = incarnation > known.incarnation();
        return end(node, known.ended(Math.max(incarnation, known.incarnation()),
                Math.max(isLater ? 1 : Math.min(known.revision() + 1, NodeRecord.GREATEST), revision)), now);
    }

    /** Ends the record of a node that was removed from the swarm: no copy of it counts, whichever hub has it, until the node is readmitted. */
    Set<String> remove(String node, long now) {
        removed.add(node);
        kept.forget(node);
        // Of the next incarnation, which a node that is readmitted has to outdo, as it has to outdo an earlier process with a fast clock.
        return goodbye(node, Math.min(incarnation(node) + 1, NodeRecord.GREATEST), 1, now);
    }

    /** Lets records of a node count again. */
    Set<String> readmit(String node) {
        return removed.remove(node) ? choose(Set.of(node)) : Set.of();
    }

    /** Returns whether the previous process of this hub had a record of a node that has announced none since. */
    boolean hadEarlier(String node) {
        return kept.earlier(node).isPresent();
    }

    /** Returns whether a node was removed, and not readmitted. */
    boolean isRemoved(String node) {
        return removed.contains(node);
    }

    /** Ends the record of a silent node. Any other hub's copy of the same incarnation counts more: that hub may have a session with it. */
    private Set<String> giveUp(NodeRecord known, long now) {
        return end(known.node(), known.ended(known.incarnation(), 1), now);
    }

    private Set<String> end(String node, NodeRecord left, long now) {
        DirectRecord ended = new DirectRecord(left);
        ended.until = now + retention.away().toNanos();
        direct.put(node, ended);
        directChanges.add(node);
        return choose(Set.of(node));
    }

    private Set<String> forget(String node) {
        direct.remove(node);
        directChanges.add(node);
        return choose(Set.of(node));
    }

    /** Ends the record of the node at this address, which the engine calls lost, unless it has a session. */
    Set<String> lost(InetAddress vtep, long now) {
        lost.add(vtep);
        Set<String> changed = new HashSet<>();
        for (Map.Entry<String, DirectRecord> each : List.copyOf(direct.entrySet())) {
            DirectRecord known = each.getValue();
            if (!known.live && !known.record.ended() && known.record.vtep().equals(vtep)) {
                changed.addAll(giveUp(known.record, now));
            }
        }
        return changed;
    }

    /** Notes that the engine has found a node at this address. */
    void found(InetAddress vtep) {
        lost.remove(vtep);
    }

    /** Begins a session with another hub. */
    Set<String> hubOpened(String hub, long process, long now) {
        HubView view = hubs.computeIfAbsent(hub, _ -> new HubView(retention));
        view.opened(process, now);
        return choose(view.nodes());
    }

    /** Takes what another hub sends of the nodes that it vouches for. */
    Set<String> received(String hub, Message.Records records, long now) {
        HubView view = hubs.get(hub);
        if (view == null || !view.isConnected()) {
            return Set.of();
        }
        Set<String> nodes = view.receive(records.records(), records.gone(), records.complete());
        Set<String> changed = new HashSet<>();
        for (NodeRecord record : records.records()) {
            changed.addAll(adopt(record, now));
        }
        changed.addAll(choose(nodes));
        return changed;
    }

    /** Takes the admission times of another hub where they are earlier, and ends a record whose node reached another hub later. */
    private Set<String> adopt(NodeRecord record, long now) {
        DirectRecord own = direct.get(record.node());
        if (own == null) {
            return Set.of();
        }
        if (!own.live && record.ended() && record.isNewerThan(own.record)) {
            return end(record.node(), record, now);
        }
        if (!own.live && record.incarnation() > own.record.incarnation()) {
            return forget(record.node());
        }
        Times times = new Times();
        times.add(record);
        NodeRecord earlier = times.applyTo(own.record);
        if (!earlier.equals(own.record)) {
            own.record = earlier;
            directChanges.add(record.node());
        }
        return Set.of();
    }

    /** Ends the session with another hub. */
    Set<String> hubClosed(String hub, long now) {
        HubView view = hubs.get(hub);
        if (view == null) {
            return Set.of();
        }
        view.closed(now);
        return choose(view.nodes());
    }

    /** Ends what is over: nodes that were silent for too long, and records of hubs that are. */
    Set<String> expire(long now) {
        Set<String> changed = new HashSet<>();
        for (Map.Entry<String, DirectRecord> each : List.copyOf(direct.entrySet())) {
            DirectRecord known = each.getValue();
            boolean over = now - known.until >= 0;
            if (known.record.ended()) {
                changed.addAll(over ? forget(each.getKey()) : Set.of());
            } else if (!known.live && claims.isReplaced(each.getKey())) {
                changed.addAll(giveUp(known.record, now));
                Objects.requireNonNull(direct.get(each.getKey()), "what is left of it").displaced = Optional.of(known.record);
            } else if (!known.live && over) {
                changed.addAll(giveUp(known.record, now));
            }
        }
        for (HubView hub : hubs.values()) {
            // This hub may have started after the node went away.
            changed.addAll(choose(hub.expire(now, Long.MIN_VALUE, _ -> false)));
        }
        hubs.values().removeIf(hub -> !hub.isConnected() && hub.isEmpty());
        return changed;
    }

    /** Keeps what a later process of this hub has to know. To be called each second. */
    void keep(long now) {
        kept.keep(this::lasting, now);
    }

    /** Returns the records that count, of nodes that lost their VTEP the ones that did, and what is left of those that ended. */
    private List<NodeRecord> lasting() {
        List<NodeRecord> lasting = new ArrayList<>(chosen.values());
        for (DirectRecord each : direct.values()) {
            if (each.record.ended()) {
                lasting.add(each.record);
            }
            each.displaced.ifPresent(lasting::add);
        }
        return lasting;
    }

    private Set<String> choose(Set<String> nodes) {
        Set<String> changed = new HashSet<>();
        for (String node : nodes) {
            Optional<NodeRecord> now = choose(node);
            Optional<NodeRecord> before = Optional.ofNullable(chosen.get(node));
            if (!now.equals(before)) {
                now.ifPresentOrElse(record -> chosen.put(node, record), () -> chosen.remove(node));
                changed.addAll(claims.update(node, now));
            }
        }
        return changed;
    }

    private Optional<NodeRecord> choose(String node) {
        return removed.contains(node) ? Optional.empty() : newest(node).filter(record -> !record.ended());
    }

    /** Returns the newest record of a node, or what is left of it. */
    Optional<NodeRecord> newest(String node) {
        List<NodeRecord> live = new ArrayList<>();
        List<NodeRecord> silent = new ArrayList<>();
        Optional.ofNullable(direct.get(node)).ifPresent(each -> (each.live ? live : silent).add(each.record));
        for (HubView hub : hubs.values()) {
            hub.current(node).ifPresent(record -> (record.silent() ? silent : live).add(record));
            hub.stale(node).ifPresent(silent::add);
        }
        Optional<NodeRecord> newest = NodeRecord.choose(live, silent);
        if (live.size() + silent.size() > 1) {
            Times times = new Times();
            live.forEach(times::add);
            silent.forEach(times::add);
            newest = newest.map(times::applyTo);
        }
        return newest.map(record -> record.silent(live.isEmpty()));
    }

    /** Returns the record of a node that counts here. */
    Optional<NodeRecord> chosen(String node) {
        return Optional.ofNullable(chosen.get(node));
    }

    /** Returns the highest incarnation of a node that is known, of a record that ended as well; 0 if none. */
    long incarnation(String node) {
        long highest = direct(node).map(NodeRecord::incarnation).orElse(0L);
        for (HubView hub : hubs.values()) {
            highest = Math.max(highest, hub.current(node).or(() -> hub.stale(node)).map(NodeRecord::incarnation).orElse(0L));
        }
        return highest;
    }

    /** Returns a node's record as this hub vouches for it, or what is left of it; empty if there is neither. */
    Optional<NodeRecord> direct(String node) {
        return Optional.ofNullable(direct.get(node)).map(each -> each.record.silent(!each.live));
    }

    /** Returns the nodes that this hub vouches for. */
    Set<String> directNodes() {
        return new HashSet<>(direct.keySet());
    }

    /** Returns the nodes of which this hub has records. */
    Set<String> nodes() {
        return new HashSet<>(chosen.keySet());
    }

    /** Returns whether the other hub has sent all its records. */
    boolean isComplete(String hub) {
        HubView view = hubs.get(hub);
        return view != null && view.isComplete();
    }

    /** Returns the nodes whose record, as this hub vouches for it, changed since the last call. */
    Set<String> takeDirectChanges() {
        Set<String> taken = directChanges;
        directChanges = new HashSet<>();
        return taken;
    }
}
