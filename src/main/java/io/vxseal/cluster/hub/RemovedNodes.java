package io.vxseal.cluster.hub;

import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.record.NodeRecord;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.Predicate;

/**
 * Nodes that were removed from the swarm: by the list of nodes of this manager's engine, if it gives one, and by the word of the other hubs
 * about the lists of theirs.
 *
 * <p>A node that was on the engine's list and is not any more was removed. So was one that has a session or a record and has been missing for longer
 * than the list may be behind: the swarm's CA adds a node to the list before it signs the certificate. A node that is on the list again,
 * as after the swarm was restored from a backup, was not removed.
 *
 * <p>Pure, one thread.
 */
final class RemovedNodes {
    /**
     * Time for a list to have a node that just joined. A list comes from the manager that leads; one that is cut off from the others stops
     * to lead after ten seconds.
     */
    static final Duration BEHIND = Duration.ofSeconds(15);

    /** Most removed nodes that are remembered; the longest removed are forgotten. Those are missing from the list all the same. */
    static final int MOST = 2000;

    private final String self;
    private Set<String> listed = Set.of();
    /** Nodes that no list had so far, and since when. */
    private final Map<String, Long> missing = new HashMap<>();
    private final Set<String> byEngine = new LinkedHashSet<>();
    private final Map<String, Words> byHub = new HashMap<>();

    /** The word of another hub. */
    private static final class Words {
        long process;
        boolean restarted;
        final Set<String> removed = new HashSet<>();
        /** Nodes that it has not named again since its session began. */
        final Set<String> unconfirmed = new HashSet<>();
    }

    /** @param self this node, which its own engine's list has */
    RemovedNodes(String self) {
        this.self = self;
    }

    /**
     * Takes the list of all nodes of the swarm as this manager's engine has it. One without this node is not this swarm's.
     *
     * @param known nodes with a session or a record, here or on another hub
     * @return the nodes that were removed according to the engine and were not before, or the other way round
     */
    Set<String> listed(Set<String> now, Set<String> known, long time) {
        if (!now.contains(self)) {
            return Set.of();
        }
        Set<String> before = new HashSet<>(byEngine);
        listed.stream().filter(node -> !now.contains(node)).forEach(byEngine::add);
        missing.keySet().removeIf(node -> now.contains(node) || !known.contains(node));
        for (String node : known) {
            if (!now.contains(node) && time - missing.computeIfAbsent(node, _ -> time) >= BEHIND.toNanos()) {
                byEngine.add(node);
            }
        }
        byEngine.removeIf(now::contains);
        while (byEngine.size() > MOST) {
            byEngine.remove(byEngine.iterator().next());
        }
        listed = Set.copyOf(now);
        return difference(before, byEngine);
    }

    private static Set<String> difference(Set<String> one, Set<String> other) {
        Set<String> changed = new HashSet<>(one);
        changed.addAll(other);
        changed.removeIf(node -> one.contains(node) && other.contains(node));
        return changed;
    }

    /** Begins the session with another hub. What it said before counts until it has said all again. */
    void hubOpened(String hub, long process) {
        Words words = byHub.computeIfAbsent(hub, _ -> new Words());
        words.restarted = words.process != 0 && words.process != process;
        words.process = process;
        words.unconfirmed.addAll(words.removed);
    }

    /**
     * Takes the word of another hub. One that was started again may not remember a removal, and does not take it back by that.
     *
     * @return the nodes of which it says another thing than before
     */
    Set<String> received(String hub, Message.Records records) {
        Words words = byHub.computeIfAbsent(hub, _ -> new Words());
        Set<String> before = new HashSet<>(words.removed);
        records.records().stream().map(NodeRecord::node).forEach(words.removed::remove);
        words.removed.removeAll(new HashSet<>(records.gone()));
        words.removed.addAll(records.removed());
        words.removed.remove(self);
        words.unconfirmed.removeAll(records.removed());
        if (records.complete()) {
            if (!words.restarted) {
                words.removed.removeAll(words.unconfirmed);
            }
            words.unconfirmed.clear();
        }
        return difference(before, words.removed);
    }

    /**
     * Forgets the word of hubs whose nodes are no managers any more.
     *
     * @return the nodes of which they said something
     */
    Set<String> managers(Predicate<String> isManager) {
        Set<String> changed = new HashSet<>();
        for (String hub : List.copyOf(byHub.keySet())) {
            if (!isManager.test(hub)) {
                changed.addAll(Objects.requireNonNull(byHub.remove(hub)).removed);
            }
        }
        return changed;
    }

    /** Returns the nodes that were removed by the list of this manager's engine, which is what other hubs are told. */
    Set<String> byEngine() {
        return byEngine;
    }

    /** Returns whether a node was removed. */
    boolean contains(String node) {
        return byEngine.contains(node) || byHub.values().stream().anyMatch(words -> words.removed.contains(node));
    }

    /** Returns all removed nodes. */
    Set<String> all() {
        Set<String> all = new HashSet<>(byEngine);
        byHub.values().forEach(words -> all.addAll(words.removed));
        return Set.copyOf(all);
    }
}
