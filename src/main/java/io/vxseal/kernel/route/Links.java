package io.vxseal.kernel.route;

import io.vxseal.address.Cidr;
import io.vxseal.kernel.libc.Errno;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.libc.LibC;
import io.vxseal.kernel.netlink.AddressFamily;
import io.vxseal.kernel.netlink.NetlinkSocket;
import io.vxseal.kernel.netns.Namespace;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** The links of a network namespace and their addresses. Each add is either done completely or leaves nothing behind. */
public final class Links {
    private final NetlinkSocket socket;

    Links(NetlinkSocket socket) {
        this.socket = socket;
    }

    /**
     * Adds a bridge, sets it up with its addresses and makes it forward IPv4 between them.
     *
     * <p>Forwarding is set by netlink (IFLA_INET_CONF), because /proc/sys is read-only in a plugin's container. There
     * is no such attribute for IPv6: inet6_set_link_af() in {@code net/ipv6/addrconf.c} takes a token and an address
     * mode only. That does not affect bridging, which is all that endpoints of one subnet need.
     *
     * @throws KernelException EEXIST if a link has the name
     */
    public void addBridge(Bridge bridge) throws KernelException {
        String name = bridge.name();
        socket.request("add bridge " + name, batch -> LinkMessages.writeBridge(batch, bridge));
        try {
            int index = index(name);
            socket.request("forward IPv4 on bridge " + name, batch -> LinkMessages.writeForwarding(batch, index));
            for (Cidr address : bridge.addresses()) {
                socket.request(
                        "add address " + address + " to " + name,
                        batch -> AddressMessages.writeAddition(batch, index, address));
            }
        } catch (KernelException failure) {
            rollBack(name, failure);
            throw failure;
        }
    }

    /**
     * Adds a VXLAN device whose datagrams travel in this namespace and whose frames appear in another: it is created
     * there directly, as a port of its bridge, and up. ARP proxy and both miss notifications are on, as in the built-in
     * driver (moby, {@code overlay/ov_utils.go}). Learning is off, on the device and on its port, because a container may forge
     * the source address of a frame; the other nodes announce where each container is.
     *
     * @param into the namespace of the bridge
     * @param intoLinks the links of {@code into}
     * @throws KernelException EEXIST if the name, or a device with this VNI and port in this namespace, exists; ENODEV if
     *     the bridge does not exist
     */
    public void addVxlan(Vxlan vxlan, Namespace into, Links intoLinks) throws KernelException {
        String name = vxlan.name();
        int bridge = intoLinks.index(vxlan.bridge());
        socket.request(
                "add VXLAN device " + name + " with VNI " + vxlan.vni(),
                batch -> LinkMessages.writeVxlan(batch, vxlan, bridge, into));
        try {
            int index = intoLinks.index(name);
            RouteChange.makeAll(
                    intoLinks.socket, List.of(BridgePorts.change(name, index, BridgePort.TO_VXLAN), up(name, index)));
        } catch (KernelException failure) {
            intoLinks.rollBack(name, failure);
            throw failure;
        }
    }

    /** Opens a probe for VXLAN devices, in whichever namespace, whose datagrams travel in this one. */
    public VxlanProbe vxlanProbe() throws KernelException {
        return VxlanProbe.in(socket);
    }

    /**
     * Adds a veth pair: one end here, up and a {@linkplain BridgePorts#setContainerPorts container's port} of its bridge; the
     * other end in {@code peerNamespace}, down, with its MAC address.
     *
     * @throws KernelException EEXIST if a link has one of the names; ENODEV if the bridge does not exist
     */
    public void addVeth(Veth veth, Namespace peerNamespace) throws KernelException {
        String name = veth.name();
        int bridge = index(veth.bridge());
        socket.request(
                "add veth pair " + name + " and " + veth.peer(),
                batch -> LinkMessages.writeVeth(batch, veth, bridge, peerNamespace));
        try {
            int index = index(name);
            // The creation ignores the port's settings; so they are made before the first frame can pass.
            List<RouteChange> changes =
                    new ArrayList<>(BridgePorts.changes(new ContainerPort(index, bridge, veth.peerMac())));
            changes.add(up(name, index));
            RouteChange.makeAll(socket, changes);
        } catch (KernelException failure) {
            rollBack(name, failure);
            throw failure;
        }
    }

    private static RouteChange up(String name, int index) {
        return new RouteChange("set link " + name + " up", batch -> LinkMessages.writeUp(batch, index));
    }

    private void rollBack(String name, KernelException cause) {
        try {
            delete(name);
        } catch (KernelException failure) {
            cause.addSuppressed(failure);
        }
    }

    public void setUp(String name) throws KernelException {
        int index = index(name);
        socket.request("set link " + name + " up", batch -> LinkMessages.writeUp(batch, index));
    }

    /** Sets a link down, so that nothing passes it. It is no error if the link is gone. */
    public void setDown(String name) throws KernelException {
        Optional<Link> link = find(name);
        if (link.isPresent()) {
            socket.request(
                    "set link " + name + " down", batch -> LinkMessages.writeDown(batch, link.get().index()));
        }
    }

    /** Deletes a link, and the other end with it if it is a veth. Returns false if it did not exist. */
    public boolean delete(String name) throws KernelException {
        return socket.request("delete link " + name, batch -> LinkMessages.writeDeletion(batch, name), Errno.ENODEV) == 0;
    }

    /** Returns the link with that name; empty if there is none. */
    public Optional<Link> find(String name) throws KernelException {
        return socket.get(
                "find link " + name, batch -> LinkMessages.writeQuery(batch, name), LinkMessages::read, Errno.ENODEV);
    }

    /** Returns all links of the namespace. */
    public List<Link> list() throws KernelException {
        return socket.dump("list links", LinkMessages::writeDump, LinkMessages::read);
    }

    int index(String name) throws KernelException {
        return find(name).map(Link::index).orElseThrow(() -> LibC.failure("find link " + name, Errno.ENODEV));
    }

    /** Returns the IPv4 addresses of a link, with their prefixes. */
    public List<Cidr> addresses(Link link) throws KernelException {
        return socket.dump(
                "list addresses of " + link.name(),
                batch -> AddressMessages.writeDump(batch, AddressFamily.AF_INET),
                (type, payload) -> AddressMessages.read(type, payload, link.index()));
    }

    /** Returns whether a link of the namespace has the address. */
    public boolean hasAddress(InetAddress address) throws KernelException {
        return socket.dump(
                        "list addresses",
                        batch -> AddressMessages.writeDump(batch, AddressFamily.of(address)),
                        AddressMessages::read)
                .contains(address);
    }

    /** Returns the link that has the address; empty if there is none. */
    public Optional<Link> withAddress(InetAddress address) throws KernelException {
        List<Integer> indices = socket.dump(
                "list addresses",
                batch -> AddressMessages.writeDump(batch, AddressFamily.of(address)),
                (type, payload) -> AddressMessages.linkOf(type, payload, address));
        return list().stream().filter(link -> indices.contains(link.index())).findFirst();
    }

    /** Sets the alias of a link, a text without effect. */
    public void setAlias(String name, String alias) throws KernelException {
        int index = index(name);
        socket.request("set the alias of link " + name, batch -> LinkMessages.writeAlias(batch, index, alias));
    }

    /** Returns the alias of a link; empty if it has none or the link is gone. */
    public String alias(String name) throws KernelException {
        return socket.get(
                        "find link " + name,
                        batch -> LinkMessages.writeQuery(batch, name),
                        LinkMessages::readAlias,
                        Errno.ENODEV)
                .orElse("");
    }
}
