package io.vxseal.kernel.route;

import io.vxseal.address.MacAddress;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * An existing link.
 *
 * @param kind {@code bridge}, {@code vxlan}, {@code veth} and so on; empty for one without a kind, such as loopback
 * @param master index of the link that it is a port of
 * @param mtu in octets
 * @param mac all zeros if the link has no address of six octets
 * @param up whether it was set up, with or without a carrier
 * @param tunnel of a VXLAN device
 * @param port settings, if it is a port of a bridge
 */
public record Link(
        int index,
        String name,
        String kind,
        OptionalInt master,
        int mtu,
        MacAddress mac,
        boolean up,
        Optional<VxlanTunnel> tunnel,
        Optional<BridgePort> port) {}
