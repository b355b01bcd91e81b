package io.vxseal.cluster.hub;

import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.record.NodeRecord;
import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Nodes that were removed from the swarm: by the list of nodes of this manager's engine, if it gives one, and by the word of the other hubs
 * about the lists of theirs.
 *
 * <p>A node that was on the engine's list and is not any more was removed. So was one that had a session or has a record and has been missing for
 * longer than the list may be behind, whether it stays or comes and goes: the swarm's CA adds a node to the list before it signs the certificate.
 * A node that is on the list again, as after the swarm was restored from a backup, was not removed.
 *
 * <p>A hub that is started again may not remember a removal, and does not take it back by what it says of the node. What its earlier process said
 * counts until this manager's own list has the node.
 *
 * <p>Pure, one thread.
 */
final class RemovedNodes {
    private static final Logger LOG = LoggerFactory.getLogger(RemovedNodes.class);

    /**
     * Time for a list to have a node that just joined. A list comes from the manager that leads; one that is cut off from the others stops
     * to lead after ten seconds.
     */
    static final Duration BEHIND = Duration.ofSeconds(15);

    /**
     * Most removed nodes that are remembered, and most missing ones; the longest removed or missing are forgotten. Those are missing from
     * the list all the same.
     */
    static final int MOST = 2000;

    private final String self;
    private Set<String> listed = Set.of();
    /** Nodes that began a session since the last list. */
    private final Set<String> opened = new HashSet<>();
    /** Nodes that no list had so far, and since when; a node that is away meanwhile has not become a new one. */
    private final Map<String, Long> missing = new LinkedHashMap<>();
    private final Set<String> byEngine = new LinkedHashSet<>();
    /** What this hub's previous process knew, until a list confirms it: if there is none any more, others are not told. */
    private final Set<String> byEarlierList = new LinkedHashSet<>();
    private final Map<String, Words> byHub = new HashMap<>();

    /** The word of another hub. */
    private static final class Words {
        long process;
        /** When the first session with that process began. */
        long begun;
        final Set<String> removed = new HashSet<>();
        /** Those of them that an earlier process named, and this one has not. */
        final Set<String> earlier = new HashSet<>();
        /** Those that it has not named again since its session began. */
        final Set<String> unconfirmed = new HashSet<>();

        /** Takes back what this process itself said. */
        void takeBack(Collection<String> nodes) {
            nodes.stream().filter(node -> !earlier.contains(node)).forEach(removed::remove);
        }
    }

    /**
     * Changes that a list causes.
     *
     * @param removed nodes that were removed now and were not before, or the other way round
     * @param byEngine the same according to this manager's engine alone, which other hubs have to be told
     */
    record Change(Set<String> removed, Set<String> byEngine) {
        static final Change NONE = new Change(Set.of(), Set.of());
    }

    /**
     * @param self this node, which its own engine's list has
     * @param before as this hub's previous process knew it; one without this node is not this swarm's
     */
    RemovedNodes(String self, NodeList before) {
        this.self = self;
        if (before.listed().contains(self)) {
            listed = sorted(before.listed());
            byEarlierList.addAll(before.removed());
        }
    }

    /** Notes that a node began a session, which may end before the next list comes. */
    void opened(String node) {
        if (opened.size() < MOST) {
            opened.add(node);
        }
    }

    /**
     * Takes the list of all nodes of the swarm as this manager's engine has it. One without this node is not this swarm's.
     *
     * @param known nodes with a session or a record, here or on another hub
     */
    Change listed(Set<String> now, Set<String> known, long time) {
        if (!now.contains(self)) {
            return Change.NONE;
        }
        Set<String> before = all();
        Set<String> engineBefore = Set.copyOf(byEngine);
        byEngine.addAll(byEarlierList);
        byEarlierList.clear();
        listed.stream().filter(node -> !now.contains(node)).forEach(byEngine::add);
        // The other hub may end, or be a manager's no more.
        byHub.values().forEach(words -> byEngine.addAll(words.removed));
        opened.addAll(known);
        opened.forEach(node -> missing.putIfAbsent(node, time));
        opened.clear();
        missing.keySet().removeIf(now::contains);
        limit(missing.keySet());
        missing.forEach((node, since) -> {
            if (time - since >= BEHIND.toNanos()) {
                byEngine.add(node);
            }
        });
        byEngine.removeIf(now::contains);
        limit(byEngine);
        for (Words words : byHub.values()) {
            if (time - words.begun >= BEHIND.toNanos()) {
                Set<String> ended = new HashSet<>(words.earlier);
                ended.retainAll(now);
                words.earlier.removeAll(ended);
                words.removed.removeAll(ended);
            }
        }
        listed = sorted(now);
        return new Change(difference(before, all()), difference(engineBefore, byEngine));
    }

    /** Returns a copy whose order does not differ from one process to the next, so that a schedule of a simulation can be replayed. */
    private static Set<String> sorted(Set<String> nodes) {
        return new TreeSet<>(nodes);
    }

    private static void limit(Set<String> nodes) {
        while (nodes.size() > MOST) {
            nodes.remove(nodes.iterator().next());
        }
    }

    private static Set<String> difference(Set<String> one, Set<String> other) {
        Set<String> changed = new HashSet<>(one);
        changed.addAll(other);
        changed.removeIf(node -> one.contains(node) && other.contains(node));
        return changed;
    }

    /** Begins a session with another hub. What it said before counts until it has said all again. */
    void hubOpened(String hub, long process, long time) {
        Words words = byHub.computeIfAbsent(hub, _ -> new Words());
        if (words.process != process) {
            words.process = process;
            words.begun = time;
            words.earlier.addAll(words.removed);
        }
        words.unconfirmed.addAll(words.removed);
    }

    /**
     * Takes the word of another hub.
     *
     * @return the nodes of which it says another thing than before
     */
    Set<String> received(String hub, Message.Records records) {
        Words words = byHub.computeIfAbsent(hub, _ -> new Words());
        Set<String> before = new HashSet<>(words.removed);
        words.takeBack(records.records().stream().map(NodeRecord::node).toList());
        words.takeBack(records.gone());
        words.removed.addAll(records.removed());
        words.removed.remove(self);
        words.earlier.removeAll(records.removed());
        words.unconfirmed.removeAll(records.removed());
        if (records.complete()) {
            words.takeBack(words.unconfirmed);
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
        changed.stream().filter(node -> !contains(node)).forEach(node -> LOG.warn("node {} counts as one of the swarm again: only the engine of a manager that is "
                + "none any more had told that it was removed. To keep it out: `docker swarm ca --rotate`; for later removals: "
                + "the engine's socket for another manager's plugin", node));
        return changed;
    }

    /** Returns what the next process of this hub has to know. */
    NodeList list() {
        return new NodeList(listed, Stream.concat(byEarlierList.stream(), byEngine.stream()).toList());
    }

    /** Returns the nodes that were removed by the list of this manager's engine, which is what other hubs are told. */
    Set<String> byEngine() {
        return byEngine;
    }

    /** Returns whether a node was removed. */
    boolean contains(String node) {
        return byEngine.contains(node) || byEarlierList.contains(node) || byHub.values().stream().anyMatch(words -> words.removed.contains(node));
    }

    /** Returns all removed nodes. */
    Set<String> all() {
        Set<String> all = new TreeSet<>(byEngine);
        all.addAll(byEarlierList);
        byHub.values().forEach(words -> all.addAll(words.removed));
        return all;
    }
}
