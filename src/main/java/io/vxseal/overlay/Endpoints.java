package io.vxseal.overlay;

import io.vxseal.address.Cidr;
import io.vxseal.address.MacAddress;
import io.vxseal.address.NodeAddresses;
import io.vxseal.cluster.Cluster;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.peers.Peer;
import java.io.IOException;
import java.net.InetAddress;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * The endpoints of this node: created, joined, left, deleted.
 *
 * <p>The engine repeats a call whose answer it did not get, for example because this program was killed. So each call accepts its
 * repetition.
 */
final class Endpoints {
    private final Networks networks;
    private final DataPath dataPath;
    private final LocalNode local;
    private final Readiness readiness;
    private final Cluster cluster;
    private final ServiceAddresses services;

    /** Endpoints that were unknown here and left. The engine has not deleted them yet. */
    private final Set<String> unknown = new HashSet<>();

    Endpoints(
            Networks networks,
            DataPath dataPath,
            LocalNode local,
            Readiness readiness,
            Cluster cluster,
            ServiceAddresses services) {
        this.networks = networks;
        this.dataPath = dataPath;
        this.local = local;
        this.readiness = readiness;
        this.cluster = cluster;
        this.services = services;
    }

    /**
     * Creates an endpoint.
     *
     * @param mac as the user asked for it, if at all
     * @return the interface's MAC address
     */
    MacAddress create(String network, String id, Cidr address, Optional<MacAddress> mac) throws DriverException {
        Attachment attachment = networks.get(network);
        Endpoint known = attachment.endpoints.get(id);
        if (known != null) {
            if (!known.joined() && known.address().equals(address) && mac.orElse(known.mac()).equals(known.mac())) {
                return known.mac();
            }
            throw DriverException.conflict("endpoint %s is on network %s already: delete it first".formatted(id, network));
        }
        if (attachment.network.subnetOf(address.address()).isEmpty()) {
            throw DriverException.invalid("Address", address, "want one in a subnet of the network: "
                    + attachment.network.subnets().stream().map(Subnet::pool).toList());
        }
        Endpoint endpoint = new Endpoint(id, network, address, mac.orElseGet(() -> MacAddress.of(address.address())), false);
        attachment.endpoints.put(id, endpoint);
        try {
            networks.saveEndpoints();
        } catch (DriverException failure) {
            attachment.endpoints.remove(id);
            throw failure;
        }
        return endpoint.mac();
    }

    /** Deletes an endpoint. One that has not left leaves first. */
    void delete(String network, String id) throws DriverException {
        Attachment attachment = networks.get(network);
        boolean left = leaveUnknown(attachment, id);
        if (unknown.remove(id) || left) {
            return;
        }
        if (get(attachment, id).joined()) {
            leave(network, id);
        }
        attachment.endpoints.remove(id);
        networks.saveEndpoints();
    }

    /**
     * Returns an endpoint.
     *
     * @throws DriverException if it is not known
     */
    Endpoint get(String network, String id) throws DriverException {
        return get(networks.get(network), id);
    }

    private static Endpoint get(Attachment attachment, String id) throws DriverException {
        Endpoint endpoint = attachment.endpoints.get(id);
        if (endpoint == null) {
            throw DriverException.invalid("EndpointID", id, "no such endpoint on network " + attachment.id());
        }
        return endpoint;
    }

    /**
     * Creates an endpoint's link. The first endpoint of a network brings the network up before. Repeated before the engine has taken
     * the container's end, it makes the link anew.
     *
     * @param sandbox name of the file on which the engine mounts the container's network namespace, now or later
     */
    Joined join(String network, String id, String sandbox) throws DriverException {
        readiness.awaitAddress();
        if (networks.get(network).network.encrypted()) {
            readiness.awaitKeys(network);
        }
        // Other calls may have come in while this one waited.
        Attachment attachment = networks.get(network);
        Endpoint endpoint = notJoined(attachment, get(attachment, id)).in(sandbox);
        NodeAddresses addresses = local.addresses().orElseThrow(() -> DriverException.forbidden(
                "this node's address is not known yet: is its engine part of a swarm?"));
        Peer own = endpoint.asPeer(addresses.advertise());
        Subnet subnet = attachment.network.subnetOf(endpoint.address().address()).orElseThrow();
        String link = link(attachment, endpoint, subnet, addresses.bind(), own);
        cluster.announce(own);
        services.join(endpoint);
        List<Cidr> routes = attachment.network.subnets().stream()
                .filter(other -> !other.equals(subnet))
                .map(Subnet::pool)
                .toList();
        return new Joined(link, routes, subnet.gateway().address());
    }

