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
 * @param sandbox name of the file on which the engine mounts the container's network namespace; empty if it is not known, as for one
 *     that joined version 0.1.0
 */
public record Endpoint(String id, String network, Cidr address, MacAddress mac, boolean joined, String sandbox) {
    public Endpoint {
        sandbox = sandbox == null ? "" : sandbox;
    }

    /** Creates an endpoint whose container's network namespace is not known. */
    Endpoint(String id, String network, Cidr address, MacAddress mac, boolean joined) {
        this(id, network, address, mac, joined, "");
    }

    Endpoint withJoined(boolean now) {
        return new Endpoint(id, network, address, mac, now, sandbox);
    }

    Endpoint in(String otherSandbox) {
        return new Endpoint(id, network, address, mac, joined, otherSandbox);
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
