package io.vxseal.cluster.node;

import io.vxseal.cluster.PeerChange;
import io.vxseal.cluster.PeerChange.Added;
import io.vxseal.cluster.PeerChange.Removed;
import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.record.EndpointRecord;
import io.vxseal.cluster.record.HubView;
import io.vxseal.cluster.record.HubView.Retention;
import io.vxseal.cluster.record.NetworkRecord;
import io.vxseal.cluster.record.NodeRecord;
import io.vxseal.cluster.record.RecordMark;
import io.vxseal.cluster.record.SubnetRecord;
import io.vxseal.peers.Peer;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * The endpoints of other nodes, from the records that hubs send. A node's record is valid while one hub has it. What a hub sent outlives its
 * session: without any end while no hub is reached, because then nothing new starts and what runs goes on; for some time after that.
 *
 * <p>Pure, one thread. Methods return the changes for the listener, removals first.
 */
final class Directory {
    private final Retention retention;
    private final Map<String, HubView> hubs = new HashMap<>();
    private final Map<String, NodeRecord> chosen = new HashMap<>();
    private final Map<Place, TreeSet<Claim>> claims = new HashMap<>();
    private final Map<Place, Peer> known = new LinkedHashMap<>();
    private final Map<String, List<SubnetRecord>> networks = new HashMap<>();
    /** Claims that contradict this node's engine's definition of the network. */
    private final Set<Claim> refused = new HashSet<>();
    private String self = "";
    /** Since when some hub is reached that has sent all its records. */
    private Optional<Long> reached = Optional.empty();

    private record Place(String network, InetAddress address) {}

    /** The earliest has effect. Hubs see to it that there is one; two hubs may differ for a moment. */
    private record Claim(long since, String node, Peer peer) implements Comparable<Claim> {
        @Override
        public int compareTo(Claim other) {
            int order = Long.compare(since, other.since);
            order = order == 0 ? node.compareTo(other.node) : order;
            order = order == 0 ? peer.endpoint().compareTo(other.peer.endpoint()) : order;
            return order == 0 ? peer.toString().compareTo(other.peer.toString()) : order;
        }
    }

    Directory(Retention retention) {
        this.retention = retention;
    }

    /** Sets this node's id; what hubs send about it is ignored. */
    void self(String node) {
        self = node;
    }

    /** Adds a network as this node's engine defines it, or replaces it. */
    List<PeerChange> subscribe(String network, List<SubnetRecord> subnets) {
        List<SubnetRecord> before = networks.put(network, subnets);
        return subnets.equals(before) ? List.of() : reconsider(network);
    }

    /** Removes a network. */
    List<PeerChange> unsubscribe(String network) {
        return networks.remove(network) == null ? List.of() : reconsider(network);
    }

    private List<PeerChange> reconsider(String network) {
        Set<Place> affected = new LinkedHashSet<>();
        for (NodeRecord record : List.copyOf(chosen.values())) {
            if (record.networks().stream().anyMatch(each -> each.id().equals(network))) {
                affected.addAll(replace(record, record));
            }
        }
        return changes(affected);
    }

    /**
     * A session with a hub began.
     *
     * @param ready since when that process has known what other hubs know
     */
    List<PeerChange> opened(String hub, long process, long ready) {
        HubView view = hubs.computeIfAbsent(hub, _ -> new HubView(retention));
        view.opened(process, ready);
        return choose(view.nodes());
    }

    /** Takes the records of other nodes that a hub sent. */
    List<PeerChange> received(String hub, Message.Records records, long now) {
        HubView view = hubs.get(hub);
        if (view == null) {
            return List.of();
        }
        List<NodeRecord> shared = new ArrayList<>();
        for (NodeRecord record : records.records()) {
            shared.add(share(record));
        }
        Set<String> changed = view.receive(shared, records.gone(), records.complete());
        shared.forEach(record -> hubs.values().forEach(each -> each.forgetOutdated(record)));
        if (view.isComplete() && reached.isEmpty()) {
            reached = Optional.of(now);
        }
        return choose(changed);
    }

    /** Several hubs send the same record: it is kept once. */
    private NodeRecord share(NodeRecord record) {
        NodeRecord same = chosen.getOrDefault(record.node(), record);
        return record.equals(same) ? same : record;
    }

    /** Ends the session with a hub. */
    List<PeerChange> closed(String hub, long now) {
        HubView view = hubs.get(hub);
        if (view == null) {
            return List.of();
        }
        view.closed(now);
        if (hubs.values().stream().noneMatch(HubView::isComplete)) {
            reached = Optional.empty();
        }
        return choose(view.nodes());
    }

    /** Forgets what hubs sent that are not reached, once its time has passed and another hub is reached. */
    List<PeerChange> expire(long now) {
        if (reached.isEmpty()) {
            return List.of();
        }
        Set<String> changed = new HashSet<>();
        HubView own = hubs.get(self);
        for (Map.Entry<String, HubView> each : hubs.entrySet()) {
            HubView view = each.getValue();
            if (!view.isStale()) {
                continue;
            }
            // This process's own hub has received records from the others, and they have sessions with its nodes if it is no hub any more.
            boolean isOwn = own != null && own.isComplete() || each.getKey().equals(self);
            changed.addAll(view.expire(now, reached.get(),
                    closed -> isOwn || hubs.values().stream().anyMatch(other -> other.isWitness(closed))));
        }
        hubs.values().removeIf(view -> !view.isConnected() && view.isEmpty());
        return choose(changed);
    }

