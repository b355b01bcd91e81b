package io.vxseal.overlay;

import io.vxseal.address.Cidr;
import io.vxseal.address.MacAddress;
import io.vxseal.peers.Peer;
import java.net.InetAddress;

/**
 * A container's interface on a network.
 *
 * @param id Docker's id of it
 * @param network its network's id
 * @param address with its subnet's prefix
 * @param mac of the interface
 * @param joined whether it has a link
 */
public record Endpoint(String id, String network, Cidr address, MacAddress mac, boolean joined) {
    Endpoint withJoined(boolean now) {
        return new Endpoint(id, network, address, mac, now);
    }

    /**
     * Returns the endpoint as other nodes know it.
     *
     * @param vtep this node's address
     */
    Peer asPeer(InetAddress vtep) {
        return new Peer(network, id, address, mac, vtep);
    }
}
