package io.vxseal.kernel.route;

import io.vxseal.address.MacAddress;
import java.net.InetAddress;

/**
 * An endpoint on another node, as a VXLAN device knows it: a neighbour (address → MAC), with which the device answers ARP and
 * neighbour solicitations on the endpoint's behalf, and an FDB entry (MAC → VTEP).
 */
public record RemoteEndpoint(InetAddress address, MacAddress mac, InetAddress vtep) {}
