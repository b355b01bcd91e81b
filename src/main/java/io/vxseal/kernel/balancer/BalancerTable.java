package io.vxseal.kernel.balancer;

import io.vxseal.kernel.libc.Errno;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.libc.LibC;
import io.vxseal.kernel.netlink.Attributes;
import io.vxseal.kernel.netlink.NetlinkDescriptor;
import io.vxseal.kernel.netlink.NetlinkMessage;
import io.vxseal.kernel.netlink.NetlinkSocket;
import io.vxseal.kernel.netlink.NetlinkTransaction;
import io.vxseal.kernel.netlink.Nfnetlink;
import io.vxseal.kernel.netns.Namespace;
import java.net.InetAddress;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;

/**
 * A table of nf_tables that sends each new connection from a network namespace to a virtual address (VIP) to one of several
 * backends, at random. The connection stays with its backend whatever the table has later, because connection tracking
 * translates its packets. A connection to a VIP without backends is refused.
 *
 * <p>Translation is by address alone, so it serves every protocol and port. The source address stays the client's own.
 */
public final class BalancerTable implements AutoCloseable {
    private static final int NFTA_GEN_ID = 1;

    private static final String WHAT = "balance connections to services";

    private final NetlinkSocket socket;

    private BalancerTable(NetlinkSocket socket) {
        this.socket = socket;
    }

    /** Opens a socket in the namespace, which may be closed afterwards. */
    public static BalancerTable in(Namespace namespace) throws KernelException {
        return new BalancerTable(NetlinkSocket.open(namespace, NetlinkDescriptor.NETLINK_NETFILTER));
    }

    /**
     * Makes or changes a table, completely or not at all. A packet meets the content before or the one after.
     *
     * @param change of {@link BalancerChange}
     */
    public void apply(NetlinkTransaction change) throws KernelException {
        try {
            socket.transact(WHAT, change);
        } catch (KernelException failure) {
            if (Set.of(Errno.ENOENT, Errno.EINVAL, Errno.EOPNOTSUPP).contains(failure.errno())) {
                throw new KernelException(WHAT, failure.errno(), LibC.text(failure.errno()) + "; the kernel may lack NAT by nf_tables:"
                        + " modprobe -a nf_tables nft_chain_nat nft_nat nft_numgen nft_reject_ipv4");
            }
            throw failure;
        }
    }

    /** Removes a table. It is no error if it is gone. */
    public void remove(String table) throws KernelException {
        NetlinkTransaction transaction = new NetlinkTransaction();
        Nfnetlink.writeBegin(transaction);
        BalancerMessages.writeTable(transaction, table);
        BalancerMessages.writeTableDeletion(transaction, table, true);
        Nfnetlink.writeEnd(transaction);
        socket.transact("remove table " + table, transaction);
    }

    /** Returns the number of the namespace's ruleset, which changes with each change of any table; empty if the kernel does not report it. */
    public OptionalInt generation() throws KernelException {
        return socket.get(
                        "read the generation of the ruleset",
                        batch -> Nfnetlink.header(
                                batch.add(Nfnetlink.NFT_MSG_GETGEN, NetlinkMessage.NLM_F_ACK), 0),
                        (_, payload) -> Attributes.of(payload, Nfnetlink.NFGENMSG_LENGTH)
                                .get(NFTA_GEN_ID)
                                .map(octets -> Integer.reverseBytes(octets.getInt(0))))
                .map(OptionalInt::of)
                .orElse(OptionalInt.empty());
    }

    /** Returns whether a table has its chains, rules and addresses, and nothing else: what a rule does is compared, too. */
    public boolean isIntact(String table, Map<InetAddress, ? extends List<InetAddress>> backends) throws KernelException {
        return new BalancerListing(socket, table).has(backends);
    }

    @Override
    public void close() {
        socket.close();
    }
}
