package io.vxseal.kernel.route;

import io.vxseal.address.MacAddress;
import java.net.InetAddress;
import java.util.Optional;

/**
 * A VXLAN device to be created (RFC 7348).
 *
 * @param vni VXLAN network identifier, 24 bits
 * @param port UDP destination port, and the port on which the device listens
 * @param mtu of the inner frame's payload, in octets
 * @param local source address of the datagrams; an IPv6 one, which may be {@code ::}, makes the transport IPv6. Without it the
 *     transport is IPv4, and routing chooses the source
 * @param bridge name of the bridge that the device becomes a port of
 */
public record Vxlan(String name, int vni, int port, int mtu, Optional<InetAddress> local, String bridge) {
    /**
     * MAC address of every VXLAN device. No frame carries it, so it may be the same for all. It is high, because a bridge takes
     * the lowest of its ports' addresses.
     */
    public static final MacAddress MAC = MacAddress.parse("fe:76:d0:c4:e3:00");
}