    /** Forgets the node at this address, which the engine calls lost, unless a hub has its record. */
    List<PeerChange> lost(InetAddress vtep) {
        Set<String> changed = new HashSet<>();
        for (HubView view : hubs.values()) {
            for (String node : view.nodes()) {
                if (view.stale(node).filter(record -> record.vtep().equals(vtep)).isPresent() && view.forgetStale(node)) {
                    changed.add(node);
                }
            }
        }
        return choose(changed);
    }

    /** Forgets everything. */
    List<PeerChange> clear() {
        Set<String> nodes = new HashSet<>(chosen.keySet());
        hubs.clear();
        reached = Optional.empty();
        return choose(nodes);
    }

    private List<PeerChange> choose(Set<String> nodes) {
        Set<Place> affected = new LinkedHashSet<>();
        for (String node : nodes) {
            NodeRecord now = node.equals(self) ? null : choose(node).orElse(null);
            NodeRecord before = now == null ? chosen.remove(node) : chosen.put(node, now);
            if (!Objects.equals(now, before)) {
                affected.addAll(replace(before, now));
            }
        }
        return changes(affected);
    }

    private Optional<NodeRecord> choose(String node) {
        List<NodeRecord> live = new ArrayList<>();
        List<NodeRecord> stale = new ArrayList<>();
        for (HubView view : hubs.values()) {
            view.current(node).ifPresent(live::add);
            view.stale(node).ifPresent(stale::add);
        }
        return NodeRecord.choose(live, stale);
    }

    private Set<Place> replace(@Nullable NodeRecord before, @Nullable NodeRecord after) {
        Set<Place> affected = new LinkedHashSet<>();
        each(before, (place, claim) -> {
            claims.computeIfPresent(place, (_, all) -> {
                all.remove(claim);
                return all.isEmpty() ? null : all;
            });
            refused.remove(claim);
            affected.add(place);
        });
        each(after, (place, claim) -> {
            if (isRefused(place)) {
                refused.add(claim);
            } else if (networks.containsKey(place.network())) {
                claims.computeIfAbsent(place, _ -> new TreeSet<>()).add(claim);
                affected.add(place);
            }
        });
        return affected;
    }

    private interface Visitor {
        void visit(Place place, Claim claim);
    }

    private static void each(@Nullable NodeRecord record, Visitor visitor) {
        if (record == null) {
            return;
        }
        for (NetworkRecord network : record.networks()) {
            for (EndpointRecord endpoint : network.endpoints()) {
                Peer peer = new Peer(network.id(), endpoint.id(), endpoint.address(), endpoint.mac(), record.vtep());
                visitor.visit(new Place(network.id(), endpoint.address().address()), new Claim(endpoint.since(), record.node(), peer));
            }
        }
    }

    private boolean isRefused(Place place) {
        List<SubnetRecord> subnets = networks.getOrDefault(place.network(), List.of());
        return !subnets.isEmpty() && subnets.stream().noneMatch(subnet -> subnet.admits(place.address()));
    }

    private List<PeerChange> changes(Set<Place> places) {
        List<PeerChange> removed = new ArrayList<>();
        List<PeerChange> added = new ArrayList<>();
        for (Place place : places) {
            TreeSet<Claim> all = claims.get(place);
            Peer now = all == null ? null : all.first().peer();
            Peer before = known.get(place);
            if (Objects.equals(now, before)) {
                continue;
            }
            if (before != null) {
                known.remove(place);
                removed.add(new Removed(before));
            }
            if (now != null) {
                known.put(place, now);
                added.add(new Added(now));
            }
        }
        removed.addAll(added);
        return removed;
    }

    /** Returns the records that hubs sent before their sessions broke, and that no hub has sent since. */
    List<RecordMark> held() {
        SortedMap<String, RecordMark> held = new TreeMap<>();
        for (HubView view : hubs.values()) {
            for (String node : view.isStale() ? view.nodes() : Set.<String>of()) {
                NodeRecord record = chosen.get(node);
                if (record != null && hubs.values().stream().allMatch(each -> each.current(node).isEmpty())) {
                    held.put(node, RecordMark.of(record));
                }
            }
        }
        return held.values().stream().limit(Message.Subscribe.MOST_HELD).toList();
    }

    /** Returns the endpoints that have effect. */
    Collection<Peer> peers() {
        return List.copyOf(known.values());
    }

    /** Returns the records of the nodes that are known, as hubs sent them. */
    Collection<NodeRecord> nodes() {
        return List.copyOf(chosen.values());
    }

    /** Returns what is known of one node's networks. */
    List<NetworkRecord> networks(String node) {
        NodeRecord record = chosen.get(node);
        return record == null ? List.of() : record.networks();
    }

    /** Returns how many claims contradict this node's engine. */
    int refused() {
        return refused.size();
    }

    /** Returns whether some hub is reached that has sent all its records. */
    boolean isReached() {
        return reached.isPresent();
    }
}
