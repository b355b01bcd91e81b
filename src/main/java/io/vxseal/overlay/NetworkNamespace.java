package io.vxseal.overlay;

import io.vxseal.address.MacAddress;
import io.vxseal.kernel.firewall.Drops;
import io.vxseal.kernel.firewall.FrameMark;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.monitor.KernelMonitor;
import io.vxseal.kernel.netns.Namespace;
import io.vxseal.kernel.route.BridgePort;
import io.vxseal.kernel.route.ContainerPort;
import io.vxseal.kernel.route.Link;
import io.vxseal.kernel.route.Route;
import io.vxseal.kernel.route.StaticFdbEntry;
import io.vxseal.kernel.route.Veth;
import io.vxseal.kernel.xfrm.SecurityPolicy;
import java.io.IOException;
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
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Network namespace of a network, with bridges, VXLAN devices and entries for peers, the mark of an encrypted network's frames, and a
 * link to each container here.
 *
 * <p>The namespace is pinned on a file, so the kernel continues to forward while the plugin is not running.
 */
final class NetworkNamespace implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(NetworkNamespace.class);

    private final Network network;
    private final Host host;
    private final Namespace namespace;
    private final Route route;
    private final SubnetDevices devices;
    private final PeerEntries entries;

    /** The mark of an encrypted network's frames, opened when first needed. */
    private Optional<FrameMark> mark = Optional.empty();

    /** Whether all VXLAN devices were here once. */
    private boolean complete;

    /** Watch for changes of that mark by others, opened with it. */
    private Optional<KernelMonitor.Watch> markWatch = Optional.empty();

    private Optional<KernelMonitor.Watch> missesWatch = Optional.empty();

    private NetworkNamespace(Network network, Host host, Namespace namespace, Route route) {
        this.network = network;
        this.host = host;
        this.namespace = namespace;
        this.route = route;
        devices = new SubnetDevices(network, host, namespace, route);
        entries = new PeerEntries(network, route);
    }

    /** Creates an empty namespace. If that fails, it leaves nothing. */
    static NetworkNamespace create(Network network, Host host) throws KernelException {
        Path pin = pin(network, host);
        // A removal that failed may have left one.
        delete(pin);
        Namespace namespace = Namespace.create(pin);
        try {
            return new NetworkNamespace(network, host, namespace, Route.in(namespace));
        } catch (KernelException failure) {
            namespace.close();
            Namespace.unpin(pin);
            throw failure;
        }
    }

    /**
     * Adds everything but the links to containers.
     *
     * @param vtep this node's address for VXLAN
     * @throws IOException if the kernel refuses a link, or an encrypted network's frames cannot be marked; {@link #delete} undoes the rest
     */
    void build(InetAddress vtep) throws IOException {
        route.links().setUp("lo");
        repairMark();
        for (Subnet subnet : network.subnets()) {
            devices.add(subnet, vtep);
        }
        complete = true;
    }

    /** Opens the namespace that a previous process created, if there is one. */
    static Optional<NetworkNamespace> open(Network network, Host host) throws KernelException {
        Optional<Namespace> namespace = Namespace.open(pin(network, host));
        if (namespace.isEmpty()) {
            return Optional.empty();
        }
        NetworkNamespace opened = new NetworkNamespace(network, host, namespace.get(), Route.in(namespace.get()));
        opened.complete = true;
        return Optional.of(opened);
    }

    /** Returns the bridges and VXLAN devices. */
    SubnetDevices devices() {
        return devices;
    }

    /** Returns whether a VXLAN device that was here is not any more: it was deleted, or moved to another namespace, where it may be up. */
    boolean lacksDevice() throws KernelException {
        return complete && !devices.areThere();
    }

    /** Returns the entries for peers. */
    PeerEntries entries() {
        return entries;
    }

    /**
     * Adds an endpoint's link to its subnet's bridge. The container's end is in the host's namespace, for the engine to take.
     *
     * @param vtep this node's address for VXLAN
     * @return the name of the container's end
     */
    String addEndpoint(Endpoint endpoint, Subnet subnet, InetAddress vtep) throws KernelException {
        String link = linkName(endpoint.id());
        Veth veth = new Veth(link, SubnetDevices.bridgeName(network, subnet), link, endpoint.mac(), network.linkMtu(vtep));
        try {
            route.links().addVeth(veth, host.namespace());
        } catch (KernelException taken) {
            // A process that died before it wrote its state file may have left one.
            if (!route.links().delete(link)) {
                throw taken;
            }
            route.links().addVeth(veth, host.namespace());
        }
        return link;
    }

    /**
     * Removes both ends of an endpoint's link.
     *
     * @return whether there was one
     */
    boolean removeEndpoint(String id) throws KernelException {
        return route.links().delete(linkName(id));
    }

    /** Returns whether the container's end of an endpoint's link is still in the host's namespace. */
    boolean isUntaken(Endpoint endpoint) throws KernelException {
        return host.route().links().find(linkName(endpoint.id())).isPresent();
    }

    /** Returns containers' links here by name, each with the MACs that static FDB entries have behind it. */
    Map<String, Set<MacAddress>> containerLinks() throws KernelException {
        Map<Integer, Set<MacAddress>> behind = new HashMap<>();
        for (StaticFdbEntry entry : route.ports().staticEntries()) {
            behind.computeIfAbsent(entry.link(), _ -> new HashSet<>()).add(entry.mac());
        }
        Map<String, Set<MacAddress>> links = new HashMap<>();
        route.links().list().stream().filter(link -> link.kind().equals("veth"))
                .forEach(link -> links.put(link.name(), behind.getOrDefault(link.index(), Set.of())));
        return links;
    }

    /** Returns whether a container has a link here that belongs to none of these endpoints. */
    boolean hasUnknownEndpoints(Collection<Endpoint> known) throws KernelException {
        Set<String> names = new HashSet<>();
        known.forEach(endpoint -> names.add(linkName(endpoint.id())));
        return route.links().list().stream().anyMatch(link -> link.kind().equals("veth") && !names.contains(link.name()));
    }

    /** Returns all links here, by name. */
    Map<String, Link> links() throws KernelException {
        Map<String, Link> links = new HashMap<>();
        route.links().list().forEach(link -> links.put(link.name(), link));
        return links;
    }

    /** Returns the endpoints whose link is gone, because the kernel deleted it with the container's namespace. */
    static List<Endpoint> gone(Map<String, Link> links, Collection<Endpoint> endpoints) {
        return endpoints.stream().filter(endpoint -> !links.containsKey(linkName(endpoint.id()))).toList();
    }

    /**
     * Restores links that others removed, set down or moved: bridges, VXLAN devices, and containers' links.
     *
     * @param links as {@link #links} returned them just now
     * @param endpoints that have a link here
     * @param vtep this node's address for VXLAN
     * @return how many changes that took
     */
    int repairLinks(Map<String, Link> links, Collection<Endpoint> endpoints, InetAddress vtep) throws KernelException {
        int repaired = 0;
        Set<StaticFdbEntry> installed = route.ports().staticEntries();
        for (Subnet subnet : network.subnets()) {
            repaired += devices.repair(subnet, links, vtep);
            repaired += repairContainerPorts(links, installed, subnet, endpoints, devices.bridge(subnet, links));
        }
        return repaired;
    }

    /** Puts containers' links on their bridge, with the static FDB entry of each. */
    private int repairContainerPorts(
            Map<String, Link> links, Set<StaticFdbEntry> installed, Subnet subnet, Collection<Endpoint> endpoints, int bridge)
            throws KernelException {
        List<ContainerPort> wrong = new ArrayList<>();
        for (Endpoint endpoint : endpoints) {
            Link link = links.get(linkName(endpoint.id()));
            if (link != null && subnet.pool().contains(endpoint.address().address())
                    && !(link.master().orElse(0) == bridge
                            && link.port().equals(Optional.of(BridgePort.TO_CONTAINER))
                            && installed.contains(new StaticFdbEntry(link.index(), endpoint.mac())))) {
                wrong.add(new ContainerPort(link.index(), bridge, endpoint.mac()));
            }
        }
        if (!wrong.isEmpty()) {
            route.ports().setContainerPorts(wrong);
        }
        return wrong.size();
    }

    /**
     * Marks an encrypted network's frames, and lets in only those that arrived sealed, if others undid that.
     *
     * @return how many sets of rules were restored
     * @throws IOException if the frames cannot be marked; the network must not send then
     */
    int repairMark() throws IOException {
        if (!network.encrypted()) {
            return 0;
        }
        if (mark.isEmpty()) {
            watchMark();
            mark = Optional.of(FrameMark.in(namespace, SecurityPolicy.MARK));
        }
        return mark.get().restore() ? 1 : 0;
    }

    /** Opens the watch before the mark is set, so that it misses no change. Without it the periodic repair notices them. */
    private void watchMark() {
        if (host.monitor().isEmpty() || markWatch.isPresent()) {
            return;
        }
        try {
            markWatch = Optional.of(host.monitor().get().watch(namespace));
        } catch (KernelException failure) {
            log.warn("cannot watch the rules of network {}, relying on the periodic check: {}", network.id(), failure.getMessage());
        }
    }

    /** Adds the addresses that are asked for here, and that the VXLAN devices have no entry of, to a monitor. */
    void watchMisses(KernelMonitor monitor) throws KernelException {
        missesWatch = Optional.of(monitor.watchMisses(namespace));
    }

    /** Returns which frames were dropped because they had not been sealed, as of the last {@link #repairMark}. */
    Drops drops() {
        return mark.map(FrameMark::drops).orElse(Drops.NONE);
    }

    /**
     * Deletes the namespace and everything in it, its VXLAN devices first, even if somebody unmounted it from its file. Can be repeated after
     * a failure.
     */
    void delete() throws KernelException {
        deleteTunnels(route);
        Namespace.unpin(pin(network, host));
        close();
    }

    /**
     * Deletes the namespace that is pinned on a file. Its VXLAN devices go first: they stop sending and their VNIs are free at once,
     * even if a process still holds the namespace open. It is no error if the namespace or the file is gone, and the call can be
     * repeated after a failure.
     */
    static void delete(Path pin) throws KernelException {
        Optional<Namespace> pinned = Namespace.open(pin);
        if (pinned.isPresent()) {
            try (Namespace namespace = pinned.get(); Route route = Route.in(namespace)) {
                deleteTunnels(route);
            }
        }
        Namespace.unpin(pin);
    }

    private static void deleteTunnels(Route route) throws KernelException {
        for (Link link : route.links().list()) {
            if (link.tunnel().isPresent()) {
                route.links().delete(link.name());
            }
        }
    }

    @Override
    public void close() {
        markWatch.ifPresent(KernelMonitor.Watch::close);
        missesWatch.ifPresent(KernelMonitor.Watch::close);
        mark.ifPresent(FrameMark::close);
        route.close();
        namespace.close();
    }

    private static Path pin(Network network, Host host) {
        return host.pins().resolve(network.id());
    }

    /** Returns the name of an endpoint's link. */
    static String linkName(String endpoint) {
        return "veth%.7s".formatted(endpoint);
    }
}
