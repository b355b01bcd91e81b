package io.vxseal.overlay;

import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.route.RemoteEndpoint;
import io.vxseal.kernel.route.Route;
import io.vxseal.peers.Peer;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;

/** Neighbour and forwarding (FDB) entries of a network for its endpoints on other nodes. */
final class PeerEntries {
    private final Network network;
    private final Route route;

    /** VIPs of services for which the VXLAN devices answer ARP requests. */
    private Set<InetAddress> vips = Set.of();

    /** @param route of the network's namespace */
    PeerEntries(Network network, Route route) {
        this.network = network;
        this.route = route;
    }

    /** Adds the entries of peers. */
    void add(Collection<Peer> peers) throws KernelException {
        for (var subnet : bySubnet(peers).entrySet()) {
            route.neighbours().add(vxlan(subnet.getKey()), subnet.getValue());
        }
    }

    /** Removes the entries of peers. */
    void remove(Collection<Peer> peers) throws KernelException {
        for (var subnet : bySubnet(peers).entrySet()) {
            route.neighbours().remove(vxlan(subnet.getKey()), subnet.getValue());
        }
    }

    /**
     * Restores the entries of peers, and removes others.
     *
     * @param peers in force, on other nodes
     * @param complete whether these are all peers; if not, entries for other addresses stay
     * @return how many peers' entries were added or removed
     */
    int repair(Collection<Peer> peers, boolean complete) throws KernelException {
        int repaired = 0;
        Map<Subnet, List<RemoteEndpoint>> bySubnet = bySubnet(peers);
        for (Subnet subnet : network.subnets()) {
            Set<RemoteEndpoint> wanted = new HashSet<>(bySubnet.getOrDefault(subnet, List.of()));
            Set<RemoteEndpoint> found = Set.copyOf(route.neighbours().list(vxlan(subnet)));
            Set<RemoteEndpoint> stale = new HashSet<>(found);
            stale.removeAll(wanted);
            if (!complete) {
                Set<InetAddress> known = new HashSet<>();
                wanted.forEach(entry -> known.add(entry.address()));
                stale.removeIf(entry -> !known.contains(entry.address()));
            }
            Set<RemoteEndpoint> missing = new HashSet<>(wanted);
            missing.removeAll(found);
            repaired += stale.size() + missing.size();
            if (!stale.isEmpty()) {
                route.neighbours().remove(vxlan(subnet), stale);
                // A removed entry may have shared its address or its MAC address with one that must stay.
                missing = wanted;
            }
            route.neighbours().add(vxlan(subnet), missing);
        }
        return repaired;
    }

    /**
     * Makes the VXLAN devices answer ARP requests for VIPs. A connection that begins before there is a rule for its VIP loses its first
     * packet then, and goes on with the second, instead of failing after three seconds.
     *
     * @param now all VIPs
     * @param peers addresses that are endpoints' by now, whose entries stay
     */
    void setVips(Set<InetAddress> now, Predicate<InetAddress> peers) throws KernelException {
        Set<InetAddress> gone = new HashSet<>(vips);
        gone.removeAll(now);
        gone.removeIf(peers);
        vips = Set.copyOf(now);
        for (Subnet subnet : network.subnets()) {
            route.neighbours().removeUnforwarded(vxlan(subnet), within(subnet, gone));
        }
        addVips();
    }

    /** Takes over the entries for VIPs that an earlier process added. */
    void adoptVips() throws KernelException {
        Set<InetAddress> found = new HashSet<>();
        for (Subnet subnet : network.subnets()) {
            found.addAll(route.neighbours().listUnforwarded(vxlan(subnet)));
        }
        vips = Set.copyOf(found);
    }

    /** Adds the entries for VIPs again, as to a device that was made anew. */
    void addVips() throws KernelException {
        for (Subnet subnet : network.subnets()) {
            route.neighbours().addUnforwarded(vxlan(subnet), within(subnet, vips));
        }
    }

    private static List<InetAddress> within(Subnet subnet, Set<InetAddress> addresses) {
        return addresses.stream().filter(subnet.pool()::contains).toList();
    }

    private String vxlan(Subnet subnet) {
        return SubnetDevices.vxlanName(network, subnet);
    }

    private Map<Subnet, List<RemoteEndpoint>> bySubnet(Collection<Peer> peers) {
        Map<Subnet, List<RemoteEndpoint>> bySubnet = new HashMap<>();
        for (Peer peer : peers) {
            InetAddress address = peer.address().address();
            network.subnetOf(address)
                    .ifPresent(subnet -> bySubnet
                            .computeIfAbsent(subnet, _ -> new ArrayList<>())
                            .add(new RemoteEndpoint(address, peer.mac(), peer.vtep())));
        }
        return bySubnet;
    }
}
