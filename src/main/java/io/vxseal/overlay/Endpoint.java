package io.vxseal.overlay;

import io.vxseal.address.Cidr;
import io.vxseal.address.MacAddress;

/**
 * A container's interface on a network.
 *
 * @param id Docker's id of it
 * @param network its network's id
 * @param address with its subnet's prefix
 * @param mac of the interface
 * @param joined whether it has a link
 */
public record Endpoint(String id, String network, Cidr address, MacAddress mac, boolean joined) {
    Endpoint joined(boolean now) {
        return new Endpoint(id, network, address, mac, now);
    }
}
