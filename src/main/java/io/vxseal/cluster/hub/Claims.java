package io.vxseal.cluster.hub;

import io.vxseal.address.MacAddress;
import io.vxseal.cluster.record.EndpointRecord;
import io.vxseal.cluster.record.NetworkRecord;
import io.vxseal.cluster.record.NodeRecord;
import io.vxseal.cluster.record.RefusedClaim;
import io.vxseal.cluster.record.RefusedClaim.Reason;
import io.vxseal.cluster.record.SubnetRecord;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableSet;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * Judgement of the nodes' claims. Each endpoint claims its address, its MAC address and its id in its network; the first claim
 * of each stands, and a later one waits until it ends. A node claims its VTEP; one that no hub has a session with gives it up to one that
 * is there.
 *
 * <p>Who was first follows from the times in the records, so all hubs that have the same records decide alike.
 *
 * <p>Pure, one thread.
 */
final class Claims {
    private final Map<String, NodeRecord> records = new HashMap<>();
    private final Map<String, Judged> judged = new HashMap<>();
    private final Map<Contended, NavigableSet<Claimant>> claimants = new HashMap<>();
    private final SubnetDefinitions definitions = new SubnetDefinitions();
    private Optional<InetAddress> self = Optional.empty();

    /**
     * A record as it was judged.
     *
     * @param effective the record without the claims that have no effect
     */
    record Judged(NodeRecord effective, List<RefusedClaim> refused) {}

    /** Value that one claimant at most can have. */
    private record Contended(Kind kind, String network, Object value) {}

    private enum Kind { VTEP, ENDPOINT, ADDRESS, MAC }

    /** Endpoint or node that claims it; the least has it. */
    private record Claimant(boolean silent, long since, String node, String endpoint) implements Comparable<Claimant> {
        @Override
        public int compareTo(Claimant other) {
            int order = Boolean.compare(silent, other.silent);
            order = order == 0 ? Long.compare(since, other.since) : order;
            order = order == 0 ? node.compareTo(other.node) : order;
            return order == 0 ? endpoint.compareTo(other.endpoint) : order;
        }
    }

    /** Sets this node's VTEP, which has the IP version that the others' must have. */
    Set<String> self(InetAddress vtep) {
        self = Optional.of(vtep);
        return judge(new HashSet<>(records.keySet()));
    }

    /**
     * Replaces a node's record.
     *
     * @return the nodes whose {@link #judged} record changed
     */
    Set<String> update(String node, Optional<NodeRecord> record) {
        NodeRecord before = record.isPresent() ? records.put(node, record.get()) : records.remove(node);
        if (Optional.ofNullable(before).equals(record)) {
            return Set.of();
        }
        Set<String> affected = new HashSet<>();
        affected.add(node);
        Map<Contended, Claimant> then = before == null ? Map.of() : claims(before);
        Map<Contended, Claimant> now = record.map(Claims::claims).orElse(Map.of());
        then.forEach((what, claimant) -> {
            if (!claimant.equals(now.get(what))) {
                NavigableSet<Claimant> all = claimants.getOrDefault(what, Collections.emptyNavigableSet());
                all.remove(claimant);
                affect(all, affected);
                if (all.isEmpty()) {
                    claimants.remove(what);
                }
            }
        });
        now.forEach((what, claimant) -> {
            if (!claimant.equals(then.get(what))) {
                NavigableSet<Claimant> all = claimants.computeIfAbsent(what, _ -> new TreeSet<>());
                affect(all, affected);
                all.add(claimant);
            }
        });
        Set<String> redefined = definitions.update(node, Optional.ofNullable(before), record);
        for (NodeRecord other : redefined.isEmpty() ? List.<NodeRecord>of() : records.values()) {
            if (other.networks().stream().anyMatch(network -> redefined.contains(network.id()))) {
                affected.add(other.node());
            }
        }
        return judge(affected);
    }

    /** Adds the node that has it: claimants after the first wait in either case. */
    private static void affect(NavigableSet<Claimant> all, Set<String> affected) {
        if (!all.isEmpty()) {
            affected.add(all.first().node());
        }
    }

    /** Returns the least claimant within one node, by what it claims. */
    private static Map<Contended, Claimant> claims(NodeRecord record) {
        Map<Contended, Claimant> claims = new LinkedHashMap<>();
        claims.put(vtep(record), new Claimant(record.silent(), record.vtepSince(), record.node(), ""));
        for (NetworkRecord network : record.networks()) {
            for (EndpointRecord endpoint : network.endpoints()) {
                Claimant claimant = claimant(record, endpoint);
                for (Contended what : contended(network, endpoint)) {
                    claims.merge(what, claimant, (a, b) -> a.compareTo(b) <= 0 ? a : b);
                }
            }
        }
        return claims;
    }

    private static Contended vtep(NodeRecord record) {
        return new Contended(Kind.VTEP, "", record.vtep());
    }

    private static List<Contended> contended(NetworkRecord network, EndpointRecord endpoint) {
        return List.of(
                new Contended(Kind.ENDPOINT, network.id(), endpoint.id()),
                new Contended(Kind.ADDRESS, network.id(), endpoint.address().address()),
                new Contended(Kind.MAC, network.id(), endpoint.mac()));
    }

