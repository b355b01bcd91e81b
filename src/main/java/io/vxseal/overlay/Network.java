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
 * Definition of a network, as in CreateNetwork.
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
     * A subnet as Docker's IPAM allocated it.
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

    /** Refuses pools that cannot form a network. */
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
     * Returns the MTU of its containers' interfaces. {@link #linkMtu()} has room for an IPv4 header, and an IPv6 header is larger. The
     * built-in driver leaves the difference to fragmentation.
     *
     * @param vtep this node's address for VXLAN
     */
    public int linkMtu(InetAddress vtep) {
        return vtep instanceof Inet6Address ? linkMtu - IPV6_HEADER_MORE : linkMtu;
    }

    /**
     * Returns the MTU of the network underneath that its containers' largest packets need.
     *
     * @param vtep this node's address for VXLAN
     */
    int underlayMtu(InetAddress vtep) {
        return NetworkOptions.underlayMtu(linkMtu(vtep), encrypted) + (vtep instanceof Inet6Address ? IPV6_HEADER_MORE : 0);
    }

    /**
     * Returns the {@link #linkMtu()} of a network whose interfaces have an MTU.
     *
     * @param ipv6 whether the nodes have IPv6 addresses
     */
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

    /** Returns the subnet that an address is in. */
    public Optional<Subnet> subnetOf(InetAddress address) {
        return subnets.stream().filter(s -> s.pool().contains(address)).findFirst();
    }
}
