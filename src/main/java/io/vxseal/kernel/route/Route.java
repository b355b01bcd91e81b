package io.vxseal.kernel.route;

import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.netlink.NetlinkDescriptor;
import io.vxseal.kernel.netlink.NetlinkSocket;
import io.vxseal.kernel.netns.Namespace;

/**
 * Links, bridge ports, neighbours, forwarding entries and routes of one network namespace, by rtnetlink (rtnetlink(7)). All share a
 * socket that belongs to the namespace, whichever thread uses it.
 *
 * <p>Safe for use by several threads.
 */
public final class Route implements AutoCloseable {
    private final NetlinkSocket socket;
    private final Links links;
    private final BridgePorts ports;
    private final Neighbours neighbours;
    private final Routes routes;

    private Route(NetlinkSocket socket) {
        this.socket = socket;
        this.links = new Links(socket);
        this.ports = new BridgePorts(socket);
        this.neighbours = new Neighbours(socket, links);
        this.routes = new Routes(socket, links);
    }

    /** Opens a socket in the namespace, which may be closed afterwards. */
    public static Route in(Namespace namespace) throws KernelException {
        return new Route(NetlinkSocket.open(namespace, NetlinkDescriptor.NETLINK_ROUTE));
    }

    public Links links() {
        return links;
    }

    public BridgePorts ports() {
        return ports;
    }

    public Neighbours neighbours() {
        return neighbours;
    }

    public Routes routes() {
        return routes;
    }

    @Override
    public void close() {
        socket.close();
    }
}
