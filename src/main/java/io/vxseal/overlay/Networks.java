package io.vxseal.overlay;

import io.vxseal.cluster.Cluster;
import io.vxseal.cluster.record.SubnetRecord;
import io.vxseal.kernel.firewall.Segment;
import io.vxseal.kernel.libc.KernelException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * The networks that this node knows, and the VNIs that it allocates as the swarm's leading manager. The cluster learns which networks these
 * are, and what their subnets are.
 */
final class Networks {
    private final StateStore store;
    private final Cluster cluster;
    private final Map<String, Attachment> byId = new HashMap<>();
    private VniAllocator vnis = new VniAllocator(Map.of(), 0);

    Networks(StateStore store, Cluster cluster) {
        this.store = store;
        this.cluster = cluster;
    }

    /** Takes over networks and VNIs from a state file, without writing them. */
    void restore(StateStore.Persistent recovered) {
        vnis = new VniAllocator(recovered.vnis(), recovered.nextVni());
        for (Network network : recovered.networks()) {
            byId.put(network.id(), new Attachment(network));
            cluster.subscribe(network.id(), records(network));
        }
    }

    /** Returns all networks. */
    Collection<Attachment> all() {
        return byId.values();
    }

    /** Returns a network, if it is known. */
    Optional<Attachment> find(String id) {
        return Optional.ofNullable(byId.get(id));
    }

    /**
     * Returns a network.
     *
     * @throws DriverException if it is not known
     */
    Attachment get(String id) throws DriverException {
        return find(id).orElseThrow(() -> DriverException.invalid("NetworkID", id, "no such network on this node"));
    }

    /** Returns whether an encrypted network is known that may have a VXLAN device here. */
    boolean needProtection() {
        return byId.values().stream().anyMatch(Attachment::needsProtection);
    }

    /**
     * Returns the segments of the networks that are up, encrypted or not.
     *
     * @param port UDP port of VXLAN
     */
    Set<Segment> segmentsUp(int port) {
        Set<Segment> up = new HashSet<>();
        byId.values().stream().filter(attachment -> attachment.isUp() && !attachment.incomplete)
                .forEach(attachment -> up.addAll(attachment.network.segments(port)));
        return up;
    }

    /** Adds a network, with what is known of its endpoints on other nodes. */
    void add(Network network) throws DriverException {
        Attachment created = new Attachment(network);
        byId.put(network.id(), created);
        cluster.subscribe(network.id(), records(network));
        cluster.peers(network.id()).forEach(created.peers::add);
        try {
            save();
        } catch (DriverException failure) {
            byId.remove(network.id());
            cluster.unsubscribe(network.id());
            throw failure;
        }
    }

    /** Removes a network. */
    void remove(String id) throws DriverException {
        byId.remove(id);
        cluster.unsubscribe(id);
        save();
    }

    /**
     * Returns the known networks that a definition of the swarm makes obsolete: the one with the same id, and those with one of its
     * VNIs. This node may have been away when they were removed.
     *
     * @throws DriverException if a container here is on one of them
     */
    List<Attachment> replacedBy(Network network) throws DriverException {
        List<Attachment> replaced = new ArrayList<>();
        Attachment known = byId.get(network.id());
        if (known != null) {
            refuseIfInUse(known, "network %s is in use here with another definition: stop its containers first".formatted(network.id()));
            replaced.add(known);
        }
        for (Subnet subnet : network.subnets()) {
            Optional<Attachment> owner = withVni(subnet.vni()).filter(other -> other != known);
            if (owner.isPresent()) {
                refuseIfInUse(owner.get(), "VNI %d (option %s) is used by network %s, which has containers here: stop them first"
                        .formatted(subnet.vni(), NetworkOptions.VXLANID_LIST, owner.get().id()));
                replaced.add(owner.get());
            }
        }
        return replaced;
    }

    private static void refuseIfInUse(Attachment attachment, String why) throws DriverException {
        try {
            if (attachment.isInUse()) {
                throw DriverException.conflict(why);
            }
        } catch (KernelException failure) {
            throw DriverException.system("could not look for containers on network " + attachment.id(), failure);
        }
    }

    /** Begins a term of this node as the swarm's leader. */
    void beginTerm() {
        vnis.beginTerm();
    }

    /**
     * Allocates the VNIs of a network.
     *
     * @return all options, with the list of VNIs
     */
    Map<String, String> allocate(String id, Map<String, String> options, List<Network.Pool> pools) throws DriverException {
        NetworkOptions read = NetworkOptions.of(options);
        Network.check(pools);
        VniAllocator before = vnis;
        vnis = vnis.copy();
        try {
            List<Integer> allocated = vnis.allocate(id, read.vnis(), pools.size(), vni -> withVni(vni).isPresent());
            save();
            cluster.define(id, pools.stream().map(pool -> new SubnetRecord(pool.pool(), pool.gateway().address())).toList());
            Map<String, String> all = new HashMap<>(options);
            all.put(NetworkOptions.VXLANID_LIST, NetworkOptions.print(allocated));
            return all;
        } catch (DriverException failure) {
            vnis = before;
            throw failure;
        }
    }

    /** Frees the VNIs of a network. */
    void free(String id) throws DriverException {
        vnis.free(id);
        cluster.undefine(id);
        save();
    }

    private static List<SubnetRecord> records(Network network) {
        return network.subnets().stream().map(subnet -> new SubnetRecord(subnet.pool(), subnet.gateway().address())).toList();
    }

    /** Writes the endpoints of all networks. */
    void saveEndpoints() throws DriverException {
        List<Endpoint> endpoints = new ArrayList<>();
        byId.values().forEach(attachment -> endpoints.addAll(attachment.endpoints.values()));
        store.saveEndpoints(endpoints);
    }

    private void save() throws DriverException {
        store.saveNetworks(byId.values().stream().map(attachment -> attachment.network).toList(), vnis);
    }

    private Optional<Attachment> withVni(int vni) {
        return byId.values().stream()
                .filter(attachment -> attachment.network.subnets().stream().anyMatch(subnet -> subnet.vni() == vni))
                .findFirst();
    }
}
