package io.vxseal.cluster.node;

import io.vxseal.cluster.record.EndpointRecord;
import io.vxseal.cluster.record.NetworkRecord;
import io.vxseal.cluster.record.NodeRecord;
import io.vxseal.cluster.record.RefusedClaim;
import io.vxseal.cluster.record.SubnetRecord;
import io.vxseal.peers.Peer;
import io.vxseal.swarm.NodeName;
import java.net.InetAddress;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.random.RandomGenerator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * This node's record: its endpoints, networks and address, and the version by which hubs distinguish the newer from the older.
 *
 * <p>Pure, one thread. Methods that change it return whether there is something new to announce.
 */
final class OwnRecord {
    private static final Logger LOG = LoggerFactory.getLogger(OwnRecord.class);

    /** Bits of an incarnation below the milliseconds; random, so that two processes have different ones. */
    private static final int RANDOM_BITS = 16;
    private static final int MOST_LOGGED = 10;

    private final Map<String, Map<String, EndpointRecord>> endpoints = new LinkedHashMap<>();
    private final Map<String, List<SubnetRecord>> networks = new LinkedHashMap<>();
    private final Map<String, List<SubnetRecord>> allocated = new LinkedHashMap<>();
    private Optional<NodeName> self = Optional.empty();
    private Optional<InetAddress> vtep = Optional.empty();
    private final RandomGenerator random;
    private long incarnation;
    private long revision = 1;
    private boolean away;
    /** Claims without effect, as a hub sent them last. */
    private List<RefusedClaim> refused = List.of();

    private OwnRecord(long incarnation, RandomGenerator random) {
        this.incarnation = incarnation;
        this.random = random;
    }

    /** Returns an empty record whose incarnation is later than that of the node's process before, unless the clock was set back. */
    static OwnRecord ofNewProcess(Instant now, RandomGenerator random) {
        return new OwnRecord((Math.max(1, now.toEpochMilli()) << RANDOM_BITS) + random.nextInt(1 << RANDOM_BITS), random);
    }

    /** Sets this node's name. */
    void self(NodeName name) {
        if (self.filter(before -> !before.node().equals(name.node()) || before.role() != name.role()).isPresent()) {
            revision++;
        }
        self = Optional.of(name);
    }

    /** Sets this node's address for VXLAN. */
    boolean vtep(InetAddress address) {
        boolean changed = !vtep.equals(Optional.of(address));
        vtep = Optional.of(address);
        return revise(changed);
    }

    /** Adds a network that is up on this node, or replaces it. */
    boolean addNetwork(String network, List<SubnetRecord> subnets) {
        return revise(!subnets.equals(networks.put(network, subnets)));
    }

    /** Removes a network. */
    boolean removeNetwork(String network) {
        return revise(networks.remove(network) != null);
    }

    /** Adds a network as the engine defined it for the swarm, or replaces it. */
    boolean define(String network, List<SubnetRecord> subnets) {
        return revise(!subnets.equals(allocated.put(network, subnets)));
    }

    /** Removes such a definition. */
    boolean undefine(String network) {
        return revise(allocated.remove(network) != null);
    }

    /** Adds an endpoint, or replaces it. */
    boolean addEndpoint(Peer peer) {
        EndpointRecord endpoint = new EndpointRecord(peer.endpoint(), peer.address(), peer.mac(), 0);
        return revise(!endpoint.equals(endpoints.computeIfAbsent(peer.network(), _ -> new LinkedHashMap<>()).put(endpoint.id(), endpoint)));
    }

    /** Removes an endpoint. */
    boolean removeEndpoint(String network, String endpoint) {
        Map<String, EndpointRecord> there = endpoints.get(network);
        if (there == null || there.remove(endpoint) == null) {
            return false;
        }
        if (there.isEmpty()) {
            endpoints.remove(network);
        }
        return revise(true);
    }

    /** Marks that this process ends and may be back. */
    void away() {
        away = true;
        revise();
    }

    /** Makes this a later version. */
    void revise() {
        revision++;
    }

    private boolean revise(boolean changed) {
        if (changed) {
            revise();
        }
        return changed;
    }

    /**
     * Makes this newer than a record of the same node that counts as the newer one: by a process before this one whose clock was ahead.
     *
     * @return whether that was needed
     */
    boolean outdo(long known) {
        if (known <= incarnation || known > NodeRecord.GREATEST - (1 << RANDOM_BITS)) {
            return false;
        }
        // The process after this one may outdo the same record, if it meets no hub that has met this one.
        incarnation = known + 1 + random.nextInt(1 << RANDOM_BITS);
        revise();
        return true;
    }

    /** Returns whether a hub that has this version has the present record. */
    boolean isKnown(long knownIncarnation, long knownRevision) {
        return knownIncarnation == incarnation && knownRevision >= revision;
    }

    /** Returns whether it is known which node this is, and where. */
    boolean isComplete() {
        return self.isPresent() && vtep.isPresent();
    }

    /** Returns the record; empty before it is complete. */
    Optional<NodeRecord> record() {
        if (self.isEmpty() || vtep.isEmpty()) {
            return Optional.empty();
        }
        List<NetworkRecord> all = new ArrayList<>();
        Set<String> ids = new HashSet<>(endpoints.keySet());
        ids.addAll(networks.keySet());
        ids.addAll(allocated.keySet());
        for (String id : ids) {
            List<SubnetRecord> subnets = networks.getOrDefault(id, allocated.getOrDefault(id, List.of()));
            all.add(new NetworkRecord(id, subnets, List.copyOf(endpoints.getOrDefault(id, Map.of()).values())));
        }
        try {
            return Optional.of(new NodeRecord(
                    self.get().node(), self.get().role(), incarnation, revision, vtep.get(), 0, away, false, false, all));
        } catch (IllegalArgumentException e) {
            LOG.error("this node's endpoints are not announced: {}", e.getMessage());
            return Optional.empty();
        }
    }

    /** Takes the claims that have no effect, as a hub sends them, and logs them. */
    void refused(List<RefusedClaim> claims) {
        if (!claims.equals(refused)) {
            refused = claims;
            claims.stream().limit(MOST_LOGGED).forEach(claim -> LOG.warn("{} has no effect in the cluster: {}",
                    claim.endpoint().isEmpty() ? "this node's record" : "endpoint " + claim.endpoint() + " of network " + claim.network(),
                    claim.reason()));
        }
    }

    List<RefusedClaim> refused() {
        return refused;
    }

    /** Returns endpoints as this node's. */
    List<Peer> peers(List<NetworkRecord> some) {
        List<Peer> peers = new ArrayList<>();
        for (NetworkRecord network : vtep.isPresent() ? some : List.<NetworkRecord>of()) {
            for (EndpointRecord endpoint : network.endpoints()) {
                peers.add(new Peer(network.id(), endpoint.id(), endpoint.address(), endpoint.mac(), vtep.get()));
            }
        }
        return peers;
    }

    long incarnation() {
        return incarnation;
    }

    long revision() {
        return revision;
    }

    /** Returns the networks that are up on this node. */
    Set<String> networks() {
        return networks.keySet();
    }

    /** Returns the number of endpoints. */
    int endpoints() {
        return endpoints.values().stream().mapToInt(Map::size).sum();
    }
}
