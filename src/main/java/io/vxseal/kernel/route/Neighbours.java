package io.vxseal.kernel.route;

import io.vxseal.address.MacAddress;
import io.vxseal.kernel.libc.Errno;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.netlink.NetlinkSocket;
import io.vxseal.kernel.netlink.NetlinkSocket.Writer;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Neighbours and forwarding entries (FDB) of the VXLAN devices in a network namespace. */
public final class Neighbours {
    private final NetlinkSocket socket;
    private final Links links;

    Neighbours(NetlinkSocket socket, Links links) {
        this.socket = socket;
        this.links = links;
    }

    /** One entry of an endpoint to be changed: its forwarding entry or its neighbour. */
    private record EntryChange(RemoteEndpoint endpoint, boolean forwarding) {
        String describe(String verb, String vxlan) {
            return "%s %s %s on %s".formatted(verb, forwarding ? "forwarding entry" : "neighbour", endpoint, vxlan);
        }
    }

    /**
     * Adds the entries of endpoints to a VXLAN device. Existing ones for the same address or MAC are replaced. All are tried.
     *
     * @param vxlan name of the device
     * @throws KernelException for the first one refused; those for the others are suppressed in it
     */
    public void add(String vxlan, Collection<RemoteEndpoint> endpoints) throws KernelException {
        if (endpoints.isEmpty()) {
            return;
        }
        int index = links.index(vxlan);
        change("add", vxlan, endpoints, (batch, change) -> {
            if (change.forwarding) {
                NeighbourMessages.writeForwarding(batch, index, change.endpoint);
            } else {
                NeighbourMessages.writeNeighbour(batch, index, change.endpoint);
            }
        });
    }

    /**
     * Removes the entries of endpoints from a VXLAN device. It is no error if an entry or the device is gone.
     *
     * <p>A neighbour is removed by its address, whatever its MAC is by now, and a forwarding entry by its MAC and VTEP. So
     * if another endpoint has replaced an entry with the same address, its entry must be added again.
     */
    public void remove(String vxlan, Collection<RemoteEndpoint> endpoints) throws KernelException {
        Optional<Link> device = endpoints.isEmpty() ? Optional.empty() : links.find(vxlan);
        if (device.isEmpty()) {
            return;
        }
        int index = device.get().index();
        change("remove", vxlan, endpoints, (batch, change) -> {
            if (change.forwarding) {
                NeighbourMessages.writeForwardingDeletion(batch, index, change.endpoint);
            } else {
                NeighbourMessages.writeNeighbourDeletion(batch, index, change.endpoint);
            }
        }, Errno.ENOENT, Errno.ESRCH);
    }

    private void change(
            String verb, String vxlan, Collection<RemoteEndpoint> endpoints, Writer<EntryChange> writer, Integer... ignored)
            throws KernelException {
        var changes = new ArrayList<EntryChange>(2 * endpoints.size());
        for (RemoteEndpoint endpoint : endpoints) {
            // Forwarding first: frames follow as soon as the device answers ARP requests for the address.
            changes.add(new EntryChange(endpoint, true));
            changes.add(new EntryChange(endpoint, false));
        }
        socket.requestAll(changes, writer, change -> change.describe(verb, vxlan), ignored);
    }

    /**
     * Makes a VXLAN device answer ARP requests for addresses, with MACs that no frame is forwarded to.
     *
     * @see #list which leaves these out
     */
    public void addUnforwarded(String vxlan, Collection<InetAddress> addresses) throws KernelException {
        if (!addresses.isEmpty()) {
            int index = links.index(vxlan);
            socket.requestAll(
                    List.copyOf(addresses),
                    (batch, address) -> NeighbourMessages.writeNeighbour(batch, index, address, MacAddress.of(address)),
                    address -> "add neighbour " + address.getHostAddress() + " on " + vxlan);
        }
    }

