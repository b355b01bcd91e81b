package io.vxseal.cluster.hub;

import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.message.MessageChannel;
import io.vxseal.cluster.message.Timer;
import io.vxseal.cluster.record.HubView.Retention;
import io.vxseal.cluster.record.NodeRecord;
import io.vxseal.cluster.record.PathMatrix;
import io.vxseal.cluster.record.RefusedClaim;
import io.vxseal.cluster.refusal.Refusal;
import io.vxseal.cluster.refusal.RefusalListener;
import io.vxseal.cluster.refusal.RefusedException;
import io.vxseal.cluster.ring.Rings;
import io.vxseal.swarm.Role;
import java.net.InetAddress;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedSet;
import java.util.Set;
import java.util.SortedMap;
import java.util.concurrent.CompletableFuture;
import java.util.function.Predicate;

/**
 * A manager's hub: receives from each node what it has, and sends each node what its networks need, and the ring.
 *
 * <p>Pure, one thread.
 */
public final class Hub {
    /** Nodes that are remembered to have the ring; a swarm has fewer. */
    private static final int MOST_REMEMBERED = 4096;

    private final String self;
    private final long process;
    private final Timer timer;
    private final Predicate<String> isManager;
    private final Rings rings;
    private final RefusalListener refusals;
    private final Claims claims = new Claims();
    private final Records records;
    private final Subscriptions subscriptions;
    private final HubSessions sessions;
    private final RecordStore store;
    private NodeList kept;
    private final RemovedNodes removed;
    /** Nodes without a session that were sent the ring by this process; the first ones are forgotten. */
    private final SequencedSet<String> hadRing = new LinkedHashSet<>();
    private final Announcements announcements;
    private final OwnRecall recall;
    private final HubReadiness readiness;
    private final HubRings hubRings;
    private final RecordRelay relay;
    private final SendRounds rounds;
    private final ReportRounds reports;
    private final CheckRounds checks;

    /**
     * A hub without records.
     *
     * @param self this node's id
     * @param process identifies this process among those of the same node
     * @param isManager whether a node is on the engine's list of managers, or there is no such list
     * @param store where the records and the list of nodes outlive this process
     */
    public Hub(String self, long process, Retention retention, Timer timer, Predicate<String> isManager, Rings rings,
            RecordStore store, RefusalListener refusals) {
        this.self = self;
        this.process = process;
        this.timer = timer;
        this.rings = rings;
        this.refusals = refusals;
        this.isManager = isManager;
        this.sessions = new HubSessions(isManager);
        this.store = store;
        this.kept = store.readNodes();
        this.removed = new RemovedNodes(self, kept);
        this.records = new Records(retention, claims, new KeptRecords(store, retention.away(), timer.nanoTime()), timer.nanoTime());
        this.announcements = new Announcements(timer, refusals, claims, records, sessions);
        this.subscriptions = new Subscriptions(records, claims, removed);
        this.readiness = new HubReadiness(self, timer, records);
        this.hubRings = new HubRings(self, timer, rings, sessions, readiness);
        this.relay = new RecordRelay(timer, refusals, sessions, subscriptions);
        this.rounds = new SendRounds(timer, sessions, subscriptions, relay, announcements, readiness,
                new HubSession.Source(subscriptions::visible, subscriptions::isRemoved, rings, hubRings::mayHave, announcements::acknowledgement));
        this.recall = new OwnRecall(self, timer, records, sessions, rounds::touch);
        this.reports = new ReportRounds(timer);
        this.checks = new CheckRounds(timer);
        removed.all().forEach(node -> records.remove(node, timer.nanoTime()));
    }

    // ---- sessions

    /** Begins a session of a node. */
    public void opened(MessageChannel channel) {
        if (removed.contains(channel.peer().node())) {
            refuseRemoved(channel);
            return;
        }
        removed.opened(channel.peer().node());
        HubSession session = new HubSession(channel, timer.nanoTime());
        sessions.add(session).ifPresent(before -> {
            subscriptions.remove(before);
            reports.forget(before);
            checks.forget(before);
            before.channel.close("replaced by a newer session");
            session.hadRing = before.hadRing;
        });
        rounds.changed(records.opened(session.node()));
    }

    /** Takes a message of a node. */
    public void received(MessageChannel channel, Message message) {
        sessions.over(channel).ifPresent(session -> {
            try {
                receive(session, message);
            } catch (RefusedException e) {
                refusals.refused(e, session.node());
                if (e.reason() == Refusal.RING_SIGNATURE || e.reason() == Refusal.RING_RATE) {
                    channel.close(e.reason().text());
                    // What has arrived already is dropped.
                    closed(channel);
                }
            }
        });
    }

