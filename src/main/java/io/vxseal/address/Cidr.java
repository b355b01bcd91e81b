package io.vxseal.address;

import java.net.Inet4Address;
import java.net.InetAddress;

/**
 * An address with the length of its network's prefix, as in {@code 10.44.0.2/24}. The address keeps its host bits;
 * {@link #network()} clears them.
 *
 * @param address an IPv4 or IPv6 address
 * @param prefix length in bits, at most the address's own
 */
public record Cidr(InetAddress address, int prefix) {
    /** @throws IllegalArgumentException if the prefix does not fit the address */
    public Cidr {
        if (prefix < 0 || prefix > bits(address)) {
            throw new IllegalArgumentException("prefix length " + prefix + " is not within 0 to " + bits(address));
        }
    }

    /** Returns the length of an address in bits, which is that of its longest prefix. */
    public static int bits(InetAddress address) {
        return address instanceof Inet4Address ? 32 : 128;
    }

    /**
     * Parses {@code address/prefix}. Both parts are required, and the address must be a literal without a scope.
     *
     * @throws IllegalArgumentException if the text is anything else
     */
    public static Cidr parse(String text) {
        int slash = text.indexOf('/');
        if (slash < 0) {
            throw new IllegalArgumentException("want address/prefix, as in 10.44.0.2/24");
        }
        String prefix = text.substring(slash + 1);
        if (prefix.isEmpty() || prefix.length() > 3 || !prefix.chars().allMatch(c -> c >= '0' && c <= '9')) {
            throw new IllegalArgumentException("want a decimal prefix length after the slash, as in 10.44.0.2/24");
        }
        return new Cidr(IpAddress.parse(text.substring(0, slash)), Integer.parseInt(prefix));
    }

    /** Returns the same prefix with the host bits cleared. */
    public Cidr network() {
        byte[] b = address.getAddress();
        for (int bit = prefix; bit < 8 * b.length; bit++) {
            b[bit / 8] &= (byte) ~(0x80 >>> bit % 8);
        }
        return new Cidr(IpAddress.of(b), prefix);
    }

    /** Returns whether {@code other} has the same family and lies within this prefix. */
    public boolean contains(InetAddress other) {
        return other.getAddress().length == address.getAddress().length
                && new Cidr(other, prefix).network().equals(network());
    }

    /** Returns whether the two prefixes have an address in common. */
    public boolean overlaps(Cidr other) {
        return prefix <= other.prefix ? contains(other.address) : other.contains(address);
    }

    @Override
    public String toString() {
        return address.getHostAddress() + "/" + prefix;
    }
}
