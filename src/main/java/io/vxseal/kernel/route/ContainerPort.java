package io.vxseal.kernel.route;

import io.vxseal.address.MacAddress;

/**
 * A container's port on a bridge.
 *
 * @param link index of the bridge's end of the veth pair
 * @param bridge index of the bridge
 * @param mac MAC address of the container's end
 */
public record ContainerPort(int link, int bridge, MacAddress mac) {}