    /** Returns the claim of an endpoint; a node that fell silent keeps what it has until its record ends. */
    private static Claimant claimant(NodeRecord record, EndpointRecord endpoint) {
        return new Claimant(false, endpoint.since(), record.node(), endpoint.id());
    }

    private Set<String> judge(Set<String> nodes) {
        Set<String> changed = new HashSet<>();
        for (String node : nodes) {
            NodeRecord record = records.get(node);
            Judged now = record == null ? null : judge(record);
            Judged before = now == null ? judged.remove(node) : judged.put(node, now);
            if (now == null ? before != null : !now.equals(before)) {
                changed.add(node);
            }
        }
        return changed;
    }

    private Judged judge(NodeRecord record) {
        Optional<Reason> bad = reason(record);
        if (bad.isPresent()) {
            return new Judged(record.with(List.of()), List.of(new RefusedClaim("", "", bad.get())));
        }
        List<RefusedClaim> refused = new ArrayList<>();
        List<NetworkRecord> networks = new ArrayList<>();
        for (NetworkRecord network : record.networks()) {
            List<EndpointRecord> effective = new ArrayList<>();
            for (EndpointRecord endpoint : network.endpoints()) {
                Optional<Reason> why = reason(record, network, endpoint);
                if (why.isPresent()) {
                    refused.add(new RefusedClaim(network.id(), endpoint.id(), why.get()));
                } else {
                    effective.add(endpoint);
                }
            }
            networks.add(effective.size() == network.endpoints().size() ? network : network.with(effective));
        }
        return new Judged(refused.isEmpty() ? record : record.with(networks), refused);
    }

    private Optional<Reason> reason(NodeRecord record) {
        InetAddress vtep = record.vtep();
        boolean loopback = vtep.isLoopbackAddress() && !self.map(InetAddress::isLoopbackAddress).orElse(false);
        if (vtep.isAnyLocalAddress() || vtep.isMulticastAddress() || isBroadcast(vtep) || loopback
                || self.filter(own -> own.getAddress().length != vtep.getAddress().length).isPresent()) {
            return Optional.of(Reason.BAD_VTEP);
        }
        return first(vtep(record)).node().equals(record.node()) ? Optional.empty() : Optional.of(Reason.VTEP_TAKEN);
    }

    /** Returns the claimant that has it; there must be one. */
    private Claimant first(Contended what) {
        return Objects.requireNonNull(claimants.get(what), "nobody claims it").first();
    }

    private static boolean isBroadcast(InetAddress address) {
        byte[] octets = address.getAddress();
        return octets.length == 4 && (octets[0] & 0xff) >= 240;
    }

    private Optional<Reason> reason(NodeRecord record, NetworkRecord network, EndpointRecord endpoint) {
        InetAddress address = endpoint.address().address();
        List<SubnetRecord> subnets = definitions.subnets(network);
        if (!subnets.isEmpty()) {
            if (subnets.stream().noneMatch(subnet -> subnet.pool().contains(address))) {
                return Optional.of(Reason.OUTSIDE_SUBNETS);
            }
            if (subnets.stream().noneMatch(subnet -> subnet.admits(address))) {
                return Optional.of(Reason.RESERVED_ADDRESS);
            }
        }
        if (!isHost(endpoint.mac())) {
            return Optional.of(Reason.BAD_MAC);
        }
        Claimant claimant = claimant(record, endpoint);
        for (Contended what : contended(network, endpoint)) {
            if (!first(what).equals(claimant)) {
                return Optional.of(switch (what.kind()) {
                    case ADDRESS, VTEP -> Reason.ADDRESS_TAKEN;
                    case MAC -> Reason.MAC_TAKEN;
                    case ENDPOINT -> Reason.ENDPOINT_TAKEN;
                });
            }
        }
        return Optional.empty();
    }

    private static boolean isHost(MacAddress mac) {
        return mac.bits() != 0 && (mac.octets()[0] & 1) == 0;
    }

    /** Returns a node's record as it was judged. */
    Optional<Judged> judged(String node) {
        return Optional.ofNullable(judged.get(node));
    }

    /** Returns whether another node, with which some hub has a session, has this node's VTEP. */
    boolean isReplaced(String node) {
        NodeRecord record = records.get(node);
        if (record == null || !record.silent()) {
            return false;
        }
        Claimant first = first(vtep(record));
        return !first.silent() && !first.node().equals(node);
    }

    /** Returns the latest admission time of what an endpoint claims and another has. */
    long latest(NetworkRecord network, EndpointRecord endpoint) {
        long latest = 0;
        for (Contended what : contended(network, endpoint)) {
            latest = Math.max(latest, latest(what));
        }
        return latest;
    }

    /** Returns the latest admission time of a VTEP. */
    long latest(InetAddress vtep) {
        return latest(new Contended(Kind.VTEP, "", vtep));
    }

    private long latest(Contended what) {
        NavigableSet<Claimant> all = claimants.get(what);
        return all == null ? 0 : all.stream().mapToLong(Claimant::since).max().orElse(0);
    }

    /** Returns the claims that have no effect, by node; nodes without such are not in it. */
    SortedMap<String, List<RefusedClaim>> refused() {
        SortedMap<String, List<RefusedClaim>> byNode = new TreeMap<>();
        judged.forEach((node, each) -> {
            if (!each.refused().isEmpty()) {
                byNode.put(node, each.refused());
            }
        });
        return byNode;
    }
}
