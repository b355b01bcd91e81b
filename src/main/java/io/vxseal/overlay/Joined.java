package io.vxseal.overlay;

import io.vxseal.address.Cidr;
import java.net.InetAddress;
import java.util.List;

/**
 * Result of a Join.
 *
 * @param link name of the container's end of its link, in the host's namespace, which the engine moves into the container
 * @param routes the other subnets of the network
 * @param gateway next hop of these routes
 */
public record Joined(String link, List<Cidr> routes, InetAddress gateway) {}
