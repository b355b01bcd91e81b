package io.vxseal.cluster.record;

import io.vxseal.address.Cidr;
import java.net.InetAddress;
import java.util.Arrays;

/**
 * A subnet of a network, as an engine defines it.
 *
 * @param pool its addresses
 * @param gateway the address that routes to the network's other subnets
 */
public record SubnetRecord(Cidr pool, InetAddress gateway) {
    /** Octets of the field names, brackets and prefix length. */
    private static final int FIXED_OCTETS = 32;

    /** @throws IllegalArgumentException if a field is missing */
    public SubnetRecord {
        if (pool == null || gateway == null) {
            throw new IllegalArgumentException("subnet without pool or gateway");
        }
    }

    /** Returns the most octets that this takes in a message. */
    int octets() {
        return FIXED_OCTETS + EndpointRecord.octets(pool.address()) + EndpointRecord.octets(gateway);
    }

    /** Returns whether a container may have this address: inside the subnet, neither its gateway nor its first or last. */
    public boolean admits(InetAddress address) {
        return pool.contains(address) && !address.equals(gateway) && !isFirst(address) && !isLast(address);
    }

    private boolean isFirst(InetAddress address) {
        return hasHostBits() && address.equals(pool.network().address());
    }

    private boolean isLast(InetAddress address) {
        byte[] last = pool.network().address().getAddress();
        for (int bit = pool.prefix(); bit < 8 * last.length; bit++) {
            last[bit / 8] |= (byte) (0x80 >>> bit % 8);
        }
        return hasHostBits() && Arrays.equals(last, address.getAddress());
    }

    /** Both addresses of a /31 are hosts (RFC 3021). */
    private boolean hasHostBits() {
        return Cidr.bits(pool.address()) - pool.prefix() > 1;
    }
}
