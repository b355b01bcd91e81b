package io.vxseal.cluster.record;

import io.vxseal.address.Cidr;
import io.vxseal.address.MacAddress;
import java.net.Inet4Address;
import java.net.InetAddress;

/**
 * An endpoint as its own node announces it.
 *
 * @param id Docker's id of it
 * @param address with its subnet's prefix
 * @param mac of the container's interface
 * @param since when a hub first admitted this claim, epoch milliseconds by that hub's clock; the earlier of two claims of one address
 *     is valid. Set by hubs, ignored where a node sends it
 */
public record EndpointRecord(String id, Cidr address, MacAddress mac, long since) {
    /** Longest id that is taken; Docker's have 64 characters. */
    static final int LONGEST_ID = 128;
    /** Octets of the field names, brackets, prefix length, MAC and time. */
    private static final int FIXED_OCTETS = 84;
    private static final int LONGEST_IPV4 = 15;
    private static final int LONGEST_IPV6 = 39;

    /** @throws IllegalArgumentException naming the field that is missing or out of bounds */
    public EndpointRecord {
        checkId("endpoint", id);
        if (address == null || mac == null) {
            throw new IllegalArgumentException("endpoint without address or MAC");
        }
    }

    /** Returns the most octets that this takes in a message. */
    int octets() {
        return FIXED_OCTETS + octets(id) + octets(address.address());
    }

    /** Returns the most octets that an id takes in a message: JSON escapes some characters. */
    static int octets(String id) {
        return 2 * id.length();
    }

    /** Returns the most octets that an address takes in a message. */
    static int octets(InetAddress address) {
        return address instanceof Inet4Address ? LONGEST_IPV4 : LONGEST_IPV6;
    }

    /** Returns the same claim with another admission time. */
    public EndpointRecord admitted(long when) {
        return when == since ? this : new EndpointRecord(id, address, mac, when);
    }

    /**
     * Checks an id that a node sent. Engines make them of letters and digits; others could forge lines of a log, or have no form in UTF-8.
     *
     * @throws IllegalArgumentException if it is too long, or has other characters than ASCII's visible ones
     */
    public static void checkId(String of, String id) {
        if (id == null || id.isEmpty() || id.length() > LONGEST_ID) {
            throw new IllegalArgumentException(of + " id of " + (id == null ? 0 : id.length()) + " characters");
        }
        if (!id.chars().allMatch(c -> c > ' ' && c < 0x7F)) {
            throw new IllegalArgumentException(of + " id with characters that are not visible ones of ASCII");
        }
    }
}
