package io.vxseal.address;

import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.UnknownHostException;

/** Operations on IP addresses that {@link InetAddress} lacks. */
public final class IpAddress {
    /** Lengths of addresses in octets. */
    public static final int IPV4_LENGTH = 4;

    public static final int IPV6_LENGTH = 16;

    private IpAddress() {}

    /**
     * Returns the address made of 4 or 16 octets.
     *
     * @throws IllegalArgumentException if there are more or fewer
     */
    public static InetAddress of(byte[] octets) {
        try {
            return InetAddress.getByAddress(octets);
        } catch (UnknownHostException e) {
            throw new IllegalArgumentException("an address has 4 or 16 octets, not " + octets.length, e);
        }
    }

    /**
     * Parses a literal address without a scope. One with a scope, as in {@code fe80::1%eth0}, means something on one host only: other
     * hosts refuse it, or take it for another address.
     *
     * @throws IllegalArgumentException if the text is anything else
     */
    public static InetAddress parse(String text) {
        if (text.indexOf('%') >= 0) {
            throw new IllegalArgumentException("want an address without a scope");
        }
        return InetAddress.ofLiteral(text);
    }

    /** Returns whether both addresses are IPv4 or both are IPv6. */
    public static boolean haveSameVersion(InetAddress one, InetAddress other) {
        return one instanceof Inet4Address == other instanceof Inet4Address;
    }
}
