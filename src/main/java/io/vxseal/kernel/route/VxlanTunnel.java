package io.vxseal.kernel.route;

import java.net.InetAddress;
import java.util.Optional;

/**
 * The tunnel of an existing VXLAN device.
 *
 * @param vni VXLAN network identifier, 24 bits
 * @param port UDP destination port
 * @param local source address of the datagrams; empty if routing chooses it
 * @param learning whether the device learns the VTEP behind a MAC from received frames
 */
public record VxlanTunnel(int vni, int port, Optional<InetAddress> local, boolean learning) {}
