package io.vxseal.overlay;

import io.vxseal.address.Cidr;

/**
 * A subnet of a network; each is a VXLAN segment of its own.
 *
 * @param pool its addresses
 * @param gateway the address that routes to the network's other subnets, with the pool's prefix
 * @param vni VXLAN network identifier, 1 to 2^24-1
 */
public record Subnet(Cidr pool, Cidr gateway, int vni) {}
