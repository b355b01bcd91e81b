package io.vxseal.overlay;

import io.vxseal.address.IpAddress;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.netns.Namespace;
import io.vxseal.kernel.route.Bridge;
import io.vxseal.kernel.route.BridgePort;
import io.vxseal.kernel.route.Link;
import io.vxseal.kernel.route.Route;
import io.vxseal.kernel.route.Vxlan;
import io.vxseal.kernel.route.VxlanTunnel;
import java.net.InetAddress;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Bridges and VXLAN devices of a network in its namespace, one of each per subnet. */
final class SubnetDevices {
    private final Network network;
    private final Host host;
    private final Namespace namespace;
    private final Route route;

    SubnetDevices(Network network, Host host, Namespace namespace, Route route) {
        this.network = network;
        this.host = host;
        this.namespace = namespace;
        this.route = route;
    }

    static String bridgeName(Network network, Subnet subnet) {
        return "ov-%06x-%.5s".formatted(subnet.vni(), network.id());
    }

    static String vxlanName(Network network, Subnet subnet) {
        return "vx-%06x-%.5s".formatted(subnet.vni(), network.id());
    }

    private String bridgeName(Subnet subnet) {
        return bridgeName(network, subnet);
    }

    private String vxlanName(Subnet subnet) {
        return vxlanName(network, subnet);
    }

    /**
     * Adds a subnet's bridge and VXLAN device.
     *
     * @param vtep this node's address for VXLAN
     */
    void add(Subnet subnet, InetAddress vtep) throws KernelException {
        route.links().addBridge(new Bridge(bridgeName(subnet), network.linkMtu(vtep), List.of(subnet.gateway())));
        addVxlan(subnet, vtep);
    }

    private void addVxlan(Subnet subnet, InetAddress vtep) throws KernelException {
        Vxlan vxlan = new Vxlan(
                vxlanName(subnet), subnet.vni(), host.port(), network.linkMtu(vtep), Optional.of(vtep), bridgeName(subnet));
        host.route().links().addVxlan(vxlan, namespace, route.links());
        route.links().setAlias(vxlan.name(), EncryptionEvidence.alias(network.encrypted()));
    }

    /**
     * Restores a subnet's bridge and VXLAN device if others removed or changed them.
     *
     * @param links of the namespace, by name
     * @param vtep this node's address for VXLAN
     * @return how many changes that took
     */
    int repair(Subnet subnet, Map<String, Link> links, InetAddress vtep) throws KernelException {
        Link bridge = links.get(bridgeName(subnet));
        if (bridge == null) {
            // A VXLAN device without its bridge is made anew with it.
            route.links().delete(vxlanName(subnet));
            add(subnet, vtep);
            return 2;
        }
        int repaired = 0;
        if (!bridge.up()) {
            route.links().setUp(bridge.name());
            repaired++;
        }
        Link vxlan = links.get(vxlanName(subnet));
        if (vxlan == null || !isCorrect(vxlan, subnet, bridge, vtep)) {
            route.links().delete(vxlanName(subnet));
            addVxlan(subnet, vtep);
            return repaired + 1;
        }
        return repaired + repairLearning(vxlan);
    }

    private boolean isCorrect(Link vxlan, Subnet subnet, Link bridge, InetAddress vtep) {
        return vxlan.up()
                && vxlan.master().orElse(0) == bridge.index()
                && vxlan.tunnel().filter(tunnel -> tunnel.vni() == subnet.vni()
                        && tunnel.port() == host.port()
                        && tunnel.local().equals(Optional.of(vtep))).isPresent();
    }

    /** Turns off that a VXLAN device learns addresses from frames. Those of version 0.1.0 do. */
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

    /**
     * Returns the index of a subnet's bridge.
     *
     * @param links of the namespace, by name, before {@link #repair}
     */
    int bridge(Subnet subnet, Map<String, Link> links) throws KernelException {
        Link known = links.get(bridgeName(subnet));
        return (known != null ? known : route.links().find(bridgeName(subnet)).orElseThrow()).index();
    }

    /** Returns whether each subnet has its VXLAN device here, up or down. */
    boolean areThere() throws KernelException {
        Set<String> names = new HashSet<>();
        route.links().list().forEach(link -> names.add(link.name()));
        return network.subnets().stream().allMatch(subnet -> names.contains(vxlanName(subnet)));
    }

    /** Returns the address that a VXLAN device here sends from, if there is one. */
    Optional<InetAddress> local() throws KernelException {
        return route.links().list().stream()
                .flatMap(link -> link.tunnel().stream())
                .flatMap(tunnel -> tunnel.local().stream())
                .findFirst();
    }

    /** Sets all VXLAN devices down, so that no packet passes them until {@link #repair}. */
    void setDown() throws KernelException {
        for (Link link : route.links().list()) {
            if (link.tunnel().isPresent() && link.up()) {
                route.links().setDown(link.name());
            }
        }
    }

    /**
     * Removes VXLAN devices that the network's protection does not cover.
     *
     * <p>One of ours with another VNI or port, or whose datagrams are of the other IP version, is deleted. One of another maker is set
     * down. A device with another name is not covered, because the rules for incoming frames match the name. If it has a VNI and port of
     * this network it is deleted: they are in use as long as it exists.
     *
     * @param vtep this node's address for VXLAN, if it is known
     * @return how many devices were deleted or set down
     */
    int removeUnprotected(Optional<InetAddress> vtep) throws KernelException {
        int removed = 0;
        for (Link link : route.links().list()) {
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
                        || IpAddress.haveSameVersion(tunnel.local().get(), vtep.get()));
    }
}
