package io.vxseal.address;

import java.net.InetAddress;

/**
 * Addresses of this node, as Docker names them in DiscoverNew.
 *
 * @param advertise the address by which other nodes know this one; part of the SPI, so that both ends compute the same
 * @param bind the address that packets leave from and arrive at; part of states and policies
 */
public record NodeAddresses(InetAddress advertise, InetAddress bind) {}
