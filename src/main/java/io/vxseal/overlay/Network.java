package io.vxseal.overlay;

import io.vxseal.address.Cidr;
import io.vxseal.kernel.firewall.Segment;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * A network as CreateNetwork defines it.
 *
 * @param id Docker's id of it
 * @param encrypted whether its datagrams are sealed
 * @param linkMtu MTU of its containers' interfaces, between nodes with IPv4 addresses
 * @param subnets at least one
 */
public record Network(String id, boolean encrypted, int linkMtu, List<Subnet> subnets) {
    /** Octets of an IPv6 header (RFC 8200, section 3) beyond those of an IPv4 one without options. A multiple of four. */
    private static final int IPV6_HEADER_MORE = 40 - 20;

    /**
     * What Docker's IPAM gave the network, one per subnet.
     *
     * @param pool the subnet
     * @param gateway an address in it, with its prefix
     */
    public record Pool(Cidr pool, Cidr gateway) {}

    /**
     * Reads a definition.
     *
     * @throws DriverException if options or pools are wrong, or do not fit each other
     */
    public static Network of(String id, Map<String, String> options, List<Pool> pools) throws DriverException {
        NetworkOptions read = NetworkOptions.of(options);
        check(pools);
        String list = options.getOrDefault(NetworkOptions.VXLANID_LIST, "");
        if (read.vnis().size() < pools.size()) {
            throw DriverException.invalid(
                    "option " + NetworkOptions.VXLANID_LIST,
                    list,
                    "want a VNI for each of the %d subnets".formatted(pools.size()));
        }
        List<Subnet> subnets = new ArrayList<>();
        for (int i = 0; i < pools.size(); i++) {
            Pool pool = pools.get(i);
            subnets.add(new Subnet(pool.pool(), pool.gateway(), read.vnis().get(i)));
        }
        return new Network(id, read.encrypted(), read.linkMtu(), List.copyOf(subnets));
    }

    /** Refuses pools no network can be made of. */
    static void check(List<Pool> pools) throws DriverException {
        if (pools.isEmpty()) {
            throw DriverException.invalid("IPv4Data", "[]", "want at least one IPv4 subnet");
        }
        Set<Cidr> seen = new HashSet<>();
        for (Pool pool : pools) {
            if (!pool.pool().contains(pool.gateway().address())) {
                throw DriverException.invalid(
                        "Gateway", pool.gateway(), "want an address within the pool " + pool.pool());
            }
            for (Cidr other : seen) {
                if (other.overlaps(pool.pool())) {
                    throw DriverException.invalid("Pool", pool.pool(), "it overlaps " + other);
                }
            }
            seen.add(pool.pool());
        }
    }

    /**
     * MTU of its containers' interfaces.
     *
     * @param vtep this node's address for VXLAN: an IPv6 header is larger than the IPv4 one that {@link #linkMtu()}
     *     makes room for, which the built-in driver leaves to fragmentation
     */
    public int linkMtu(InetAddress vtep) {
        return vtep instanceof Inet6Address ? linkMtu - IPV6_HEADER_MORE : linkMtu;
    }

    /** The {@link #linkMtu()} of a network whose links have this MTU between nodes with IPv6 addresses, or IPv4 ones. */
    static int linkMtuOverIpv4(int mtu, boolean ipv6) {
        return ipv6 ? mtu + IPV6_HEADER_MORE : mtu;
    }

    /**
     * Returns the VXLAN segments of the network, one per subnet.
     *
     * @param port UDP port of VXLAN
     */
    Set<Segment> segments(int port) {
        Set<Segment> segments = new HashSet<>();
        subnets.forEach(subnet -> segments.add(new Segment(port, subnet.vni())));
        return segments;
    }

    /** The subnet an address is in. */
    public Optional<Subnet> subnetOf(InetAddress address) {
        return subnets.stream().filter(s -> s.pool().contains(address)).findFirst();
    }
}
