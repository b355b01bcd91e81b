package io.vxseal.cluster.hub;

import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.message.MessageChannel;
import io.vxseal.cluster.message.RefusedException;
import io.vxseal.cluster.message.RingMark;
import io.vxseal.cluster.message.Timer;
import io.vxseal.cluster.record.HubView.Retention;
import io.vxseal.cluster.record.NetworkRecord;
import io.vxseal.cluster.record.NodeRecord;
import io.vxseal.cluster.record.RefusedClaim;
import io.vxseal.cluster.ring.Rings;
import io.vxseal.swarm.Role;
import java.net.InetAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * A manager's hub: hears from each node what it has, and tells each node what its networks need, and the ring.
 *
 * <p>Pure, one thread.
 */
public final class Hub {
    /** Changes of this time are told together. */
    private static final Duration BATCH = Duration.ofMillis(10);
    /** Time that a hub which starts gives the others to tell what they know, before it tells anything itself. */
    static final Duration SYNCHRONIZE = Duration.ofSeconds(3);
    private static final Duration RECALL = Duration.ofSeconds(10);

    private final String self;
    private final long process;
    private final Timer timer;
    private final Rings rings;
    private final Refusals refusals;
    private final Predicate<String> isManager;
    private final Claims claims = new Claims();
    private final Records records;
    private final Subscriptions subscriptions;
    private final Map<String, HubSession> sessions = new HashMap<>();
    private final Set<HubSession> dirty = new LinkedHashSet<>();
    private final Map<String, List<RefusedClaim>> refusedBefore = new HashMap<>();
    private Set<String> otherHubs = Set.of();
    private final ReportRounds reports;
    private boolean scheduled;
    /** Set while the nodes are asked for what this hub's own node announced before. */
    private boolean recalling;
    /** Time since which this hub has known what the others know. */
    private Optional<Long> ready = Optional.empty();
    private final long began;

    /** Counts what is refused. */
    public interface Refusals {
        /** Counts something that a node sent. */
        void refuse(String node, String what);
    }

    /** Source of what sessions tell. */
    private final HubSession.Source source = new HubSession.Source() {
        @Override
        public Optional<NodeRecord> record(HubSession session, String node) {
            return subscriptions.told(session, node);
        }

        @Override
        public Optional<Message> acknowledgement(HubSession session) {
            return acknowledge(session);
        }

        @Override
        public Optional<Message.Ring> newerThan(RingMark theirs) {
            return rings.newerThan(theirs);
        }

        @Override
        public RingMark mark() {
            return rings.mark();
        }
    };

    /**
     * A hub that knows nothing yet.
     *
     * @param self this node's id
     * @param process identifies this process among those of the same node
     * @param isManager whether a node is on the engine's list of managers, or there is no such list
     */
    public Hub(String self, long process, Retention retention, Timer timer, Predicate<String> isManager, Rings rings, Refusals refusals) {
        this.self = self;
        this.process = process;
        this.timer = timer;
        this.isManager = isManager;
        this.rings = rings;
        this.refusals = refusals;
        this.records = new Records(retention, claims);
        this.subscriptions = new Subscriptions(records, claims);
        this.reports = new ReportRounds(timer);
        this.began = timer.nanoTime();
    }

    // ---- sessions

    /** Begins a session of a node. */
    public void opened(MessageChannel channel) {
        HubSession session = new HubSession(channel, timer.nanoTime());
        HubSession before = sessions.put(session.node(), session);
        if (before != null) {
            forget(before);
            before.channel.close("replaced by a newer session");
        }
        changed(records.opened(session.node()));
    }

    /** Takes a message of a node. */
    public void received(MessageChannel channel, Message message) {
        HubSession session = session(channel);
        if (session == null) {
            return;
        }
        try {
            receive(session, message);
        } catch (RefusedException e) {
            refusals.refuse(session.node(), e.getMessage());
        }
    }

    private void receive(HubSession session, Message message) throws RefusedException {
        switch (message) {
            case Message.Hello(var ring, var rotate) -> {
                session.greeted = true;
                session.ring = ring;
                session.answer(new Message.Welcome(process, ready.map(this::millisSince).orElse(0L), rings.mark(), rings.isRotationRequested(),
                        records.incarnation(session.node()), records.chosen(session.node()).map(NodeRecord::revision).orElse(0L)));
                heard(session, ring, rotate);
                if (recalling) {
                    session.answer(new Message.Recall());
                }
            }
            case Message.Heartbeat(var ring, var rotate) -> heard(session, ring, rotate);
            case Message.Ping() -> session.answer(new Message.Heartbeat(rings.mark(), rings.isRotationRequested()));
            case Message.Ring(var octets) -> rings.take(octets);
            case Message.Subscribe wanted -> subscribe(session, wanted);
            case Message.Announce(var record) -> {
                if (!record.node().equals(session.node())) {
                    throw new RefusedException("a record of node " + record.node() + ", of which the session is not");
                }
                session.announced = Optional.of(record);
            }
            case Message.Recall() -> recall(session);
            case Message.Recalled(var networks) -> recalled(networks);
            case Message.Goodbye(var incarnation, var revision) -> {
                session.announced = Optional.empty();
                session.answer(new Message.Acknowledge(0, 0, List.of()));
                changed(records.goodbye(session.node(), incarnation, revision, timer.nanoTime()));
                rings.onRemoval(session.node());
            }
            case Message.Inquiry(var inquiry) -> reports.inquire(session, inquiry, sessions.values(), known(), this::touch);
            case Message.Report report -> reports.take(session, role(session), report);
            case Message.Welcome _, Message.Acknowledge _, Message.Records _, Message.ReportRequest _, Message.Reports _ ->
                throw new RefusedException("a message that only hubs send");
        }
        touch(session);
    }