    private void receive(HubSession session, Message message) throws RefusedException {
        switch (message) {
            case Message.Hello(var ring, var rotate) -> {
                session.greeted = true;
                session.ring = ring;
                session.answer(new Message.Welcome(process, readiness.millis(), rings.mark(), rings.isRotationRequested(),
                        records.incarnation(session.node()), records.chosen(session.node()).map(NodeRecord::revision).orElse(0L)));
                hubRings.takeMark(session, ring, rotate);
                if (recall.asks(session.node())) {
                    session.answer(new Message.RecallRequest());
                }
            }
            case Message.Heartbeat(var ring, var rotate) -> hubRings.takeMark(session, ring, rotate);
            case Message.Revoked(var tags) -> {
                if (session.channel.peer().role() != Role.MANAGER) {
                    throw new RefusedException(Refusal.SENDER, "revoked keys, which managers alone name");
                }
                // One that is not on the list of managers yet may be promoted, or was demoted.
                if (sessions.role(session) == Role.MANAGER) {
                    rings.onRevocation(tags);
                }
            }
            case Message.Ping() -> session.answer(new Message.Heartbeat(rings.mark(), rings.isRotationRequested()));
            case Message.Ring(var octets) -> hubRings.take(session, octets);
            case Message.Subscribe wanted -> subscriptions.replace(session, wanted, sessions.role(session));
            case Message.Announce(var record) -> {
                if (!record.node().equals(session.node())) {
                    throw new RefusedException(Refusal.FOREIGN_RECORD, "a record of node " + record.node() + ", of which the session is not");
                }
                session.announced = Optional.of(record);
            }
            case Message.RecallRequest() -> recall.request(session);
            case Message.RecallReply(var networks) -> recall.take(session.node(), networks);
            case Message.Goodbye(var incarnation, var revision) -> {
                boolean again = session.left;
                session.left = true;
                session.answer(new Message.Acknowledge(0, 0, List.of()));
                rounds.changed(announcements.goodbye(session, incarnation, revision));
                if (!again) {
                    rings.onRemoval(session.node());
                }
            }
            case Message.Inquiry(var inquiry) -> reports.inquire(session, inquiry, sessions.all(), known(), rounds::touch);
            case Message.Report report -> reports.take(session, sessions.role(session), report);
            case Message.CheckResult result -> checks.take(session, result);
            case Message.Welcome _, Message.Acknowledge _, Message.Records _, Message.ReportRequest _, Message.Reports _,
                    Message.CheckRequest _ ->
                throw new RefusedException(Refusal.SENDER, "a message that only hubs send");
        }
        rounds.touch(session);
    }

    /** Returns the nodes whose records count and have not ended. */
    private List<String> known() {
        return nodes().stream().filter(record -> !record.ended()).map(NodeRecord::node).toList();
    }

    /** Goes on sending: the session's queue has room again. */
    public void drained(MessageChannel channel) {
        sessions.over(channel).ifPresent(session -> {
            session.blocked = false;
            reports.drained(session);
            rounds.touch(session);
        });
    }

    /** Ends a node's session. */
    public void closed(MessageChannel channel) {
        sessions.over(channel).ifPresent(session -> {
            sessions.remove(session);
            if (session.hadRing) {
                hadRing.addLast(session.node());
                if (hadRing.size() > MOST_REMEMBERED) {
                    hadRing.removeFirst();
                }
            }
            announcements.takeLast(session).ifPresent(rounds::changed);
            subscriptions.remove(session);
            rounds.changed(records.closed(session.node(), channel.lastReceived(), timer.nanoTime()));
            reports.forget(session);
            checks.forget(session);
        });
    }

    // ---- removed nodes

    /**
     * Takes the list of all nodes of the swarm, as this manager's engine has it now. A node that is not on it any more was removed: its session and
     * its record end, it has none from then on, and its keys are replaced.
     */
    public void swarmNodes(Set<String> nodes) {
        Set<String> known = records.nodes();
        known.addAll(sessions.nodes());
        RemovedNodes.Change change = removed.listed(nodes, known, timer.nanoTime());
        removedChanged(change.removed());
        rounds.touch(subscriptions.removedChanged(change.byEngine()));
        keepList();
    }

    /** Keeps the list once all keys of removed nodes are replaced: a process that ends before has its next one find the removal again. */
    private void keepList() {
        NodeList now = removed.list();
        if (!now.equals(kept) && rings.mark().version() > 0 && rings.revoked().isEmpty()) {
            kept = now;
            store.writeNodes(now);
        }
    }

    private void removedChanged(Set<String> nodes) {
        for (String node : nodes) {
            if (!removed.contains(node)) {
                rounds.changed(records.readmit(node));
            } else if (!records.isRemoved(node)) {
                remove(node);
            }
        }
    }

    /**
     * Revokes the keys, unless another manager does and this hub gave the node none, nor did its previous process: one that starts hears of all
     * earlier removals.
     */
    private void remove(String node) {
        boolean hasKeys = removed.byEngine().contains(node) || records.hadEarlier(node) || hadRing.remove(node)
                || sessions.of(node).filter(session -> session.hadRing).isPresent()
                || readiness.isReady() && (sessions.of(node).isPresent() || records.direct(node).isPresent());
        sessions.of(node).ifPresent(session -> {
            refuseRemoved(session.channel);
            closed(session.channel);
        });
        rounds.changed(records.remove(node, timer.nanoTime()));
        if (hasKeys) {
            rings.onRemoval(node);
        }
    }

