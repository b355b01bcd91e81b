package io.vxseal.kernel.route;

import io.vxseal.address.MacAddress;

/**
 * A static, sticky entry in a bridge's forwarding database (FDB), which no frame changes.
 *
 * @param link index of the port
 * @param mac address behind the port
 */
public record StaticFdbEntry(int link, MacAddress mac) {}
