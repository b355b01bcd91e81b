package io.vxseal.cluster.hub;

import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.record.NetworkRecord;
import io.vxseal.cluster.record.NodeRecord;
import io.vxseal.cluster.record.RecordMark;
import io.vxseal.cluster.refusal.Refusal;
import io.vxseal.cluster.refusal.RefusedException;
import io.vxseal.swarm.Role;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Subscriptions of a hub's sessions. Finds the sessions to which a node's record has to be sent, and returns what each is sent.
 *
 * <p>Pure, one thread.
 */
final class Subscriptions {
    private final Records records;
    private final Claims claims;
    private final RemovedNodes removed;
    private final Map<String, Set<HubSession>> byNetwork = new HashMap<>();
    /** Sessions with other hubs, which are sent the records of all this hub's sessions. */
    private final Set<HubSession> hubs = new LinkedHashSet<>();
    /** Sessions that named records which no hub sent them again. */
    private final Set<HubSession> holders = new LinkedHashSet<>();
    private final Map<String, Set<String>> nodesByNetwork = new HashMap<>();
    /** Nodes' records as they were judged, without definitions of networks. */
    private final Map<String, NodeRecord> effective = new HashMap<>();
    private final RecordParts parts = new RecordParts();

    Subscriptions(Records records, Claims claims, RemovedNodes removed) {
        this.records = records;
        this.claims = claims;
        this.removed = removed;
    }

    /**
     * Replaces a session's subscription. A manager may subscribe to everything: the records of all this hub's sessions.
     *
     * @param role that counts for the session: one that was just promoted may not be on the engine's list yet
     */
    void replace(HubSession session, Message.Subscribe wanted, Role role) throws RefusedException {
        if (wanted.everything() && session.channel.peer().role() != Role.MANAGER) {
            throw new RefusedException(Refusal.SENDER, "a worker's subscription to everything");
        }
        boolean everything = wanted.everything() && role == Role.MANAGER;
        // Networks that are no longer wanted count as well: the node is sent that their nodes are gone.
        Set<String> changed = new HashSet<>(wanted.networks());
        changed.removeAll(session.networks);
        session.networks.stream().filter(network -> !wanted.networks().contains(network)).forEach(changed::add);
        remove(session);
        session.networks = wanted.networks();
        session.wantsEverything = wanted.everything();
        session.everything = everything;
        session.completing = !wanted.everything() || everything;
        session.hold(wanted.held());
        session.networks.forEach(network -> byNetwork.computeIfAbsent(network, _ -> new LinkedHashSet<>()).add(session));
        if (everything) {
            hubs.add(session);
            session.pending.addAll(records.directNodes());
            session.pending.addAll(removed.byEngine());
        }
        changed.forEach(network -> session.pending.addAll(nodesByNetwork.getOrDefault(network, Set.of())));
        if (!everything) {
            session.pending.remove(session.node());
        }
        if (session.isHolder()) {
            holders.add(session);
            answer(session);
        }
    }

    /** Removes a session. */
    void remove(HubSession session) {
        hubs.remove(session);
        holders.remove(session);
        session.networks.forEach(network -> byNetwork.computeIfPresent(network, (_, all) -> {
            all.remove(session);
            return all.isEmpty() ? null : all;
        }));
    }

    /** Returns the octets of a node's record as it was judged; empty if there is none any more. */
    Optional<Integer> octets(String node) {
        return claims.judged(node).map(each -> each.effective().octets());
    }

    /** Takes a node's record as it was judged, and returns the sessions to which it has to be sent. */
    Set<HubSession> changed(String node) {
        NodeRecord now = claims.judged(node).map(each -> each.effective().only(_ -> true)).orElse(null);
        NodeRecord before = now == null ? effective.remove(node) : effective.put(node, now);
        Set<String> networks = new HashSet<>();
        index(node, before, networks, false);
        index(node, now, networks, true);
        Set<HubSession> affected = new LinkedHashSet<>();
        for (String network : networks) {
            for (HubSession session : byNetwork.getOrDefault(network, Set.of())) {
                if (!session.node().equals(node)) {
                    session.pending.add(node);
                    affected.add(session);
                }
            }
        }
        return affected;
    }

    private void index(String node, @Nullable NodeRecord record, Set<String> networks, boolean add) {
        if (record == null) {
            return;
        }
        for (NetworkRecord network : record.networks()) {
            networks.add(network.id());
            if (add) {
                nodesByNetwork.computeIfAbsent(network.id(), _ -> new HashSet<>()).add(node);
            } else {
                nodesByNetwork.computeIfPresent(network.id(), (_, all) -> {
                    all.remove(node);
                    return all.isEmpty() ? null : all;
                });
            }
        }
    }

    /**
     * Takes what changed of the nodes with sessions, and returns the sessions to which it has to be sent. Other hubs are sent their own
     * nodes, too: what this hub admitted earlier than they did counts as admitted then.
     */
    Set<HubSession> directChanged() {
        Set<String> changed = records.takeDirectChanges();
        if (changed.isEmpty()) {
            return Set.of();
        }
        hubs.forEach(hub -> hub.pending.addAll(changed));
        return hubs;
    }

    /** Takes the nodes that this manager's engine's list lacks or has again, and returns the sessions to which it has to be sent. */
    Set<HubSession> removedChanged(Set<String> nodes) {
        hubs.forEach(hub -> hub.pending.addAll(nodes));
        return hubs;
    }

    /** Returns whether a session is sent that a node was removed from the swarm: other hubs are. */
    boolean isRemoved(HubSession session, String node) {
        return session.everything && removed.byEngine().contains(node);
    }

    /** Returns the sessions to which it has to be sent that records which they hold are outdated; to be called each second. */
    Set<HubSession> outdated() {
        Set<HubSession> affected = new LinkedHashSet<>();
        for (HubSession session : holders) {
            if (answer(session)) {
                affected.add(session);
            }
        }
        return affected;
    }

    private boolean answer(HubSession session) {
        Set<String> outdated = session.takeOutdated(mark -> removed.contains(mark.node()) || successor(mark).isPresent());
        return session.pending.addAll(outdated);
    }

    private Optional<NodeRecord> successor(RecordMark held) {
        return records.newest(held.node()).filter(held::isOlderThan);
    }

    /** Returns the record of a node that a session is sent; empty if none. */
    Optional<NodeRecord> visible(HubSession session, String node) {
        if (session.everything) {
            return records.direct(node);
        }
        return Optional.ofNullable(effective.get(node))
                .map(record -> part(record, session))
                .filter(record -> !record.networks().isEmpty())
                // The node has nothing in these networks now, and the receiver believes that it has.
                .or(() -> session.held(node).flatMap(this::successor).map(NodeRecord::withoutNetworks));
    }

    private NodeRecord part(NodeRecord record, HubSession session) {
        Set<String> shared = new HashSet<>();
        for (NetworkRecord network : record.networks()) {
            if (session.networks.contains(network.id())) {
                shared.add(network.id());
            }
        }
        return shared.size() == record.networks().size() ? record : parts.of(record, shared);
    }

    /** Ends a round of sending, after which records may change. */
    void endOfRound() {
        parts.clear();
    }
}
