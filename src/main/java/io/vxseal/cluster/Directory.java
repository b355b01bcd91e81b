package io.vxseal.cluster;

import io.vxseal.cluster.Message.Own;
import io.vxseal.cluster.PeerChange.Added;
import io.vxseal.cluster.PeerChange.Removed;
import io.vxseal.peers.Peer;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.UUID;
import java.util.function.Predicate;

/**
 * Which member told of which endpoints. Each member speaks for its own only, so there is nothing to resolve, but for
 * one case: a node that comes back is a new member while its old self is still in the view, and both tell of the same
 * endpoints. Then who told last counts, and the going of the other changes nothing.
 *
 * <p>What a member told outlives its falling silent, since a node whose plugin died forwards on. It stands until the
 * member speaks again, until its node comes back as another member and has told everything, until another node is
 * at its address, or until it is {@link #gone}, whatever comes first.
 *
 * <p>Pure: every method answers with the changes to tell, in order. One thread.
 */
final class Directory {
    private static final class Teller {
        String node = "";
        Optional<InetAddress> vtep = Optional.empty();
        boolean silent;
        Optional<Long> revision = Optional.empty();
        final Map<Own.Id, Own> endpoints = new LinkedHashMap<>();

        /** Whether what the other told is of no more use, now that it is silent. */
        boolean replaces(Teller other) {
            return this != other && !silent
                    && (node.equals(other.node) ? revision.isPresent() : vtep.equals(other.vtep));
        }
    }

    private record Told(UUID by, Peer peer) {}

    private final Map<UUID, Teller> tellers = new HashMap<>();
    private final Map<Own.Id, Told> known = new LinkedHashMap<>();

    /** The member has introduced itself, as this node. Only now it may speak. */
    List<PeerChange> hello(UUID member, String node, InetAddress vtep) {
        Teller teller = tellers.computeIfAbsent(member, _ -> new Teller());
        teller.node = node;
        teller.silent = false;
        List<PeerChange> changes = new ArrayList<>();
        if (!teller.vtep.equals(Optional.of(vtep))) {
            teller.vtep = Optional.of(vtep);
            teller.endpoints.values().forEach(own -> tell(member, own, vtep, changes));
        }
        dropReplaced(changes);
        return changes;
    }

    /** Whether what this member says next can be taken: it is known, and nothing it said before is missing. */
    boolean follows(UUID member, long revision) {
        return revision(member).filter(now -> now + 1 == revision).isPresent();
    }

    /** The revision of the member's set that is known here. */
    Optional<Long> revision(UUID member) {
        return Optional.ofNullable(tellers.get(member)).flatMap(teller -> teller.revision);
    }

    boolean knows(UUID member) {
        return tellers.containsKey(member);
    }

    /** All endpoints of the member's node, in place of those that it told before, or an earlier self of it. */
    List<PeerChange> everything(UUID member, long revision, List<Own> endpoints) {
        Teller teller = teller(member);
        teller.revision = Optional.of(revision);
        Map<Own.Id, Own> now = new LinkedHashMap<>();
        endpoints.forEach(own -> now.put(own.id(), own));
        List<PeerChange> changes = new ArrayList<>();
        tellers.forEach((self, told) -> {
            if (self.equals(member) || told.silent && teller.replaces(told) && told.node.equals(teller.node)) {
                // Before what is new is told, which may have the addresses of what is not any more.
                for (Own.Id id : List.copyOf(told.endpoints.keySet())) {
                    if (!now.containsKey(id)) {
                        told.endpoints.remove(id);
                        untell(self, id, changes);
                    }
                }
            }
        });
        now.values().forEach(own -> {
            teller.endpoints.put(own.id(), own);
            tell(member, own, teller.vtep.orElseThrow(), changes);
        });
        dropReplaced(changes);
        return changes;
    }

    List<PeerChange> announce(UUID member, long revision, Own own) {
        Teller teller = teller(member);
        teller.revision = Optional.of(revision);
        teller.endpoints.put(own.id(), own);
        List<PeerChange> changes = new ArrayList<>();
        tell(member, own, teller.vtep.orElseThrow(), changes);
        return changes;
    }

