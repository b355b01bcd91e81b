package io.vxseal.kernel.balancer;

import static io.vxseal.kernel.netlink.NftAttributes.NFTA_DATA_VALUE;
import static io.vxseal.kernel.netlink.NftAttributes.NFTA_LIST_ELEM;
import static io.vxseal.kernel.netlink.NftAttributes.NFTA_SET_ELEM_KEY;
import static io.vxseal.kernel.netlink.NftAttributes.NFTA_SET_ELEM_LIST_ELEMENTS;
import static io.vxseal.kernel.netlink.NftAttributes.NFTA_SET_ELEM_LIST_SET;
import static io.vxseal.kernel.netlink.NftAttributes.NFTA_TABLE;

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
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
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

    /**
     * Returns whether a table has its chains, as many rules in each as it was given, and its addresses. The text of the rules is not
     * compared.
     */
    public boolean isIntact(String table, Map<InetAddress, ? extends List<InetAddress>> backends) throws KernelException {
        Map<String, Integer> wanted = new HashMap<>(Map.of(BalancerChange.OUTPUT, 2, BalancerChange.PREROUTING, 1, BalancerChange.REFUSE, 2));
        Set<InetAddress> served = new HashSet<>();
        Set<InetAddress> empty = new HashSet<>();
        backends.forEach((vip, some) -> {
            if (some.isEmpty()) {
                empty.add(vip);
            } else {
                served.add(vip);
                wanted.put(BalancerChange.chain(vip), 1);
            }
        });
        return rules(table).equals(wanted) && elements(table, BalancerChange.VERDICTS).equals(served) && elements(table, BalancerChange.EMPTY).equals(empty);
    }

    /** Returns the number of rules of each chain. */
    private Map<String, Integer> rules(String table) throws KernelException {
        Map<String, Integer> rules = new HashMap<>();
        for (String chain : names(Nfnetlink.NFT_MSG_GETCHAIN, table, BalancerMessages.NFTA_CHAIN_NAME)) {
            rules.put(chain, 0);
        }
        for (String chain : names(Nfnetlink.NFT_MSG_GETRULE, table, BalancerMessages.NFTA_RULE_CHAIN)) {
            rules.merge(chain, 1, Integer::sum);
        }
        return rules;
    }

    private List<String> names(int request, String table, int name) throws KernelException {
        return socket.dump(
                "list table " + table,
                batch -> Nfnetlink.header(batch.add(request, NetlinkMessage.NLM_F_DUMP), Nfnetlink.NFPROTO_IPV4),
                (_, payload) -> {
                    Attributes attributes = Attributes.of(payload, Nfnetlink.NFGENMSG_LENGTH);
                    return attributes.text(NFTA_TABLE).equals(Optional.of(table))
                            ? attributes.text(name)
                            : Optional.empty();
                });
    }

    private Set<InetAddress> elements(String table, String set) throws KernelException {
        Set<InetAddress> addresses = new HashSet<>();
        try {
            socket.dump(
                    "list set " + set + " of table " + table,
                    batch -> Nfnetlink.header(
                                    batch.add(Nfnetlink.NFT_MSG_GETSETELEM, NetlinkMessage.NLM_F_DUMP), Nfnetlink.NFPROTO_IPV4)
                            .attribute(NFTA_TABLE, table)
                            .attribute(NFTA_SET_ELEM_LIST_SET, set),
                    (_, payload) -> {
                        addElements(payload, addresses);
                        return Optional.empty();
                    });
        } catch (KernelException failure) {
            if (failure.errno() != Errno.ENOENT) {
                throw failure;
            }
        }
        return addresses;
    }

    private static void addElements(ByteBuffer payload, Set<InetAddress> addresses) {
        Attributes.of(payload, Nfnetlink.NFGENMSG_LENGTH)
                .get(NFTA_SET_ELEM_LIST_ELEMENTS)
                .map(list -> Attributes.all(list, NFTA_LIST_ELEM))
                .orElse(List.of())
                .forEach(element -> Attributes.of(element, 0)
                        .nested(NFTA_SET_ELEM_KEY)
                        .address(NFTA_DATA_VALUE)
                        .ifPresent(addresses::add));
    }

    @Override
    public void close() {
        socket.close();
    }
}
