package io.vxseal.overlay;

import io.vxseal.address.NodeAddresses;
import io.vxseal.cluster.Cluster;
import io.vxseal.encryption.Encryption;
import io.vxseal.kernel.route.Link;
import io.vxseal.overlay.RepairLog.Outcome;
import io.vxseal.peers.Peer;
import java.io.IOException;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Comparison of what the kernel has with what it should have, and repair of what differs. */
final class Reconciler {
    private static final Logger log = LoggerFactory.getLogger(Reconciler.class);

    private static final String THIS_HOST = "this host";

    private final Encryption encryption;
    private final Protection protection;
    private final Networks networks;
    private final DataPath dataPath;
    private final LocalNode local;
    private final Endpoints endpoints;
    private final Rekeying rekeying;
    private final Cluster cluster;
    private final ServiceAddresses services;
    private final RepairLog repairs;

    Reconciler(
            Encryption encryption,
            Protection protection,
            Networks networks,
            DataPath dataPath,
            LocalNode local,
            Endpoints endpoints,
            Rekeying rekeying,
            Cluster cluster,
            ServiceAddresses services,
            RepairLog repairs) {
        this.encryption = encryption;
        this.protection = protection;
        this.networks = networks;
        this.dataPath = dataPath;
        this.local = local;
        this.endpoints = endpoints;
        this.rekeying = rekeying;
        this.cluster = cluster;
        this.services = services;
        this.repairs = repairs;
    }

    /** Moves the networks that are up to this node's addresses. The next repair retries what fails. */
    void moveTo(NodeAddresses addresses) {
        protection.local(addresses.bind());
        for (Attachment attachment : networks.all()) {
            for (Endpoint endpoint : attachment.endpoints.values()) {
                if (endpoint.joined()) {
                    Peer own = endpoint.asPeer(addresses.advertise());
                    repairs.tryOnce("move entries to this node's address", () -> dataPath.apply(attachment, attachment.peers.add(own)));
                    cluster.announce(own);
                }
            }
        }
        Outcome guarded = repairs.tryOnce("protect the networks that are up", () -> {
            removeUnprotectedDevices();
            if (networks.needProtection()) {
                protection.raise(dataPath.protectedSegments());
            }
        });
        // Version 0.1.0 gave frames another mark. The step after this removes its policies.
        networks.all().stream().filter(Attachment::needsProtection).forEach(this::mark);
        repairs.tryOnce("move IPsec states and policies to this node's address", () -> encryption.addresses(addresses));
        repairs.tryOnce("program IPsec for the nodes of the networks that are up", dataPath::seal);
        if (guarded == Outcome.FAILED || encryption.lacksBlock()) {
            networks.all().stream().filter(Attachment::needsProtection).forEach(this::setDown);
        }
    }

    /** Marks the frames of an encrypted network, or sets its VXLAN devices down: it must not send unmarked frames. */
    private void mark(Attachment attachment) {
        NetworkNamespace namespace = attachment.namespace.orElseThrow();
        repairs.tryOnce("mark the frames of network " + attachment.id(), () -> {
            try {
                namespace.repairMark();
            } catch (IOException failure) {
                namespace.devices().setDown();
                throw failure;
            }
        });
    }

    /**
     * Repairs what others removed or changed, and what a previous process did not finish. Where nothing differs it costs a few lists of
     * the kernel's and a firewall command or two.
     */
    void repair() {
        local.refresh().ifPresent(this::moveTo);
        Optional<NodeAddresses> addresses = local.addresses();
        if (addresses.isEmpty()) {
            repairProtection();
            return;
        }
        rekeying.advance();
        takeDownUnused();
        removeUnprotectedDevices();
        Outcome guarded = repairs.attempt(RepairLog.Kind.RULES, THIS_HOST, () ->
                        protection.restore(dataPath.protectedSegments(), dataPath.segmentsUp()))
                .and(repairSealing(() -> {
                    dataPath.seal();
                    return encryption.repair();
                }));
        if (encryption.needsRotation()) {
            cluster.rotate();
        }
        for (Attachment attachment : networks.all()) {
            if (attachment.isUp()) {
                repair(attachment, guarded, addresses.get().bind());
            }
        }
    }

    /** @return whether the policy that blocks is in force, at the least */
    private Outcome repairSealing(RepairLog.Step step) {
        Outcome outcome = repairs.attempt(RepairLog.Kind.SEALING, THIS_HOST, step);
        return encryption.lacksBlock() ? Outcome.FAILED : outcome;
    }

