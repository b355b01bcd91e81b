package io.vxseal.cluster.hub;

import io.vxseal.cluster.message.MessageChannel;
import io.vxseal.swarm.Role;
import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/** Sessions of nodes with a hub, one per node, and those of them that the hub has to look at. Pure, one thread. */
final class HubSessions {
    private final Predicate<String> isManager;
    private final Map<String, HubSession> byNode = new HashMap<>();
    private final Set<HubSession> dirty = new LinkedHashSet<>();

    /** @param isManager whether a node is on the engine's list of managers, or there is no such list */
    HubSessions(Predicate<String> isManager) {
        this.isManager = isManager;
    }

    /** Adds a session, and returns the one of the same node that it replaces. */
    Optional<HubSession> add(HubSession session) {
        Optional<HubSession> before = Optional.ofNullable(byNode.put(session.node(), session));
        before.ifPresent(dirty::remove);
        return before;
    }

    /** Removes a session. */
    void remove(HubSession session) {
        byNode.remove(session.node(), session);
        dirty.remove(session);
    }

    /** Returns a node's session. */
    Optional<HubSession> of(String node) {
        return Optional.ofNullable(byNode.get(node));
    }

    /** Returns the session over a channel; empty if another one replaced it. */
    Optional<HubSession> over(MessageChannel channel) {
        return of(channel.peer().node()).filter(session -> session.channel.equals(channel));
    }

    /** Returns all sessions. */
    Collection<HubSession> all() {
        return byNode.values();
    }

    /** Returns the role that counts: a demoted manager keeps its certificate for a while. */
    Role role(HubSession session) {
        return isManager.test(session.node()) ? session.channel.peer().role() : Role.WORKER;
    }

    /** Returns when managers last gave a sign of life. */
    Map<String, Long> managersLastReceived() {
        Map<String, Long> times = new HashMap<>();
        byNode.values().stream().filter(session -> role(session) == Role.MANAGER)
                .forEach(session -> times.put(session.node(), session.channel.lastReceived()));
        return times;
    }

    /** Returns the nodes with a session. */
    Set<String> nodes() {
        return Set.copyOf(byNode.keySet());
    }

    /**
     * Returns whether a node shows a manager's certificate and is not on the engine's list of managers: it was demoted or promoted just now,
     * or removed from the swarm.
     */
    boolean isUnlistedManager(HubSession session) {
        return session.channel.peer().role() == Role.MANAGER && !isManager.test(session.node());
    }

    /** Returns the nodes that show a manager's certificate and are not on the engine's list of managers. */
    Set<String> unlistedManagers() {
        return byNode.values().stream().filter(this::isUnlistedManager).map(HubSession::node).collect(Collectors.toSet());
    }

    /** Returns the sessions, for people. */
    List<SessionStatus> status(long now) {
        return byNode.values().stream().map(session -> new SessionStatus(session.node(), role(session),
                Duration.ofNanos(now - session.opened), session.pending.size())).toList();
    }

    /** Marks a session as one to look at. */
    void touch(HubSession session) {
        dirty.add(session);
    }

    /** Marks sessions as ones to look at. */
    void touch(Collection<HubSession> sessions) {
        dirty.addAll(sessions);
    }

    /** Returns the sessions to look at; they stay marked. */
    List<HubSession> touched() {
        return List.copyOf(dirty);
    }

    /** Returns the sessions to look at, which are not marked any more. */
    List<HubSession> takeTouched() {
        List<HubSession> taken = touched();
        dirty.clear();
        return taken;
    }
}