    private void refuseRemoved(MessageChannel channel) {
        refusals.refused(Refusal.NODE, channel.peer().node(), "it was removed from the swarm");
        channel.close(Refusal.NODE.text());
    }

    // ---- other hubs

    /** Names the managers whose hubs there should be. */
    public void managers(Set<String> nodes) {
        readiness.managers(nodes);
        removedChanged(removed.managers(isManager));
        // One that was promoted may have the ring now.
        sessions.all().stream().filter(session -> session.channel.peer().role() == Role.MANAGER).forEach(rounds::touch);
        for (HubSession session : List.copyOf(sessions.all())) {
            if (session.wantsEverything && session.everything != (sessions.role(session) == Role.MANAGER)) {
                resubscribe(session);
            }
        }
    }

    private void resubscribe(HubSession session) {
        try {
            subscriptions.replace(session, new Message.Subscribe(session.networks, true), sessions.role(session));
            rounds.touch(session);
        } catch (RefusedException e) {
            refusals.refused(e, session.node());
        }
    }

    /** Begins this node's session with another hub. */
    public void hubOpened(String hub, long hubProcess) {
        removed.hubOpened(hub, hubProcess, timer.nanoTime());
        rounds.changed(records.hubOpened(hub, hubProcess, timer.nanoTime()));
    }

    /** Takes the records of another hub's sessions. */
    public void recordsReceived(String hub, Message.Records received) {
        removedChanged(removed.received(hub, received));
        List<String> leaving = received.records().stream().filter(NodeRecord::isGoodbye).map(NodeRecord::node)
                .filter(node -> records.chosen(node).isPresent()).toList();
        rounds.changed(records.received(hub, received, timer.nanoTime()));
        // The hub that heard the good-bye may end before the keys are replaced.
        leaving.stream().filter(node -> records.chosen(node).isEmpty()).forEach(rings::onRemoval);
    }

    /** Ends this node's session with another hub. */
    public void hubClosed(String hub) {
        rounds.changed(records.hubClosed(hub, timer.nanoTime()));
    }

    // ---- this node

    /** Sets this node's VTEP. */
    public void self(InetAddress vtep) {
        rounds.changed(claims.self(vtep));
    }

    /** Ends the record of the node at this address, which the engine calls lost, unless it has a session. */
    public void lost(InetAddress vtep) {
        rounds.changed(records.lost(vtep, timer.nanoTime()));
    }

    /** Notes that the engine has found a node at this address. */
    public void found(InetAddress vtep) {
        records.found(vtep);
    }

    /** Has it sent to the nodes that the ring changed, or that it is to be replaced. */
    public void ringChanged() {
        rounds.touch(sessions.all());
    }

    /** Has all nodes check their paths. The matrix comes within twenty seconds. */
    public void checkPaths(CompletableFuture<PathMatrix> matrix) {
        Map<String, InetAddress> vteps = new HashMap<>();
        nodes().stream().filter(record -> !record.ended()).forEach(record -> vteps.put(record.node(), record.vtep()));
        checks.inquire(matrix, sessions.all(), vteps, rounds::touch);
    }

    /** Does periodic work; to be called each second. */
    public void tick() {
        sessions.touch(subscriptions.outdated());
        announcements.forgetIdle();
        relay.forgetIdle();
        rounds.changed(records.expire(timer.nanoTime()));
        records.keep(timer.nanoTime());
        rounds.synchronize();
    }

    /** Closes all sessions with nodes of other processes. */
    public void closeAll(String reason) {
        List.copyOf(sessions.all()).stream().filter(session -> !session.node().equals(self))
                .forEach(session -> session.channel.close(reason));
    }

    // ---- status

    /** Returns the sessions. */
    public List<SessionStatus> sessions() {
        return sessions.status(timer.nanoTime());
    }

    /** Returns the nodes' records that count here. */
    public Collection<NodeRecord> nodes() {
        return records.nodes().stream().map(node -> records.chosen(node).orElseThrow()).toList();
    }

    /** Returns the claims that have no effect, by node; nodes without such are not in it. */
    public SortedMap<String, List<RefusedClaim>> refusedClaims() {
        return claims.refused();
    }

    /** Returns when managers that have a session here last gave a sign of life. */
    public Map<String, Long> managersLastReceived() {
        return sessions.managersLastReceived();
    }

    /** Returns the nodes with a session that show a manager's certificate and are not on the engine's list of managers. */
    public Set<String> unlistedManagers() {
        return sessions.unlistedManagers();
    }

    /** Returns the nodes that were removed from the swarm. */
    public Set<String> removed() {
        return removed.all();
    }

    /** Returns the nodes with a session. */
    public Set<String> connected() {
        return sessions.nodes();
    }
}
