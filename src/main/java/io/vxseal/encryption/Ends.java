package io.vxseal.encryption;

import java.net.InetAddress;

/**
 * This node's addresses, as Docker names them in DiscoverNew.
 *
 * @param bind the address packets leave from and arrive at: in states and policies
 * @param advertise the address other nodes know this one by: in the SPI, so that both ends compute the same
 */
public record Ends(InetAddress bind, InetAddress advertise) {}
