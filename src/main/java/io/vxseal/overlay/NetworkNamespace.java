package io.vxseal.overlay;

import io.vxseal.kernel.KernelException;
import io.vxseal.kernel.Namespace;
import io.vxseal.kernel.Route;
import io.vxseal.kernel.Route.RemoteEndpoint;
import io.vxseal.peers.Peer;
import java.net.InetAddress;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What a network is in this host's kernel: a network namespace, and in it for each subnet a bridge with the gateway's
 * address, a VXLAN on the bridge, and a link to every container here.
 *
 * <p>The namespace is pinned, so the kernel goes on forwarding while no process of ours lives.
 */
final class NetworkNamespace implements AutoCloseable {
    private final Network network;
    private final Host host;
    private final Namespace namespace;
    private final Route route;

    private NetworkNamespace(Network network, Host host, Namespace namespace, Route route) {
        this.network = network;
        this.host = host;
        this.namespace = namespace;
        this.route = route;
    }

    /**
     * Makes the namespace with everything but the links to containers, or nothing.
     *
     * @param vtep this node's address for VXLAN
     */
    static NetworkNamespace create(Network network, Host host, InetAddress vtep) throws KernelException {
        Path pin = pin(network, host);
        Namespace namespace = Namespace.create(pin);
        Route route;
        try {
            route = Route.in(namespace);
        } catch (KernelException failure) {
            namespace.close();
            Namespace.unpin(pin);
            throw failure;
        }
        NetworkNamespace created = new NetworkNamespace(network, host, namespace, route);
        try {
            for (Subnet subnet : network.subnets()) {
                created.addSubnet(subnet, vtep);
            }
        } catch (KernelException failure) {
            created.delete();
            throw failure;
        }
        return created;
    }

    /** Takes up the namespace that an earlier process made. */
    static Optional<NetworkNamespace> open(Network network, Host host) throws KernelException {
        Optional<Namespace> namespace = Namespace.open(pin(network, host));
        if (namespace.isEmpty()) {
            return Optional.empty();
        }
        return Optional.of(
                new NetworkNamespace(network, host, namespace.get(), Route.in(namespace.get())));
    }

    /**
     * Links an endpoint to its subnet's bridge; the container's end stands in the host's namespace, for the engine.
     *
     * @return the name of the container's end
     */
    String addEndpoint(Endpoint endpoint, Subnet subnet) throws KernelException {
        String link = linkName(endpoint);
        // Left behind by a process that died between this and its writing down of it.
        route.deleteLink(link);
        route.addVeth(
                new Route.Veth(link, bridgeName(subnet), link, endpoint.mac(), network.linkMtu()), host.namespace());
        return link;
    }

    /** Removes an endpoint's link, both ends; one that is gone is no error. */
    void removeEndpoint(Endpoint endpoint) throws KernelException {
        route.deleteLink(linkName(endpoint));
    }

    /** Makes endpoints of other nodes reachable. */
    void addPeers(Collection<Peer> peers) throws KernelException {
        for (var subnet : bySubnet(peers).entrySet()) {
            route.addRemoteEndpoints(vxlanName(subnet.getKey()), subnet.getValue());
        }
    }

    /** Forgets endpoints of other nodes. */
    void removePeers(Collection<Peer> peers) throws KernelException {
        for (var subnet : bySubnet(peers).entrySet()) {
            route.removeRemoteEndpoints(vxlanName(subnet.getKey()), subnet.getValue());
        }
    }

    /** Removes the namespace and all in it. */
    void delete() throws KernelException {
        // A namespace lives on for a while after the last who held it; its VXLANs would keep their VNIs from others.
        for (Subnet subnet : network.subnets()) {
            route.deleteLink(vxlanName(subnet));
        }
        close();
        Namespace.unpin(pin(network, host));
    }

    @Override
    public void close() {
        route.close();
        namespace.close();
    }

    private void addSubnet(Subnet subnet, InetAddress vtep) throws KernelException {
        int mtu = network.linkMtu();
        route.addBridge(new Route.Bridge(bridgeName(subnet), mtu, List.of(subnet.gateway())));
        host.route()
                .addVxlan(
                        new Route.Vxlan(
                                vxlanName(subnet), subnet.vni(), host.port(), mtu, Optional.of(vtep), bridgeName(subnet)),
                        namespace,
                        route);
    }

    private Map<Subnet, List<RemoteEndpoint>> bySubnet(Collection<Peer> peers) {
        Map<Subnet, List<RemoteEndpoint>> bySubnet = new HashMap<>();
        for (Peer peer : peers) {
            InetAddress address = peer.address().address();
            network.subnetOf(address)
                    .ifPresent(subnet -> bySubnet
                            .computeIfAbsent(subnet, s -> new ArrayList<>())
                            .add(new RemoteEndpoint(address, peer.mac(), peer.vtep())));
        }
        return bySubnet;
    }

    private static Path pin(Network network, Host host) {
        return host.pins().resolve(network.id());
    }

    private String bridgeName(Subnet subnet) {
        return "ov-%06x-%.5s".formatted(subnet.vni(), network.id());
    }

    private String vxlanName(Subnet subnet) {
        return "vx-%06x-%.5s".formatted(subnet.vni(), network.id());
    }

    private static String linkName(Endpoint endpoint) {
        return "veth%.7s".formatted(endpoint.id());
    }
}
