package io.vxseal.kernel.route;

import io.vxseal.address.Cidr;
import java.util.List;

/**
 * A bridge to be created.
 *
 * @param name at most 15 octets, as for every link
 * @param mtu in octets
 * @param addresses its own: the gateways of the subnets
 */
public record Bridge(String name, int mtu, List<Cidr> addresses) {}