    /** Removes what {@link #addUnforwarded} added. It is no error if an entry or the device is gone. */
    public void removeUnforwarded(String vxlan, Collection<InetAddress> addresses) throws KernelException {
        Optional<Link> device = addresses.isEmpty() ? Optional.empty() : links.find(vxlan);
        if (device.isPresent()) {
            int index = device.get().index();
            socket.requestAll(
                    List.copyOf(addresses),
                    (batch, address) -> NeighbourMessages.writeNeighbourDeletion(batch, index, address, MacAddress.of(address)),
                    address -> "remove neighbour " + address.getHostAddress() + " on " + vxlan,
                    Errno.ENOENT,
                    Errno.ESRCH);
        }
    }

    /** Returns the addresses that {@link #addUnforwarded} added to a VXLAN device, and those of endpoints without a forwarding entry. None if the device is gone. */
    public Set<InetAddress> listUnforwarded(String vxlan) throws KernelException {
        Optional<Link> device = links.find(vxlan);
        if (device.isEmpty()) {
            return Set.of();
        }
        int index = device.get().index();
        Set<MacAddress> forwarded = vteps(vxlan, index).keySet();
        Set<InetAddress> unforwarded = new HashSet<>();
        for (NeighbourMessages.Entry entry : permanent(vxlan, index)) {
            if (!forwarded.contains(entry.mac())) {
                unforwarded.add(entry.destination());
            }
        }
        return unforwarded;
    }

    /** Returns the permanent neighbours of a VXLAN device, each with the VTEPs to which its MAC is forwarded. */
    public List<RemoteEndpoint> list(String vxlan) throws KernelException {
        int index = links.index(vxlan);
        Map<MacAddress, Set<InetAddress>> vteps = vteps(vxlan, index);
        var endpoints = new ArrayList<RemoteEndpoint>();
        for (NeighbourMessages.Entry entry : permanent(vxlan, index)) {
            for (InetAddress vtep : vteps.getOrDefault(entry.mac(), Set.of())) {
                endpoints.add(new RemoteEndpoint(entry.destination(), entry.mac(), vtep));
            }
        }
        return endpoints;
    }

    /** Returns the VTEPs of a VXLAN device by the MAC that it forwards to them. */
    private Map<MacAddress, Set<InetAddress>> vteps(String vxlan, int index) throws KernelException {
        Map<MacAddress, Set<InetAddress>> vteps = new HashMap<>();
        for (NeighbourMessages.Entry entry : socket.dump(
                "list forwarding entries of " + vxlan,
                batch -> NeighbourMessages.writeForwardingDump(batch, index),
                (type, payload) -> NeighbourMessages.readForwarding(type, payload, index))) {
            vteps.computeIfAbsent(entry.mac(), _ -> new LinkedHashSet<>()).add(entry.destination());
        }
        return vteps;
    }

    private List<NeighbourMessages.Entry> permanent(String vxlan, int index) throws KernelException {
        return socket.dump(
                "list neighbours on " + vxlan,
                NeighbourMessages::writeNeighbourDump,
                (type, payload) -> NeighbourMessages.readNeighbour(type, payload, index));
    }

    /**
     * Sets whether a VXLAN device learns VTEPs from received frames. One that does not learn forgets what it learnt and keeps
     * the entries that were added.
     */
    public void setLearning(String vxlan, boolean learning) throws KernelException {
        int index = links.index(vxlan);
        socket.request(
                "set learning of VXLAN device " + vxlan,
                batch -> LinkMessages.writeVxlanLearning(batch, index, learning));
        if (learning) {
            return;
        }
        List<RouteChange> changes = new ArrayList<>();
        for (MacAddress mac : socket.dump(
                "list forwarding entries of " + vxlan,
                batch -> NeighbourMessages.writeForwardingDump(batch, index),
                (type, payload) -> NeighbourMessages.readLearnt(type, payload, index))) {
            changes.add(new RouteChange(
                    "delete the learnt entry for %s on VXLAN device %s".formatted(mac, vxlan),
                    batch -> NeighbourMessages.writeLearntDeletion(batch, index, mac)));
        }
        RouteChange.makeAll(socket, changes, Errno.ENOENT);
    }
}