    private String link(Attachment attachment, Endpoint endpoint, Subnet subnet, InetAddress vtep, Peer own) throws DriverException {
        Rollback rollback = new Rollback();
        try {
            if (attachment.incomplete) {
                dataPath.takeDown(attachment);
            }
            if (!attachment.isUp()) {
                dataPath.bringUp(attachment, vtep, rollback);
            }
            NetworkNamespace namespace = attachment.namespace.orElseThrow();
            String link = namespace.addEndpoint(endpoint, subnet, vtep);
            rollback.add(() -> namespace.removeEndpoint(endpoint.id()));
            dataPath.apply(attachment, attachment.peers.add(own));
            rollback.add(() -> dataPath.apply(attachment, attachment.peers.remove(own)));
            attachment.endpoints.put(endpoint.id(), endpoint.withJoined(true));
            rollback.add(() -> attachment.endpoints.put(endpoint.id(), endpoint));
            networks.saveEndpoints();
            return link;
        } catch (IOException failure) {
            rollback.run();
            throw DriverException.system("could not join network " + attachment.id(), failure);
        } catch (DriverException failure) {
            rollback.run();
            throw failure;
        }
    }

    private static Endpoint notJoined(Attachment attachment, Endpoint endpoint) throws DriverException {
        try {
            if (endpoint.joined() && !(attachment.isUp() && attachment.namespace.get().isUntaken(endpoint))) {
                throw DriverException.conflict(
                        "endpoint %s has joined network %s already".formatted(endpoint.id(), endpoint.network()));
            }
            return endpoint.withJoined(false);
        } catch (KernelException failure) {
            throw DriverException.system("could not look for the link of endpoint " + endpoint.id(), failure);
        }
    }

    /** Removes an endpoint's link. The last endpoint of a network takes the network down after. */
    void leave(String network, String id) throws DriverException {
        Attachment attachment = networks.get(network);
        if (leaveUnknown(attachment, id)) {
            return;
        }
        Endpoint endpoint = get(attachment, id);
        if (!endpoint.joined()) {
            return;
        }
        // An open socket in the container's namespace would keep the namespace, and with it the link.
        services.leave(endpoint);
        cluster.withdraw(network, id);
        try {
            attachment.endpoints.put(id, endpoint.withJoined(false));
            if (attachment.isUp()) {
                attachment.namespace.get().removeEndpoint(id);
            }
            if (local.addresses().isPresent()) {
                Peer own = endpoint.asPeer(local.addresses().get().advertise());
                dataPath.apply(attachment, attachment.peers.remove(own));
            }
            dataPath.takeDownIfUnused(attachment);
        } catch (IOException failure) {
            throw DriverException.system("could not leave network " + network, failure);
        } finally {
            networks.saveEndpoints();
        }
    }

    /** Removes the link of an endpoint that is unknown to this process, as after the loss of a state file. */
    private boolean leaveUnknown(Attachment attachment, String id) throws DriverException {
        if (!attachment.isUp() || attachment.endpoints.containsKey(id)) {
            return false;
        }
        try {
            if (!attachment.namespace.get().removeEndpoint(id)) {
                return false;
            }
            unknown.add(id);
            dataPath.takeDownIfUnused(attachment);
            return true;
        } catch (IOException failure) {
            throw DriverException.system("could not leave network " + attachment.id(), failure);
        }
    }
}
