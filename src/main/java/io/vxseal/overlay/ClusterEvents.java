package io.vxseal.overlay;

import io.vxseal.address.MacAddress;
import io.vxseal.address.NodeAddresses;
import io.vxseal.cluster.Cluster;
import io.vxseal.cluster.ClusterListener;
import io.vxseal.cluster.PeerChange;
import io.vxseal.encryption.KeyRing;
import io.vxseal.journal.Event;
import io.vxseal.journal.Journal;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.peers.Peer;
import io.vxseal.peers.PeerDatabase;
import java.io.IOException;
import java.net.InetAddress;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Handler of announcements by other nodes: their endpoints, the keys, and what they know of this node's endpoints. */
final class ClusterEvents implements ClusterListener {
    private static final Logger log = LoggerFactory.getLogger(ClusterEvents.class);

    private final Networks networks;
    private final DataPath dataPath;
    private final LocalNode local;
    private final Rekeying rekeying;
    private final Cluster cluster;
    private final ServiceAddresses services;
    private final RepairLog repairs;
    private final Journal journal;

    ClusterEvents(
            Networks networks,
            DataPath dataPath,
            LocalNode local,
            Rekeying rekeying,
            Cluster cluster,
            ServiceAddresses services,
            RepairLog repairs,
            Journal journal) {
        this.networks = networks;
        this.dataPath = dataPath;
        this.local = local;
        this.rekeying = rekeying;
        this.cluster = cluster;
        this.services = services;
        this.repairs = repairs;
        this.journal = journal;
    }

    /** Programs the states of new nodes before the entries that let packets out to them, and removes them in the other order. */
    @Override
    public void peersChanged(List<PeerChange> changes) {
        Set<InetAddress> before = dataPath.sealedNodes();
        Map<Attachment, Map<InetAddress, PeerDatabase.Change>> changed = new HashMap<>();
        for (PeerChange change : changes) {
            Peer peer = change.peer();
            networks.find(peer.network()).ifPresent(attachment -> {
                PeerDatabase.Change made = change instanceof PeerChange.Added
                        ? attachment.peers.add(peer)
                        : attachment.peers.remove(peer);
                changed.computeIfAbsent(attachment, _ -> new LinkedHashMap<>())
                        .merge(peer.address().address(), made, PeerDatabase.Change::then);
            });
        }
        record(changes);
        Set<InetAddress> after = dataPath.sealedNodes();
        Set<InetAddress> both = new HashSet<>(before);
        both.addAll(after);
        if (both.size() > before.size()) {
            repairs.tryOnce("program IPsec for new nodes", () -> dataPath.seal(both));
        }
        changed.forEach((attachment, made) -> repairs.tryOnce(
                "update the entries of network " + attachment.id(), () -> dataPath.apply(attachment, made.values())));
        if (both.size() > after.size()) {
            repairs.tryOnce("remove the IPsec states of nodes that are gone", () -> dataPath.seal(after));
        }
    }

    /** Adds an event for each network to the journal, however many endpoints came or went. */
    private void record(List<PeerChange> changes) {
        Map<String, List<PeerChange>> byNetwork = changes.stream()
                .filter(change -> networks.find(change.peer().network()).isPresent())
                .collect(Collectors.groupingBy(change -> change.peer().network(), TreeMap::new, Collectors.toList()));
        byNetwork.forEach((network, made) -> {
            long came = made.stream().filter(PeerChange.Added.class::isInstance).count();
            String nodes = made.stream().map(change -> change.peer().vtep().getHostAddress()).distinct().sorted()
                    .collect(Collectors.joining(", "));
            journal.add(Event.Kind.PEERS, network, "network %s: %d endpoints came and %d went, on %s"
                    .formatted(network, came, made.size() - came, nodes));
        });
    }

    /**
     * Recovers the endpoints that others know of this node and whose link is there. A hostile node may have named some: of those with the
     * same link the first one counts whose MAC the kernel has behind that link.
     */
    @Override
    public void recalled(List<Peer> own) {
        try {
            int recovered = 0;
            Map<Attachment, Map<String, Set<MacAddress>>> unknown = new HashMap<>();
            for (Peer peer : own) {
                Optional<Attachment> attachment = networks.find(peer.network()).filter(Attachment::isUp);
                if (attachment.isEmpty() || local.addresses().isEmpty()) {
                    continue;
                }
                Map<String, Set<MacAddress>> links = unknown.get(attachment.get());
                if (links == null) {
                    links = unknownLinks(attachment.get());
                    unknown.put(attachment.get(), links);
                }
                if (isBehindOne(links, peer) && attachment.get().network.subnetOf(peer.address().address()).isPresent()) {
                    recover(attachment.get(), peer, local.addresses().get());
                    links.remove(NetworkNamespace.linkName(peer.endpoint()));
                    recovered++;
                }
            }
            networks.saveEndpoints();
            log.info("recovered {} endpoints of this node from what other nodes know", recovered);
        } catch (IOException | DriverException failure) {
            log.error("could not recover this node's endpoints from what other nodes know: {}", failure.getMessage());
        }
    }

    /** Returns the links of containers that no endpoint is known of, with the MACs behind them. */
    private static Map<String, Set<MacAddress>> unknownLinks(Attachment attachment) throws KernelException {
        Map<String, Set<MacAddress>> links = attachment.namespace.get().containerLinks();
        attachment.endpoints.keySet().forEach(endpoint -> links.remove(NetworkNamespace.linkName(endpoint)));
        return links;
    }

    /** Returns whether a peer has a link. Links that version 0.1.0 made have no static entry. */
    private static boolean isBehindOne(Map<String, Set<MacAddress>> links, Peer peer) {
        Set<MacAddress> behind = links.get(NetworkNamespace.linkName(peer.endpoint()));
        return behind != null && (behind.isEmpty() || behind.contains(peer.mac()));
    }

    private void recover(Attachment attachment, Peer peer, NodeAddresses addresses) throws KernelException {
        Endpoint endpoint = new Endpoint(peer.endpoint(), peer.network(), peer.address(), peer.mac(), true);
        attachment.endpoints.put(endpoint.id(), endpoint);
        services.recover(List.of(endpoint)).forEach(located -> attachment.endpoints.put(located.id(), located));
        Peer own = endpoint.asPeer(addresses.advertise());
        dataPath.apply(attachment, attachment.peers.add(own));
        cluster.announce(own);
    }

    @Override
    public void ring(KeyRing now) {
        try {
            rekeying.change(now);
            log.info("{} keys in force", now.keys().size());
        } catch (KernelException failure) {
            log.error("could not program the new keys for all nodes, retrying: {}", failure.getMessage());
        }
    }
}