    /** Returns the nodes whose records count and have not ended. */
    private List<String> known() {
        return nodes().stream().filter(record -> !record.ended()).map(NodeRecord::node).toList();
    }

    /** Answers what a node announced before. Of its own node a hub knows nothing after both started again, so it asks the other nodes. */
    private void recall(HubSession session) {
        Optional<NodeRecord> known = records.chosen(session.node());
        if (known.isEmpty() && session.node().equals(self)) {
            recalling = true;
            timer.after(RECALL, () -> recalling = false);
            sessions.values().stream().filter(other -> other != session && other.greeted).forEach(other -> {
                other.answer(new Message.Recall());
                touch(other);
            });
        } else {
            session.answer(new Message.Recalled(known.map(NodeRecord::networks).orElse(List.of())));
        }
    }

    private void recalled(List<NetworkRecord> networks) {
        HubSession own = sessions.get(self);
        if (recalling && own != null && !networks.isEmpty()) {
            recalling = false;
            own.answer(new Message.Recalled(networks));
            touch(own);
        }
    }

    private void heard(HubSession session, RingMark ring, boolean rotate) {
        session.ring = ring;
        if (rotate) {
            rings.onRotationRequest(ring);
        }
    }

    private void subscribe(HubSession session, Message.Subscribe wanted) throws RefusedException {
        if (wanted.everything() && session.channel.peer().role() != Role.MANAGER) {
            throw new RefusedException("a worker's subscription to everything");
        }
        session.wantsEverything = wanted.everything();
        // One that was just promoted may not be on the engine's list yet.
        subscriptions.replace(session, wanted, wanted.everything() && role(session) == Role.MANAGER);
        session.completing = !wanted.everything() || session.everything;
    }

    /** Returns the role that counts: a demoted manager keeps its certificate for a while. */
    private Role role(HubSession session) {
        return isManager.test(session.node()) ? session.channel.peer().role() : Role.WORKER;
    }

    /** Goes on sending: the session's queue has room again. */
    public void drained(MessageChannel channel) {
        HubSession session = session(channel);
        if (session != null) {
            session.blocked = false;
            reports.drained(session);
            touch(session);
        }
    }

    /** Ends a node's session. */
    public void closed(MessageChannel channel) {
        HubSession session = session(channel);
        if (session != null) {
            sessions.remove(session.node());
            look(session);
            forget(session);
            changed(records.closed(session.node(), channel.lastReceived(), timer.nanoTime()));
        }
    }

    private void forget(HubSession session) {
        subscriptions.remove(session);
        reports.forget(session);
        dirty.remove(session);
    }

    private @Nullable HubSession session(MessageChannel channel) {
        HubSession session = sessions.get(channel.peer().node());
        return session != null && session.channel.equals(channel) ? session : null;
    }

    private void touch(HubSession session) {
        dirty.add(session);
        schedule();
    }

    private void schedule() {
        if (!scheduled) {
            scheduled = true;
            timer.after(BATCH, this::flush);
        }
    }

    /** Looks at what nodes announced, and tells what changed. */
    private void flush() {
        scheduled = false;
        for (HubSession session : List.copyOf(dirty)) {
            look(session);
        }
        synchronize();
        dirty.addAll(subscriptions.directChanged());
        List<HubSession> now = List.copyOf(dirty);
        dirty.clear();
        now.forEach(session -> session.flush(source, ready.isPresent()));
    }

    private void look(HubSession session) {
        session.announced.ifPresent(record -> {
            session.announced = Optional.empty();
            session.acknowledging = true;
            changed(records.announce(record, role(session), timer.wallTime().toEpochMilli()));
        });
    }

    /** Tells subscribers of nodes whose records changed, and the nodes themselves which claims have no effect. */
    private void changed(Set<String> nodes) {
        for (String node : nodes) {
            dirty.addAll(subscriptions.changed(node));
            refused(node, claims.judged(node).map(Claims.Judged::refused).orElse(List.of()));
        }
        schedule();
    }