    /** Restores what protects the devices of a previous process, before the engine has named this node's address. */
    private void repairProtection() {
        if (!networks.needProtection() && !protection.blocksUnexplained()) {
            return;
        }
        protection.keepAll(true);
        Outcome guarded = repairs.attempt(RepairLog.Kind.RULES, THIS_HOST, () ->
                        protection.restore(dataPath.protectedSegments(), dataPath.segmentsUp()))
                .and(repairSealing(encryption::repair));
        networks.all().stream().filter(Attachment::needsProtection).forEach(attachment -> repairMark(attachment, guarded));
    }

    /**
     * Restores the mark of an encrypted network's frames. Sets the network's VXLAN devices down if that fails, or the protection on the host
     * did: without the host's rules the network would accept packets in clear, and without its mark or the block it would send them.
     *
     * @param guarded whether the host's firewall rules and the policy that blocks are in force
     * @return whether the devices may come up: those that are down must not before they are known to be protected
     */
    private boolean repairMark(Attachment attachment, Outcome guarded) {
        Outcome ready = guarded.and(repairs.attempt(
                RepairLog.Kind.RULES, attachment.id(), attachment.namespace.orElseThrow()::repairMark));
        if (ready == Outcome.FAILED) {
            setDown(attachment);
        }
        return ready == Outcome.DONE;
    }

    /** @param guarded whether the host's firewall rules and the policy that blocks are in force */
    private void repair(Attachment attachment, Outcome guarded, InetAddress vtep) {
        NetworkNamespace namespace = attachment.namespace.orElseThrow();
        String id = attachment.id();
        if (attachment.network.encrypted() && !repairMark(attachment, guarded)) {
            return;
        }
        if (repairs.attempt(RepairLog.Kind.LINKS, id, () -> repairLinks(attachment, vtep)) == Outcome.DONE && attachment.isUp()) {
            repairs.attempt(RepairLog.Kind.ENTRIES, id, () -> {
                namespace.entries().addVips();
                return namespace.entries().repair(dataPath.remotePeers(attachment), !dataPath.expectsPeers());
            });
            repairs.attempt(RepairLog.Kind.RULES, id + " in containers", () -> services.repair(attachment));
        }
    }

    private void setDown(Attachment attachment) {
        repairs.attempt(RepairLog.Kind.LINKS, attachment.id(), () -> {
            attachment.namespace.orElseThrow().devices().setDown();
            return 0;
        });
    }

    /** Takes down networks that a previous process left up without endpoints when it died in the middle of a Join or Leave. */
    private void takeDownUnused() {
        for (Attachment attachment : networks.all()) {
            if (attachment.isUp() && !attachment.hasJoined()) {
                repairs.attempt(RepairLog.Kind.LINKS, attachment.id(), () -> dataPath.takeDownIfUnused(attachment) ? 1 : 0);
            }
        }
    }

    /**
     * Removes VXLAN devices that would not be protected, before any protection changes. While one of them cannot be removed, all
     * protection stays that is in force.
     */
    private void removeUnprotectedDevices() {
        boolean removed = true;
        for (Attachment attachment : networks.all()) {
            if (attachment.needsProtection()) {
                SubnetDevices devices = attachment.namespace.orElseThrow().devices();
                removed &= repairs.attempt(RepairLog.Kind.LINKS, attachment.id() + " without protection", () ->
                        devices.removeUnprotected(local.addresses().map(NodeAddresses::bind))) == Outcome.DONE;
            }
        }
        protection.keepAll(!removed);
    }

    /** Repairs a network's links. An endpoint without a link leaves: its container ended while this program was not running. */
    private int repairLinks(Attachment attachment, InetAddress vtep) throws IOException, DriverException {
        NetworkNamespace namespace = attachment.namespace.orElseThrow();
        Map<String, Link> links = namespace.links();
        List<Endpoint> joined = new ArrayList<>(attachment.endpoints.values().stream().filter(Endpoint::joined).toList());
        for (Endpoint gone : NetworkNamespace.gone(links, joined)) {
            log.info("endpoint {} ({}) has no link any more, its container has ended: it leaves network {}",
                    gone.id(), gone.address(), gone.network());
            endpoints.leave(gone.network(), gone.id());
            joined.remove(gone);
        }
        return attachment.isUp() ? namespace.repairLinks(links, joined, vtep) : 0;
    }
}
