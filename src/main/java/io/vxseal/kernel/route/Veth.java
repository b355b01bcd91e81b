package io.vxseal.kernel.route;

import io.vxseal.address.MacAddress;

/**
 * A veth pair to be created.
 *
 * @param name of the end on the bridge
 * @param bridge name of the bridge that end {@code name} becomes a port of
 * @param peer name of the other end
 * @param peerMac MAC address of the other end
 * @param mtu of both ends, in octets
 */
public record Veth(String name, String bridge, String peer, MacAddress peerMac, int mtu) {}
