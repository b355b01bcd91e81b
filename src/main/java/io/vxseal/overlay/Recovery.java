package io.vxseal.overlay;

import io.vxseal.cluster.Cluster;
import io.vxseal.encryption.Encryption;
import io.vxseal.kernel.firewall.Segment;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.netns.UdpPorts;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Recovery of what a previous process left: its state files, the namespaces that it pinned, its rules, states and policies.
 *
 * <p>A namespace that is pinned counts even if the state file is lost, as after the plugin was removed and installed again. Its
 * network is read from the kernel. If that fails, its VXLAN devices are set down.
 */
final class Recovery {
    private static final Logger log = LoggerFactory.getLogger(Recovery.class);

    private final Host host;
    private final Encryption encryption;
    private final Protection protection;
    private final StateStore store;
    private final Cluster cluster;
    private final Networks networks;
    private final DataPath dataPath;
    private final ServiceAddresses services;

    Recovery(
            Host host,
            Encryption encryption,
            Protection protection,
            StateStore store,
            Cluster cluster,
            Networks networks,
            DataPath dataPath,
            ServiceAddresses services) {
        this.host = host;
        this.encryption = encryption;
        this.protection = protection;
        this.store = store;
        this.cluster = cluster;
        this.networks = networks;
        this.dataPath = dataPath;
        this.services = services;
    }

    /**
     * Recovers everything. A VXLAN device that this process would not protect is deleted before any protection changes. The first
     * repair makes it anew.
     *
     * @throws DriverException if the run folder is not that of the networks which are up
     */
    void recover() throws IOException, DriverException {
        encryption.adopt();
        List<NetworkScan.Pinned> pinned = NetworkScan.pinned(host, encryption.holdsAnything());
        StateStore.Persistent recovered = readPersistent(pinned);
        String runFolder = store.runFolder();
        checkRunFolder(recovered.runFolder(), runFolder, pinned);
        store.restore(recovered.in(runFolder));
        networks.restore(recovered);
        for (NetworkScan.Pinned found : pinned) {
            open(found);
        }
        protection.keepIfOutOfReach(outOfReach());
        for (Endpoint endpoint : readEndpoints()) {
            Optional<Attachment> attachment = networks.find(endpoint.network());
            if (attachment.isPresent()) {
                restore(attachment.get(), endpoint);
            }
        }
        if (networks.all().stream().anyMatch(Attachment::isUp)) {
            dataPath.expectPeers(networks.needProtection() ? encryption.remoteNodes() : Set.of());
        }
        networks.all().stream().filter(Attachment::isUp).forEach(this::recoverServices);
        services.start();
        if (encryption.holdsAnything() && !networks.needProtection()) {
            protection.keepBlock();
        }
        dataPath.seal();
        recovered.nodes().forEach(cluster::found);
        if (!networks.all().isEmpty()) {
            log.info("recovered {} networks from a previous run", networks.all().size());
        }
    }

    /** Returns the segments of encrypted networks that have no namespace in the run folder, on each port that devices may have. */
    private Set<Segment> outOfReach() {
        Set<Integer> ports = new HashSet<>(encryption.ports());
        ports.add(host.port());
        Set<Segment> segments = new HashSet<>();
        networks.all().stream()
                .filter(attachment -> attachment.network.encrypted() && !attachment.isUp())
                .forEach(attachment -> ports.forEach(port -> segments.addAll(attachment.network.segments(port))));
        return segments;
    }

    private void open(NetworkScan.Pinned found) throws KernelException {
        Optional<Attachment> attachment = networks.find(found.id());
        if (attachment.isEmpty()) {
            log.error("the pinned namespace of network {} is incomplete: setting its VXLAN devices down", found.id());
            NetworkScan.setDevicesDown(host, found);
            return;
        }
        Optional<NetworkNamespace> namespace = NetworkNamespace.open(attachment.get().network, host);
        attachment.get().namespace = namespace;
        if (namespace.isPresent()) {
            namespace.get().devices().removeUnprotected(Optional.empty());
            if (attachment.get().network.encrypted()) {
                // Its rules are of that IP version until the engine names this node's address.
                namespace.get().devices().local().ifPresent(protection::local);
            }
        }
    }

