package io.vxseal.address;

import java.net.InetAddress;
import java.util.HexFormat;
import java.util.Locale;
import java.util.regex.Pattern;

/**
 * An Ethernet hardware address.
 *
 * @param bits the 48 bits, first octet on the wire as the most significant
 */
public record MacAddress(long bits) {
    /** Octets in an Ethernet address ({@code linux/if_ether.h}). */
    public static final int ETH_ALEN = 6;

    private static final Pattern FORM = Pattern.compile("[0-9a-f]{2}(:[0-9a-f]{2}){5}");
    private static final HexFormat HEX = HexFormat.ofDelimiter(":");
    private static final long MULTICAST = 1L << 40;

    /** @throws IllegalArgumentException if there are more than 48 bits */
    public MacAddress {
        if (bits >>> 48 != 0) {
            throw new IllegalArgumentException("more than 48 bits: 0x" + Long.toHexString(bits));
        }
    }

    /**
     * Parses the usual form, {@code 02:42:0a:2c:00:02}, in either case.
     *
     * @throws IllegalArgumentException if the text is not such an address, or is a group address or all zeros
     */
    public static MacAddress parse(String text) {
        String lower = text.toLowerCase(Locale.ROOT);
        if (!FORM.matcher(lower).matches()) {
            throw new IllegalArgumentException("want six octets in hex, as in 02:42:0a:2c:00:02");
        }
        MacAddress mac = of(HEX.parseHex(lower));
        if (mac.bits == 0 || (mac.bits & MULTICAST) != 0) {
            throw new IllegalArgumentException("want the address of one host, not a group's or all zeros");
        }
        return mac;
    }

    /** Returns the address made of six octets in wire order. */
    public static MacAddress of(byte[] octets) {
        if (octets.length != ETH_ALEN) {
            throw new IllegalArgumentException("want " + ETH_ALEN + " octets, got " + octets.length);
        }
        long bits = 0;
        for (byte octet : octets) {
            bits = bits << 8 | octet & 0xff;
        }
        return new MacAddress(bits);
    }

    /**
     * Returns the default address that Docker gives an interface: {@code 02:42} and the four octets of the
     * IPv4 address (moby, libnetwork/netutils). An IPv6 address gives its last four octets.
     */
    public static MacAddress of(InetAddress address) {
        byte[] b = address.getAddress();
        int n = b.length;
        return of(new byte[] {0x02, 0x42, b[n - 4], b[n - 3], b[n - 2], b[n - 1]});
    }

    /** Returns the six octets in wire order. */
    public byte[] octets() {
        byte[] octets = new byte[ETH_ALEN];
        for (int i = 0; i < ETH_ALEN; i++) {
            octets[i] = (byte) (bits >>> 8 * (ETH_ALEN - 1 - i));
        }
        return octets;
    }

    @Override
    public String toString() {
        return HEX.formatHex(octets());
    }
}
