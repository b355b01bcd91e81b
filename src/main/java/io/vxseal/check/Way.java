package io.vxseal.check;

import io.vxseal.address.MacAddress;
import io.vxseal.kernel.firewall.SealedPriority;
import io.vxseal.kernel.xfrm.SecurityPolicy;
import java.net.Inet4Address;
import java.util.List;

/**
 * A way to another node.
 *
 * @param node its address
 * @param network id of a network with containers on both nodes
 * @param vni of the network's subnet that these containers are in
 * @param here a container of this node
 * @param there containers of the other one
 */
public record Way(String node, String network, boolean encrypted, int vni, Endpoint here, List<Endpoint> there) {

    /** A container's end of a network. */
    public record Endpoint(MacAddress mac, Inet4Address address) {}

    /** Returns the firewall mark of the network's frames. */
    int mark() {
        return encrypted ? SecurityPolicy.MARK : 0;
    }

    /** Returns their packet priority. */
    int priority() {
        return encrypted ? SealedPriority.PRIORITY : 0;
    }
}