    private void recoverServices(Attachment attachment) {
        services.adoptVips(attachment);
        services.up(attachment);
        services.recover(attachment.endpoints.values().stream().filter(Endpoint::joined).toList())
                .forEach(endpoint -> attachment.endpoints.put(endpoint.id(), endpoint));
    }

    private static void restore(Attachment attachment, Endpoint endpoint) throws KernelException {
        attachment.endpoints.put(endpoint.id(), endpoint.withJoined(endpoint.joined() && attachment.isUp()));
        if (attachment.isUp() && !endpoint.joined()) {
            // The previous process died in the middle of the endpoint's Join.
            attachment.namespace.get().removeEndpoint(endpoint.id());
        }
    }

    /**
     * Refuses another run folder while networks are up: their namespaces are pinned in the other one, out of reach.
     *
     * @throws DriverException naming both folders and the remedy
     */
    private void checkRunFolder(String before, String now, List<NetworkScan.Pinned> pinned) throws DriverException, IOException {
        if (before.equals(now) || !boot(before).equals(boot(now)) || !pinned.isEmpty()) {
            return;
        }
        Set<Integer> bound = UdpPorts.bound(host.namespace());
        bound.retainAll(encryption.ports());
        if (!bound.isEmpty()) {
            throw DriverException.conflict(("networks are up whose namespaces are in another run folder, %s, not in %s:"
                    + " set run.source back").formatted(path(before), path(now)));
        }
    }

    private static String boot(String runFolder) {
        return runFolder.substring(runFolder.lastIndexOf('@') + 1);
    }

    private static String path(String runFolder) {
        return runFolder.substring(runFolder.indexOf('/'), runFolder.lastIndexOf('@'));
    }

    /** Reads the state file, and adds the networks that are pinned and not in it. A damaged file is moved aside. */
    private StateStore.Persistent readPersistent(List<NetworkScan.Pinned> pinned) throws IOException {
        StateStore.Persistent read;
        Optional<Path> aside = Optional.empty();
        String damage = "";
        try {
            read = store.persistentFile.read().orElse(StateStore.Persistent.EMPTY);
        } catch (IOException damaged) {
            read = StateStore.Persistent.EMPTY;
            damage = damaged.getMessage();
            aside = Optional.of(store.persistentFile.setAside());
        }
        Set<String> known = new HashSet<>();
        read.networks().forEach(network -> known.add(network.id()));
        List<Network> found = pinned.stream()
                .flatMap(there -> there.network().stream())
                .filter(network -> !known.contains(network.id()))
                .toList();
        if (found.isEmpty() && aside.isEmpty()) {
            return read;
        }
        StateStore.Persistent rebuilt = read.plus(found);
        store.persistentFile.write(rebuilt);
        List<String> ids = found.stream().map(Network::id).toList();
        if (aside.isPresent()) {
            log.error("{}; moved it to {} and recovered from the kernel: {}. Everything else that this node knew from the engine is lost: restart"
                    + " the engine when convenient", damage, aside.get(), ids);
        } else {
            log.warn("networks {} are up but not in the state file: recovered from the kernel", ids);
        }
        return rebuilt;
    }

    /**
     * Reads the endpoints of this node. If they are lost, the other nodes are asked for those that have joined. A damaged file is moved
     * aside.
     */
    private List<Endpoint> readEndpoints() throws IOException {
        try {
            Optional<StateStore.Ephemeral> read = store.ephemeralFile.read();
            if (read.isEmpty() && networks.all().stream().anyMatch(Attachment::isUp)) {
                cluster.recall();
            }
            return read.map(StateStore.Ephemeral::endpoints).orElse(List.of());
        } catch (IOException damaged) {
            Path aside = store.ephemeralFile.setAside();
            cluster.recall();
            log.error("{}; moved it to {}. Asking the other nodes for the endpoints of this one", damaged.getMessage(), aside);
            return List.of();
        }
    }
}
