package io.vxseal.peers;

import io.vxseal.address.Cidr;
import io.vxseal.address.MacAddress;
import java.net.InetAddress;

/**
 * Endpoint as other nodes know it, an entry of moby's peer database.
 *
 * @param network the network's id
 * @param endpoint the endpoint's id
 * @param address of the container's interface, with its subnet's prefix
 * @param mac of the container's interface
 * @param vtep the node's address for VXLAN (VXLAN tunnel end point)
 */
public record Peer(String network, String endpoint, Cidr address, MacAddress mac, InetAddress vtep) {}