    List<PeerChange> withdraw(UUID member, long revision, Own.Id id) {
        Teller teller = teller(member);
        teller.revision = Optional.of(revision);
        List<PeerChange> changes = new ArrayList<>();
        if (teller.endpoints.remove(id) != null) {
            untell(member, id, changes);
        }
        return changes;
    }

    /** The member is out of view, and did not say good-bye: what it told stands for now. */
    List<PeerChange> silent(UUID member) {
        List<PeerChange> changes = new ArrayList<>();
        if (knows(member)) {
            teller(member).silent = true;
            dropReplaced(changes);
        }
        return changes;
    }

    /** The node at this address is no more, if it is silent; one that speaks speaks for itself. */
    List<PeerChange> lost(InetAddress vtep) {
        List<PeerChange> changes = new ArrayList<>();
        drop(teller -> teller.silent && teller.vtep.equals(Optional.of(vtep)), changes);
        return changes;
    }

    /** Nothing that anybody told is of use any more. */
    List<PeerChange> clear() {
        List<PeerChange> changes = new ArrayList<>();
        drop(_ -> true, changes);
        return changes;
    }

    private void dropReplaced(List<PeerChange> changes) {
        drop(old -> old.silent && tellers.values().stream().anyMatch(teller -> teller.replaces(old)), changes);
    }

    private void drop(Predicate<Teller> which, List<PeerChange> changes) {
        for (UUID member : List.copyOf(tellers.keySet())) {
            if (which.test(teller(member))) {
                changes.addAll(gone(member));
            }
        }
    }

    /** The member is no more: with it go its endpoints. */
    List<PeerChange> gone(UUID member) {
        Teller teller = tellers.remove(member);
        List<PeerChange> changes = new ArrayList<>();
        if (teller != null) {
            teller.endpoints.keySet().forEach(id -> untell(member, id, changes));
        }
        return changes;
    }

    /** Everything known. */
    List<Peer> peers() {
        return known.values().stream().map(Told::peer).toList();
    }

    /** What a node told, by whichever of its selves. */
    List<Own> toldBy(String node) {
        Map<Own.Id, Own> told = new LinkedHashMap<>();
        tellers.values().stream()
                .filter(teller -> teller.node.equals(node))
                .forEach(teller -> told.putAll(teller.endpoints));
        return List.copyOf(told.values());
    }

    /** How many endpoints the member told of. */
    int count(UUID member) {
        return knows(member) ? tellers.get(member).endpoints.size() : 0;
    }

    private Teller teller(UUID member) {
        return Objects.requireNonNull(tellers.get(member), "a member that has not introduced itself");
    }

    private void tell(UUID member, Own own, InetAddress vtep, List<PeerChange> changes) {
        Peer peer = new Peer(own.id().network(), own.id().endpoint(), own.address(), own.mac(), vtep);
        Told before = known.put(own.id(), new Told(member, peer));
        if (before != null && before.peer().equals(peer)) {
            return;
        }
        if (before != null) {
            changes.add(new Removed(before.peer()));
        }
        changes.add(new Added(peer));
    }

    private void untell(UUID member, Own.Id id, List<PeerChange> changes) {
        Told told = known.get(id);
        if (told == null || !told.by().equals(member)) {
            return;
        }
        known.remove(id);
        // The node's other self, if there is one, still tells of it.
        for (Map.Entry<UUID, Teller> other : tellers.entrySet()) {
            Own own = other.getValue().endpoints.get(id);
            if (own != null && !other.getKey().equals(member)) {
                Peer peer = new Peer(id.network(), id.endpoint(), own.address(), own.mac(),
                        other.getValue().vtep.orElseThrow());
                known.put(id, new Told(other.getKey(), peer));
                if (!peer.equals(told.peer())) {
                    changes.add(new Removed(told.peer()));
                    changes.add(new Added(peer));
                }
                return;
            }
        }
        changes.add(new Removed(told.peer()));
    }
}
