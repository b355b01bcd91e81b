package io.vxseal.kernel.route;

import static io.vxseal.kernel.netlink.NetlinkMessage.NLM_F_CREATE;
import static io.vxseal.kernel.netlink.NetlinkMessage.NLM_F_DUMP;
import static io.vxseal.kernel.netlink.NetlinkMessage.NLM_F_EXCL;

import io.vxseal.address.Cidr;
import io.vxseal.kernel.netlink.AddressFamily;
import io.vxseal.kernel.netlink.Attributes;
import io.vxseal.kernel.netlink.Batch;
import io.vxseal.kernel.netlink.NetlinkMessage;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.util.Optional;

/** Messages about the IP addresses of links, in the layout of {@code linux/if_addr.h}. */
final class AddressMessages {
    // linux/rtnetlink.h
    private static final int RTM_NEWADDR = 20;
    private static final int RTM_GETADDR = 22;

    // linux/if_addr.h
    private static final int IFA_ADDRESS = 1;
    private static final int IFA_LOCAL = 2;
    private static final int IFA_BROADCAST = 4;
    private static final int IFA_F_NODAD = 0x02;

    /*
     * struct ifaddrmsg {               // linux/if_addr.h
     *     __u8 ifa_family;             // 0
     *     __u8 ifa_prefixlen;          // 1
     *     __u8 ifa_flags;              // 2
     *     __u8 ifa_scope;              // 3
     *     __u32 ifa_index;             // 4
     * };                               // 8
     */
    private static final int IFA_PREFIXLEN = 1;
    private static final int IFA_INDEX = 4;
    private static final int IFADDRMSG_LENGTH = 8;

    /** Longest IPv4 prefix with a broadcast address (RFC 3021). */
    private static final int LONGEST_WITH_BROADCAST = 30;

    private AddressMessages() {}

    /**
     * Writes an addition. Docker's address management has made sure that the address is unique; duplicate address detection
     * (RFC 4862) would only silence the gateway for a second.
     */
    static void writeAddition(Batch batch, int index, Cidr cidr) {
        InetAddress address = cidr.address();
        boolean v4 = address instanceof Inet4Address;
        NetlinkMessage message = batch.add(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL)
                .u8(AddressFamily.of(address))
                .u8(cidr.prefix())
                .u8(v4 ? 0 : IFA_F_NODAD)
                .u8(0)
                .u32(index)
                .attribute(IFA_LOCAL, address)
                .attribute(IFA_ADDRESS, address);
        if (v4 && cidr.prefix() <= LONGEST_WITH_BROADCAST) {
            message.attribute(IFA_BROADCAST, m -> m.be32(broadcast(cidr)));
        }
    }

    private static int broadcast(Cidr cidr) {
        int hostBits = cidr.prefix() == 0 ? -1 : -1 >>> cidr.prefix();
        return ByteBuffer.wrap(cidr.address().getAddress()).getInt() | hostBits;
    }

    /** Writes a request for all addresses of a family in the namespace. */
    static void writeDump(Batch batch, int family) {
        batch.add(RTM_GETADDR, NLM_F_DUMP).u8(family).zeros(IFADDRMSG_LENGTH - 1);
    }

    /** Reads an address with its prefix; empty if it is another link's. */
    static Optional<Cidr> read(int type, ByteBuffer payload, int index) {
        return type == RTM_NEWADDR && payload.getInt(IFA_INDEX) == index
                ? address(payload).map(address -> new Cidr(address, Byte.toUnsignedInt(payload.get(IFA_PREFIXLEN))))
                : Optional.empty();
    }

    /** Reads an address of whichever link. */
    static Optional<InetAddress> read(int type, ByteBuffer payload) {
        return type == RTM_NEWADDR ? address(payload) : Optional.empty();
    }

    /** Reads the index of the link that has an address; empty if it is another one. */
    static Optional<Integer> linkOf(int type, ByteBuffer payload, InetAddress address) {
        return read(type, payload).filter(address::equals).map(_ -> payload.getInt(IFA_INDEX));
    }

    /** Reads the link's own address: an IPv6 address has no IFA_LOCAL unless it has a peer. */
    private static Optional<InetAddress> address(ByteBuffer payload) {
        Attributes attributes = Attributes.of(payload, IFADDRMSG_LENGTH);
        return attributes.address(IFA_LOCAL).or(() -> attributes.address(IFA_ADDRESS));
    }
}
