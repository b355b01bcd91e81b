package io.vxseal.encryption;

/**
 * UDP port of VXLAN over one IP version.
 *
 * @param port 1 to 65535
 * @param ipv6 whether the datagrams are of IPv6
 */
public record VxlanPort(int port, boolean ipv6) {}
