package io.vxseal.kernel.route;

import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.netlink.NetlinkSocket;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** The bridge ports of a network namespace and the static entries of its bridges' forwarding databases (FDB). */
public final class BridgePorts {
    private final NetlinkSocket socket;

    BridgePorts(NetlinkSocket socket) {
        this.socket = socket;
    }

    /**
     * Sets ports. One that does not learn forgets what it learnt. All are tried.
     *
     * @param ports by index of the link
     * @throws KernelException for the first one refused; those for the others are suppressed in it
     */
    public void set(Map<Integer, BridgePort> ports) throws KernelException {
        List<RouteChange> changes = new ArrayList<>();
        ports.forEach((index, port) -> changes.add(change("with index " + index, index, port)));
        RouteChange.makeAll(socket, changes);
    }

    /**
     * Makes links the ports of containers on their bridges: frames to other MACs are not flooded to them, their source MACs are
     * not learnt, and a static, sticky entry names the container's MAC before its first frame, whatever other frames claim.
     * What a link learnt before is forgotten. All are tried.
     *
     * @throws KernelException for the first one refused; those for the others are suppressed in it
     */
    public void setContainerPorts(Collection<ContainerPort> ports) throws KernelException {
        List<RouteChange> changes = new ArrayList<>();
        ports.forEach(port -> changes.addAll(changes(port)));
        RouteChange.makeAll(socket, changes);
    }

    /** Returns the static, sticky entries of all bridges in the namespace. */
    public Set<StaticFdbEntry> staticEntries() throws KernelException {
        return Set.copyOf(socket.dump(
                "list forwarding entries",
                batch -> NeighbourMessages.writeForwardingDump(batch, 0),
                NeighbourMessages::readStatic));
    }

    static RouteChange change(String link, int index, BridgePort port) {
        return new RouteChange(
                "set learning and flooding of link " + link, batch -> LinkMessages.writePort(batch, index, port));
    }

    static List<RouteChange> changes(ContainerPort port) {
        String link = "with index " + port.link();
        return List.of(
                new RouteChange(
                        "put link %s on the bridge with index %d".formatted(link, port.bridge()),
                        batch -> LinkMessages.writeMaster(batch, port.link(), port.bridge())),
                change(link, port.link(), BridgePort.TO_CONTAINER),
                new RouteChange(
                        "add a static entry for %s to link %s".formatted(port.mac(), link),
                        batch -> NeighbourMessages.writeStatic(batch, new StaticFdbEntry(port.link(), port.mac()))));
    }
}
