package io.vxseal.overlay;

import io.vxseal.encryption.Encryption;
import io.vxseal.journal.Event;
import io.vxseal.journal.Journal;
import io.vxseal.kernel.firewall.Drops;
import io.vxseal.kernel.firewall.Segment;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.peers.Peer;
import io.vxseal.peers.PeerDatabase;
import java.io.IOException;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * State of the networks in the kernel: a namespace each, with entries for its peers, protection of the encrypted ones, and IPsec
 * states and policies for the nodes that these reach.
 */
final class DataPath {
    private final Host host;
    private final Encryption encryption;
    private final Protection protection;
    private final Networks networks;
    private final LocalNode local;
    private final ServiceAddresses services;
    private final Journal journal;

    /** Nodes that a previous process exchanged sealed packets with. They stay until this process has had time to receive their records. */
    private Set<InetAddress> lingering = Set.of();

    private boolean expectsPeers;

    /** What networks that are no longer up dropped. */
    private Drops earlierDrops = Drops.NONE;

    DataPath(
            Host host,
            Encryption encryption,
            Protection protection,
            Networks networks,
            LocalNode local,
            ServiceAddresses services,
            Journal journal) {
        this.host = host;
        this.encryption = encryption;
        this.protection = protection;
        this.networks = networks;
        this.local = local;
        this.services = services;
        this.journal = journal;
    }

    /**
     * Creates what a network needs in the kernel. Rules and block policy are in force before the first link of an encrypted network
     * comes up.
     *
     * @param vtep this node's address for VXLAN
     * @param rollback gets the inverse
     */
    void bringUp(Attachment attachment, InetAddress vtep, Rollback rollback) throws IOException, DriverException {
        Network network = attachment.network;
        rollback.add(() -> takeDown(attachment));
        if (network.encrypted()) {
            protection.raise(network.segments(host.port()));
        }
        NetworkNamespace namespace = NetworkNamespace.create(network, host);
        // Known from now on, so that a repair removes what a failed rollback leaves.
        attachment.namespace = Optional.of(namespace);
        namespace.build(vtep);
        seal();
        namespace.entries().add(attachment.peers.walk());
        services.up(attachment);
        journal.add(Event.Kind.NETWORK_UP, network.id(),
                "%s network %s is up".formatted(network.encrypted() ? "encrypted" : "plain", network.id()));
    }

    /**
     * Removes what a network has in the kernel, its devices first. If one of them cannot be removed the network counts as up, and stays
     * protected until a repair removes it.
     */
    void takeDown(Attachment attachment) throws IOException, DriverException {
        if (attachment.isUp()) {
            attachment.incomplete = true;
            services.down(attachment);
            boolean moved = attachment.namespace.get().lacksDevice();
            attachment.namespace.get().delete();
            if (moved && attachment.network.encrypted()) {
                protection.keepIfOutOfReach(attachment.network.segments(host.port()));
            }
            earlierDrops = earlierDrops.plus(attachment.namespace.get().drops());
            attachment.namespace = Optional.empty();
            attachment.incomplete = false;
            journal.add(Event.Kind.NETWORK_DOWN, attachment.id(), "network %s is down".formatted(attachment.id()));
        }
        seal();
        if (attachment.network.encrypted()) {
            protection.lower(attachment.network.segments(host.port()), protectedSegments());
        }
    }

    /**
     * Removes what a network has in the kernel if no container here is on it.
     *
     * @return whether it was removed
     */
    boolean takeDownIfUnused(Attachment attachment) throws IOException, DriverException {
        if (attachment.isInUse()) {
            return false;
        }
        takeDown(attachment);
        return true;
    }

    /** Returns which frames the networks' own namespaces dropped because they had not been sealed, as of the last repair. */
    Drops drops() {
        return networks.all().stream()
                .flatMap(attachment -> attachment.namespace.stream())
                .map(NetworkNamespace::drops)
                .reduce(earlierDrops, Drops::plus);
    }

    /** Returns the segments of all encrypted networks that may have a VXLAN device here. */
    Set<Segment> protectedSegments() {
        Set<Segment> segments = new HashSet<>();
        networks.all().stream()
                .filter(Attachment::needsProtection)
                .forEach(attachment -> segments.addAll(attachment.network.segments(host.port())));
        return segments;
    }

    /** Returns the segments of all networks that are up, encrypted or not. */
    Set<Segment> segmentsUp() {
        return networks.segmentsUp(host.port());
    }

    /** Programs states and policies for the nodes that the encrypted networks here reach. */
    void seal() throws DriverException {
        seal(sealedNodes());
    }

    /** Programs states and policies for these nodes and removes those of all others. */
    void seal(Set<InetAddress> nodes) throws DriverException {
        try {
            encryption.nodes(nodes, protection.blocksUnexplained() || networks.needProtection());
        } catch (KernelException failure) {
            throw DriverException.system("could not program IPsec", failure);
        }
    }

    /** Returns the nodes that the encrypted networks here reach, and those that linger. */
    Set<InetAddress> sealedNodes() {
        Set<InetAddress> nodes = new HashSet<>(lingering);
        for (Attachment attachment : networks.all()) {
            if (attachment.needsProtection()) {
                nodes.addAll(attachment.peers.vteps());
            }
        }
        local.addresses().ifPresent(own -> nodes.removeAll(List.of(own.advertise(), own.bind())));
        nodes.removeIf(node -> !local.isOfSameVersion(node));
        return nodes;
    }

    /**
     * Expects peers that a previous process knew to be announced to this one again. Their entries stay meanwhile.
     *
     * @param nodes that the previous process exchanged sealed packets with
     */
    void expectPeers(Set<InetAddress> nodes) {
        lingering = nodes;
        expectsPeers = true;
        services.expectPeers(true);
    }

    /** Returns whether peers that a previous process knew may still be announced. */
    boolean expectsPeers() {
        return expectsPeers;
    }

    /** Forgets the nodes of a previous process that this one has received no record of. */
    void forgetLingering() throws DriverException {
        lingering = Set.of();
        expectsPeers = false;
        services.expectPeers(false);
        seal();
    }

    /** Brings a network's entries to a change of one address. */
    void apply(Attachment attachment, PeerDatabase.Change change) throws KernelException {
        apply(attachment, List.of(change));
    }

    /** Brings a network's entries to changes of its peers. An endpoint of this node has none: the bridge forwards to it. */
    void apply(Attachment attachment, Collection<PeerDatabase.Change> changes) throws KernelException {
        if (!attachment.isUp()) {
            return;
        }
        List<Peer> removed = new ArrayList<>();
        List<Peer> added = new ArrayList<>();
        for (PeerDatabase.Change change : changes) {
            if (!change.isNone()) {
                change.before().filter(local::reaches).ifPresent(removed::add);
                change.after().filter(local::reaches).ifPresent(added::add);
            }
        }
        PeerEntries entries = attachment.namespace.get().entries();
        entries.remove(removed);
        entries.add(added);
        services.change(attachment, changes);
    }

    /** Returns the peers of a network that are reached over VXLAN. */
    List<Peer> remotePeers(Attachment attachment) {
        return attachment.peers.walk().stream().filter(local::reaches).toList();
    }
}
