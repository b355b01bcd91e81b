package io.vxseal.overlay;

import io.vxseal.kernel.firewall.FrameMark;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.netns.Namespace;
import io.vxseal.kernel.route.Bridge;
import io.vxseal.kernel.route.BridgePort;
import io.vxseal.kernel.route.ContainerPort;
import io.vxseal.kernel.route.Link;
import io.vxseal.kernel.route.RemoteEndpoint;
import io.vxseal.kernel.route.Route;
import io.vxseal.kernel.route.StaticFdbEntry;
import io.vxseal.kernel.route.Veth;
import io.vxseal.kernel.route.Vxlan;
import io.vxseal.kernel.route.VxlanTunnel;
import io.vxseal.kernel.xfrm.SecurityPolicy;
import io.vxseal.peers.Peer;
import java.io.IOException;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

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
    /** Of an encrypted network; opened when first needed. */
    private Optional<FrameMark> mark = Optional.empty();

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
     * @throws IOException if the kernel refuses a link, or an encrypted network's frames cannot be marked
     */
    static NetworkNamespace create(Network network, Host host, InetAddress vtep) throws IOException {
        Path pin = pin(network, host);
        // What is there is left of a removal that failed.
        delete(pin);
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
            route.links().setUp("lo");
            created.repairMark();
            for (Subnet subnet : network.subnets()) {
                created.addSubnet(subnet, vtep);
            }
        } catch (IOException failure) {
            try {
                created.delete();
            } catch (KernelException undone) {
                failure.addSuppressed(undone);
                created.close();
            }
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
     * @param vtep this node's address for VXLAN
     * @return the name of the container's end
     */
    String addEndpoint(Endpoint endpoint, Subnet subnet, InetAddress vtep) throws KernelException {
        String link = linkName(endpoint);
        Veth veth = new Veth(link, bridgeName(subnet), link, endpoint.mac(), network.linkMtu(vtep));
        try {
            route.links().addVeth(veth, host.namespace());
        } catch (KernelException taken) {
            // Left behind by a process that died between this and its writing down of it.
            if (!route.links().delete(link)) {
                throw taken;
            }
            route.links().addVeth(veth, host.namespace());
        }
        return link;
    }

    /** Removes an endpoint's link, both ends; one that is gone is no error. */
    void removeEndpoint(Endpoint endpoint) throws KernelException {
        removeEndpoint(endpoint.id());
    }

    /**
     * The same, where no more than the id is known.
     *
     * @return whether there was a link
     */
    boolean removeEndpoint(String id) throws KernelException {
        return route.links().delete(linkName(id));
    }

    /** Whether the container's end of the endpoint's link stands in the host's namespace yet. */
    boolean isUntaken(Endpoint endpoint) throws KernelException {
        return host.route().links().find(linkName(endpoint)).isPresent();
    }

    boolean hasLink(String endpoint) throws KernelException {
        return route.links().find(linkName(endpoint)).isPresent();
    }

    /** Whether a container has a link here that is none of these endpoints', known or not. */
    boolean hasStrangers(Collection<Endpoint> known) throws KernelException {
        Set<String> names = new HashSet<>();
        known.forEach(endpoint -> names.add(linkName(endpoint)));
        return route.links().list().stream().anyMatch(link -> link.kind().equals("veth") && !names.contains(link.name()));
    }

    /** Makes endpoints of other nodes reachable. */
    void addPeers(Collection<Peer> peers) throws KernelException {
        for (var subnet : bySubnet(peers).entrySet()) {
            route.neighbours().add(vxlanName(subnet.getKey()), subnet.getValue());
        }
    }

    /** Forgets endpoints of other nodes. */
    void removePeers(Collection<Peer> peers) throws KernelException {
        for (var subnet : bySubnet(peers).entrySet()) {
            route.neighbours().remove(vxlanName(subnet.getKey()), subnet.getValue());
        }
    }

    /** The links here, by name. */
    Map<String, Link> links() throws KernelException {
        Map<String, Link> links = new HashMap<>();
        route.links().list().forEach(link -> links.put(link.name(), link));
        return links;
    }

    /** Those whose link went with their container's namespace. */
    static List<Endpoint> gone(Map<String, Link> links, Collection<Endpoint> endpoints) {
        return endpoints.stream().filter(endpoint -> !links.containsKey(linkName(endpoint))).toList();
    }

    /**
     * Puts back links that others took away, set down or moved: bridges, VXLANs, and what is on them.
     *
     * @param links what {@link #links} just said
     * @param endpoints that have a link here; one whose own link is gone is lost with its container's
     * @param vtep this node's address for VXLAN
     * @return how many had to be touched
     */
    int repairLinks(Map<String, Link> links, Collection<Endpoint> endpoints, InetAddress vtep) throws KernelException {
        int repaired = 0;
        Set<StaticFdbEntry> entries = route.ports().staticEntries();
        for (Subnet subnet : network.subnets()) {
            Link bridge = links.get(bridgeName(subnet));
            if (bridge == null) {
                // A VXLAN device without its bridge is made anew with it.
                route.links().delete(vxlanName(subnet));
                addSubnet(subnet, vtep);
                bridge = route.links().find(bridgeName(subnet)).orElseThrow();
                repaired += 2;
            } else {
                if (!bridge.up()) {
                    route.links().setUp(bridge.name());
                    repaired++;
                }
                Link vxlan = links.get(vxlanName(subnet));
                if (vxlan == null || !isRight(vxlan, subnet, bridge, vtep)) {
                    route.links().delete(vxlanName(subnet));
                    addVxlan(subnet, vtep);
                    repaired++;
                } else {
                    repaired += repairLearning(vxlan);
                }
            }
            repaired += repairContainerPorts(links, entries, subnet, endpoints, bridge.index());
        }
        return repaired;
    }

    /** Has a VXLAN device learn nothing from frames, as those of version 0.1.0 do. */
    private int repairLearning(Link vxlan) throws KernelException {
        int repaired = 0;
        if (!vxlan.port().equals(Optional.of(BridgePort.TO_VXLAN))) {
            route.ports().set(Map.of(vxlan.index(), BridgePort.TO_VXLAN));
            repaired++;
        }
        if (vxlan.tunnel().orElseThrow().learning()) {
            route.neighbours().setLearning(vxlan.name(), false);
            repaired++;
        }
        return repaired;
    }

    /** Puts containers' links on their bridge, with the static entry of each. */
    private int repairContainerPorts(
            Map<String, Link> links, Set<StaticFdbEntry> entries, Subnet subnet, Collection<Endpoint> endpoints, int bridge)
            throws KernelException {
        List<ContainerPort> wrong = new ArrayList<>();
        for (Endpoint endpoint : endpoints) {
            Link link = links.get(linkName(endpoint));
            if (link != null && subnet.pool().contains(endpoint.address().address())
                    && !(link.master().orElse(0) == bridge
                            && link.port().equals(Optional.of(BridgePort.TO_CONTAINER))
                            && entries.contains(new StaticFdbEntry(link.index(), endpoint.mac())))) {
                wrong.add(new ContainerPort(link.index(), bridge, endpoint.mac()));
            }
        }
        if (!wrong.isEmpty()) {
            route.ports().setContainerPorts(wrong);
        }
        return wrong.size();
    }

    private boolean isRight(Link vxlan, Subnet subnet, Link bridge, InetAddress vtep) {
        return vxlan.up()
                && vxlan.master().orElse(0) == bridge.index()
                && vxlan.tunnel().filter(tunnel -> tunnel.vni() == subnet.vni()
                        && tunnel.port() == host.port()
                        && tunnel.local().equals(Optional.of(vtep))).isPresent();
    }

    /**
     * Brings neighbours and forwarding entries to exactly those of the peers.
     *
     * @param peers in force, of other nodes
     * @param all whether these are all; else entries of others stand
     * @return how many peers had to be told of or taken back
     */
    int repairEntries(Collection<Peer> peers, boolean all) throws KernelException {
        int repaired = 0;
        Map<Subnet, List<RemoteEndpoint>> bySubnet = bySubnet(peers);
        for (Subnet subnet : network.subnets()) {
            Set<RemoteEndpoint> wanted = new HashSet<>(bySubnet.getOrDefault(subnet, List.of()));
            Set<RemoteEndpoint> found = Set.copyOf(route.neighbours().list(vxlanName(subnet)));
            Set<RemoteEndpoint> stale = new HashSet<>(found);
            stale.removeAll(wanted);
            if (!all) {
                Set<InetAddress> told = new HashSet<>();
                wanted.forEach(entry -> told.add(entry.address()));
                stale.removeIf(entry -> !told.contains(entry.address()));
            }
            Set<RemoteEndpoint> missing = new HashSet<>(wanted);
            missing.removeAll(found);
            repaired += stale.size() + missing.size();
            if (!stale.isEmpty()) {
                route.neighbours().remove(vxlanName(subnet), stale);
                // What went may have shared its address or its MAC with one that is to stay.
                missing = wanted;
            }
            route.neighbours().add(vxlanName(subnet), missing);
        }
        return repaired;
    }

    /** Sets all VXLAN devices down, so that nothing passes them until {@link #repairLinks}. */
    void silence() throws KernelException {
        for (Link link : links().values()) {
            if (link.tunnel().isPresent() && link.up()) {
                route.links().setDown(link.name());
            }
        }
    }

    /**
     * Removes VXLAN devices that the protection of this network does not cover: of ours, one with another VNI or port, or whose
     * datagrams are of the other IP, is deleted; one of another maker is set down. One with another name is not covered: the
     * rules for incoming frames go by the name. If it has a VNI and port of this network it is deleted, for they are in use as
     * long as it exists.
     *
     * @param links what {@link #links} just said
     * @param vtep this node's address for VXLAN, if it is known
     * @return how many had to be touched
     */
    int removeOtherTunnels(Map<String, Link> links, Optional<InetAddress> vtep) throws KernelException {
        int removed = 0;
        for (Link link : links.values()) {
            if (link.tunnel().isEmpty()) {
                continue;
            }
            boolean covered = isCovered(link.tunnel().get(), vtep);
            boolean ours = network.subnets().stream().anyMatch(subnet -> vxlanName(subnet).equals(link.name()));
            if (covered && ours) {
                continue;
            }
            if (covered || ours) {
                route.links().delete(link.name());
                removed++;
            } else if (link.up()) {
                route.links().setDown(link.name());
                removed++;
            }
        }
        return removed;
    }

    private boolean isCovered(VxlanTunnel tunnel, Optional<InetAddress> vtep) {
        return tunnel.port() == host.port()
                && network.subnets().stream().anyMatch(subnet -> subnet.vni() == tunnel.vni())
                && (vtep.isEmpty() || tunnel.local().isEmpty()
                        || (tunnel.local().get() instanceof Inet6Address) == (vtep.get() instanceof Inet6Address));
    }

    /**
     * Marks an encrypted network's frames, and lets in only those that came sealed, if anybody undid that.
     *
     * @return how many sets of rules had to be put back
     * @throws IOException if the frames cannot be marked; the network must not send then
     */
    int repairMark() throws IOException {
        if (!network.encrypted()) {
            return 0;
        }
        if (mark.isEmpty()) {
            mark = Optional.of(FrameMark.in(namespace, SecurityPolicy.MARK));
        }
        return mark.get().restore() ? 1 : 0;
    }

    /** Removes the namespace and all in it. What fails can be tried again. */
    void delete() throws KernelException {
        delete(pin(network, host));
        close();
    }

    /**
     * Deletes the namespace that is pinned on the file. Its VXLAN devices go first: they stop sending and their VNIs are free
     * at once, even if a process still holds the namespace open. It is no error if the namespace or the file is gone, and
     * the call can be repeated after a failure.
     */
    static void delete(Path pin) throws KernelException {
        Optional<Namespace> pinned = Namespace.open(pin);
        if (pinned.isPresent()) {
            try (Namespace namespace = pinned.get(); Route route = Route.in(namespace)) {
                for (Link link : route.links().list()) {
                    if (link.tunnel().isPresent()) {
                        route.links().delete(link.name());
                    }
                }
            }
        }
        Namespace.unpin(pin);
    }

    @Override
    public void close() {
        mark.ifPresent(FrameMark::close);
        route.close();
        namespace.close();
    }

    private void addSubnet(Subnet subnet, InetAddress vtep) throws KernelException {
        route.links().addBridge(
                new Bridge(bridgeName(subnet), network.linkMtu(vtep), List.of(subnet.gateway())));
        addVxlan(subnet, vtep);
    }

    private void addVxlan(Subnet subnet, InetAddress vtep) throws KernelException {
        Vxlan vxlan = new Vxlan(
                vxlanName(subnet), subnet.vni(), host.port(), network.linkMtu(vtep), Optional.of(vtep), bridgeName(subnet));
        host.route().links().addVxlan(vxlan, namespace, route.links());
        route.links().setAlias(vxlan.name(), network.encrypted() ? NetworkScan.ENCRYPTED : NetworkScan.PLAIN);
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
        return linkName(endpoint.id());
    }

    private static String linkName(String endpoint) {
        return "veth%.7s".formatted(endpoint);
    }
}
