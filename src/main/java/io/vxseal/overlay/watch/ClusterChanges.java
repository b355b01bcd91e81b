package io.vxseal.overlay.watch;

import io.vxseal.cluster.ClusterStatus;
import io.vxseal.cluster.ring.RingStatus;
import io.vxseal.journal.Event;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What changed in the cluster from one look at it to the next: nodes, sessions with hubs, and the ring.
 *
 * <p>Pure. Not safe for use by several threads at once.
 */
public final class ClusterChanges {
    private Map<String, String> members = Map.of();
    private Map<String, String> hubs = Map.of();
    private Optional<RingStatus> ring = Optional.empty();

    /** A change, as an event of the journal has it. */
    public record Change(Event.Kind kind, String subject, String text) {}

    /** Takes the cluster's state, and returns what changed since the last one. */
    public List<Change> observe(ClusterStatus now) {
        List<Change> changes = new ArrayList<>();
        Map<String, String> reached = new HashMap<>();
        now.hubs().forEach(hub -> reached.put(hub.node(), hub.address().map(InetAddress::getHostAddress).orElse("here")));
        compare(hubs, reached, Event.Kind.HUB_REACHED, "session with the hub of manager %s (%s) began",
                Event.Kind.HUB_LOST, "session with the hub of manager %s (%s) ended", changes);
        hubs = reached;
        // Without a hub no members are listed, which does not mean that they are gone.
        if (!now.members().isEmpty()) {
            Map<String, String> known = new HashMap<>();
            now.members().forEach(member ->
                    known.put(member.node(), member.vtep().map(InetAddress::getHostAddress).orElse("address not known")));
            compare(members, known, Event.Kind.NODE_JOINED, "node %s (%s) joined", Event.Kind.NODE_LEFT, "node %s (%s) is gone", changes);
            members = known;
        }
        ring(now.ring(), changes);
        return changes;
    }

    private static void compare(
            Map<String, String> before, Map<String, String> now,
            Event.Kind came, String cameText, Event.Kind went, String wentText, List<Change> changes) {
        before.forEach((node, address) -> {
            if (!now.containsKey(node)) {
                changes.add(new Change(went, node, wentText.formatted(node, address)));
            }
        });
        now.forEach((node, address) -> {
            if (!before.containsKey(node)) {
                changes.add(new Change(came, node, cameText.formatted(node, address)));
            }
        });
    }

    private void ring(Optional<RingStatus> now, List<Change> changes) {
        if (now.isPresent() && !ring.map(ClusterChanges::mark).equals(now.map(ClusterChanges::mark))) {
            RingStatus current = now.get();
            changes.add(new Change(Event.Kind.KEYS, "", current.version() == 0
                    ? "keys of the engine are in force"
                    : "ring %d by node %s is in force".formatted(current.version(), current.author())));
        }
        ring = now;
    }

    /** Returns what differs between two rings: the engine's have no version, and their keys' tags differ. */
    private static List<Object> mark(RingStatus ring) {
        return List.of(ring.version(), ring.author(), ring.keys().stream().map(RingStatus.KnownKey::tag).toList());
    }
}
