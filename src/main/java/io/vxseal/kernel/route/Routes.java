package io.vxseal.kernel.route;

import io.vxseal.kernel.libc.Errno;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.netlink.NetlinkSocket;
import java.net.InetAddress;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/** The routes of a network namespace. */
public final class Routes {
    private final NetlinkSocket socket;
    private final Links links;

    Routes(NetlinkSocket socket, Links links) {
        this.socket = socket;
        this.links = links;
    }

    /** Returns the name of the link by which packets leave for an address; empty without a route. */
    public Optional<String> link(InetAddress to) throws KernelException {
        Optional<RouteMessages.Found> found = socket.get("find the route to " + to.getHostAddress(),
                batch -> RouteMessages.writeLookup(batch, to), RouteMessages::read,
                Errno.ENETUNREACH, Errno.EHOSTUNREACH, Errno.EINVAL);
        if (found.isEmpty()) {
            return Optional.empty();
        }
        return links.list().stream().filter(link -> link.index() == found.get().link()).map(Link::name).findFirst();
    }

    /**
     * Returns the largest packet that the route to each address carries, as far as the kernel knows: by the route's own setting, by what
     * a router on the way has reported, or by the link that it leaves by. An address without a route is left out.
     */
    public Map<InetAddress, Integer> mtus(InetAddress from, Iterable<InetAddress> destinations) throws KernelException {
        Map<Integer, Integer> ofLinks = new HashMap<>();
        for (Link link : links.list()) {
            ofLinks.put(link.index(), link.mtu());
        }
        Map<InetAddress, Integer> mtus = new HashMap<>();
        for (InetAddress to : destinations) {
            Optional<RouteMessages.Found> found = socket.get("find the route to " + to.getHostAddress(),
                    batch -> RouteMessages.writeLookup(batch, from, to), RouteMessages::read,
                    Errno.ENETUNREACH, Errno.EHOSTUNREACH, Errno.EINVAL);
            found.map(route -> route.mtu() == 0 ? ofLinks.getOrDefault(route.link(), 0) : route.mtu())
                    .filter(mtu -> mtu > 0)
                    .ifPresent(mtu -> mtus.put(to, mtu));
        }
        return mtus;
    }
}