    private void refused(String node, List<RefusedClaim> now) {
        List<RefusedClaim> before = now.isEmpty() ? refusedBefore.remove(node) : refusedBefore.put(node, now);
        if (now.equals(before == null ? List.of() : before)) {
            return;
        }
        HubSession session = sessions.get(node);
        if (session != null) {
            session.acknowledging = true;
            dirty.add(session);
            Set<RefusedClaim> known = before == null ? Set.of() : Set.copyOf(before);
            for (RefusedClaim claim : now) {
                if (!known.contains(claim)) {
                    refusals.refuse(node, "claim of endpoint %s in network %s: %s".formatted(claim.endpoint(), claim.network(), claim.reason()));
                }
            }
        }
    }

    private Optional<Message> acknowledge(HubSession session) {
        return records.direct(session.node()).filter(record -> !record.ended()).map(record -> {
            List<RefusedClaim> refused = claims.judged(session.node()).map(Claims.Judged::refused).orElse(List.of());
            return new Message.Acknowledge(record.incarnation(), record.revision(),
                    refused.subList(0, Math.min(refused.size(), Message.Acknowledge.MOST_REFUSED)));
        });
    }

    // ---- other hubs

    /** Names the managers whose hubs there should be. */
    public void managers(Set<String> nodes) {
        otherHubs = nodes;
        for (HubSession session : List.copyOf(sessions.values())) {
            if (session.wantsEverything && session.everything != (role(session) == Role.MANAGER)) {
                resubscribe(session);
            }
        }
    }

    private void resubscribe(HubSession session) {
        try {
            subscribe(session, new Message.Subscribe(session.networks, true));
            touch(session);
        } catch (RefusedException e) {
            refusals.refuse(session.node(), e.getMessage());
        }
    }

    /** Begins this node's session with another hub. */
    public void hubOpened(String hub, long hubProcess) {
        changed(records.hubOpened(hub, hubProcess, timer.nanoTime()));
    }

    /** Takes what another hub hears from nodes. */
    public void hubTold(String hub, Message.Records told) {
        changed(records.told(hub, told, timer.nanoTime()));
    }

    /** Ends this node's session with another hub. */
    public void hubClosed(String hub) {
        changed(records.hubClosed(hub, timer.nanoTime()));
    }

    /** Begins to tell once the other hubs have told what they know; before, the second claim would be taken for the first. */
    private void synchronize() {
        if (ready.isEmpty() && (timer.nanoTime() - began >= SYNCHRONIZE.toNanos()
                || otherHubs.stream().allMatch(hub -> hub.equals(self) || records.isComplete(hub)))) {
            ready = Optional.of(timer.nanoTime());
            dirty.addAll(sessions.values());
            schedule();
        }
    }

    private long millisSince(long moment) {
        return Duration.ofNanos(timer.nanoTime() - moment).toMillis();
    }

    // ---- this node

    /** Sets this node's VTEP. */
    public void self(InetAddress vtep) {
        changed(claims.self(vtep));
    }

    /** Ends the record of the node at this address, which the engine calls lost, unless it has a session. */
    public void lost(InetAddress vtep) {
        changed(records.lost(vtep, timer.nanoTime()));
    }

    /** Notes that the engine has found a node at this address. */
    public void found(InetAddress vtep) {
        records.found(vtep);
    }

    /** Tells the nodes that the ring changed, or that it is to be replaced. */
    public void ringChanged() {
        sessions.values().forEach(this::touch);
    }

    /** Does periodic work; to be called each second. */
    public void tick() {
        dirty.addAll(subscriptions.outdated());
        changed(records.expire(timer.nanoTime()));
        synchronize();
    }

    /** Closes all sessions with nodes of other processes. */
    public void closeAll(String reason) {
        List.copyOf(sessions.values()).stream().filter(session -> !session.node().equals(self))
                .forEach(session -> session.channel.close(reason));
    }

    // ---- status

    /** A session at one moment. */
    public record SessionStatus(String node, Role role, Duration age, int lag) {}

    /** Returns the sessions. */
    public List<SessionStatus> sessions() {
        List<SessionStatus> all = new ArrayList<>();
        long now = timer.nanoTime();
        sessions.values().forEach(session -> all.add(new SessionStatus(session.node(), role(session),
                Duration.ofNanos(now - session.opened), session.pending.size())));
        return all;
    }

    /** Returns the nodes' records that count here. */
    public Collection<NodeRecord> nodes() {
        return records.nodes().stream().map(node -> records.chosen(node).orElseThrow()).toList();
    }

    /** Returns how many claims have no effect, by reason. */
    public Map<RefusedClaim.Reason, Integer> refusedClaims() {
        return claims.refused();
    }

    /** Returns whether a session of this node is open. */
    public boolean isConnected(String node) {
        return sessions.containsKey(node);
    }

    /** Returns when managers that have a session here last gave a sign of life. */
    public Map<String, Long> managersHeard() {
        Map<String, Long> heard = new HashMap<>();
        sessions.values().stream().filter(session -> role(session) == Role.MANAGER)
                .forEach(session -> heard.put(session.node(), session.channel.lastReceived()));
        return heard;
    }
}
