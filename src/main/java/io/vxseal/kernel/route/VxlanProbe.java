package io.vxseal.kernel.route;

import io.vxseal.kernel.libc.Errno;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.netlink.NetlinkDescriptor;
import io.vxseal.kernel.netlink.NetlinkSocket;
import io.vxseal.kernel.netns.Namespace;
import java.net.InetAddress;
import java.util.Optional;

/**
 * Probe for VXLAN devices, up or down and in whichever namespace, whose datagrams travel in one namespace. The kernel lists the devices of
 * one namespace only, but refuses a second one of a VNI, port and IP version: so this adds one, down and in a namespace of its own, and
 * deletes it.
 */
public final class VxlanProbe implements AutoCloseable {
    private static final String NAME = "probe";
    private static final int MTU = 1400;
    private static final InetAddress ANY_IPV6 = InetAddress.ofLiteral("::");

    private final NetlinkSocket underlay;
    private final Namespace scratch;
    private final NetlinkSocket inside;

    private VxlanProbe(NetlinkSocket underlay, Namespace scratch, NetlinkSocket inside) {
        this.underlay = underlay;
        this.scratch = scratch;
        this.inside = inside;
    }

    /** @param underlay socket in the namespace in which the datagrams travel; stays open */
    static VxlanProbe in(NetlinkSocket underlay) throws KernelException {
        Namespace scratch = Namespace.create();
        try {
            return new VxlanProbe(underlay, scratch, NetlinkSocket.open(scratch, NetlinkDescriptor.NETLINK_ROUTE));
        } catch (KernelException failure) {
            scratch.close();
            throw failure;
        }
    }

    /** Returns whether there is a device with this VNI and port, of either IP version. */
    public boolean finds(int vni, int port) throws KernelException {
        return finds(vni, port, false) || finds(vni, port, true);
    }

    /** Returns whether there is a device with this VNI and port whose datagrams are of this IP version. */
    public boolean finds(int vni, int port, boolean ipv6) throws KernelException {
        Vxlan probe = new Vxlan(NAME, vni, port, MTU, ipv6 ? Optional.of(ANY_IPV6) : Optional.empty(), "");
        try {
            underlay.request("look for a VXLAN device with VNI " + vni, batch -> LinkMessages.writeVxlan(batch, probe, 0, scratch));
        } catch (KernelException refused) {
            if (refused.errno() == Errno.EEXIST) {
                return true;
            }
            if (refused.errno() == Errno.EPFNOSUPPORT) {
                // The kernel has no IPv6.
                return false;
            }
            throw refused;
        }
        // Its namespace ends some time after it was closed, and the VNI would be taken until then.
        inside.request("delete link " + NAME, batch -> LinkMessages.writeDeletion(batch, NAME), Errno.ENODEV);
        return false;
    }

    @Override
    public void close() {
        inside.close();
        scratch.close();
    }
}
