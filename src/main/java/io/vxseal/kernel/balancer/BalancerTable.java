package io.vxseal.kernel.balancer;

import static io.vxseal.kernel.netlink.NftAttributes.NFTA_DATA_VALUE;
import static io.vxseal.kernel.netlink.NftAttributes.NFTA_LIST_ELEM;
import static io.vxseal.kernel.netlink.NftAttributes.NFTA_SET_ELEM_KEY;
import static io.vxseal.kernel.netlink.NftAttributes.NFTA_SET_ELEM_LIST_ELEMENTS;
import static io.vxseal.kernel.netlink.NftAttributes.NFTA_SET_ELEM_LIST_SET;
import static io.vxseal.kernel.netlink.NftAttributes.NFTA_TABLE;
import static io.vxseal.kernel.packet.IpProtocol.IPPROTO_TCP;

import io.vxseal.kernel.balancer.BalancerMessages.Hook;
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
 *
 * <p>The messages of a change depend on the name and the content before and after, so the same {@link NetlinkTransaction} may be
 * applied in several namespaces.
 */
public final class BalancerTable implements AutoCloseable {
    /** More fit neither into one message's attribute nor into a service. */
    private static final int MAX_BACKENDS = 1024;

    private static final String VERDICTS = "vips";
    private static final String EMPTY = "empty";
    private static final int VERDICTS_ID = 1;
    private static final int EMPTY_ID = 2;
    private static final int FIRST_MAP_ID = 3;

    private static final String OUTPUT = "output";
    private static final String PREROUTING = "prerouting";
    private static final String REFUSE = "refuse";

    /** {@code linux/netfilter_ipv4.h}: NF_IP_PRI_NAT_DST, NF_IP_PRI_FILTER. */
    private static final int DESTINATION_NAT = -100;
    private static final int FILTER = 0;

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
     * Returns the messages that make a table, in place of one with the same name.
     *
     * @param backends by VIP; none for a VIP that refuses
     */
    public static NetlinkTransaction creation(String table, Map<InetAddress, ? extends List<InetAddress>> backends) {
        NetlinkTransaction transaction = new NetlinkTransaction();
        Nfnetlink.writeBegin(transaction);
        // Added before it is deleted, because deleting a missing table fails.
        BalancerMessages.writeTable(transaction, table);
        BalancerMessages.writeTableDeletion(transaction, table, false);
        BalancerMessages.writeTable(transaction, table);
        BalancerMessages.writeVerdictMap(transaction, table, VERDICTS, VERDICTS_ID);
        BalancerMessages.writeAddressSet(transaction, table, EMPTY, EMPTY_ID);
        BalancerMessages.writeBaseChain(transaction, table, OUTPUT, "nat", Hook.OUTPUT, DESTINATION_NAT);
        // For what the namespace forwards, as from containers inside of the container.
        BalancerMessages.writeBaseChain(transaction, table, PREROUTING, "nat", Hook.PREROUTING, DESTINATION_NAT);
        BalancerMessages.writeBaseChain(transaction, table, REFUSE, "filter", Hook.OUTPUT, FILTER);
        for (String chain : List.of(OUTPUT, PREROUTING)) {
            BalancerMessages.writeRule(transaction, table, chain, List.of(
                    Expression.loadDestination(), Expression.followVerdict(VERDICTS, VERDICTS_ID)));
        }
        BalancerMessages.writeRule(transaction, table, REFUSE, List.of(
                Expression.loadDestination(),
                Expression.isIn(EMPTY, EMPTY_ID),
                Expression.loadProtocol(),
                Expression.isEqual(IPPROTO_TCP),
                Expression.reset()));
        BalancerMessages.writeRule(transaction, table, REFUSE, List.of(
                Expression.loadDestination(), Expression.isIn(EMPTY, EMPTY_ID), Expression.refuse()));
        writeDifference(transaction, table, Map.of(), backends);
        return ended(transaction, table);
    }

    /** Returns the messages that bring a table from one content to another. */
    public static NetlinkTransaction change(
            String table, Map<InetAddress, ? extends List<InetAddress>> before, Map<InetAddress, ? extends List<InetAddress>> after) {
        NetlinkTransaction transaction = new NetlinkTransaction();
        Nfnetlink.writeBegin(transaction);
        writeDifference(transaction, table, before, after);
        return ended(transaction, table);
    }

    private static NetlinkTransaction ended(NetlinkTransaction transaction, String table) {
        BalancerMessages.writeAcknowledgement(transaction, table);
        Nfnetlink.writeEnd(transaction);
        return transaction;
    }

    private static void writeDifference(
            NetlinkTransaction transaction,
            String table,
            Map<InetAddress, ? extends List<InetAddress>> before,
            Map<InetAddress, ? extends List<InetAddress>> after) {
        int map = FIRST_MAP_ID;
        for (var vip : before.entrySet()) {
            List<InetAddress> now = after.get(vip.getKey());
            if (now == null || now.isEmpty() != vip.getValue().isEmpty()) {
                writeRemoval(transaction, table, vip.getKey(), vip.getValue());
            }
        }
        for (var vip : after.entrySet()) {
            List<InetAddress> old = before.get(vip.getKey());
            List<InetAddress> now = vip.getValue();
            if (now.equals(old)) {
                continue;
            }
            if (now.isEmpty()) {
                BalancerMessages.writeElement(transaction, table, EMPTY, vip.getKey());
                continue;
            }
            String chain = chain(vip.getKey());
            boolean isNew = old == null || old.isEmpty();
            if (isNew) {
                BalancerMessages.writeChain(transaction, table, chain);
            } else {
                BalancerMessages.writeFlush(transaction, table, chain);
            }
            writeChoice(transaction, table, chain, map++, now.size() <= MAX_BACKENDS ? now : now.subList(0, MAX_BACKENDS));
            if (isNew) {
                BalancerMessages.writeVerdict(transaction, table, VERDICTS, vip.getKey(), chain);
            }
        }
    }

    private static void writeRemoval(NetlinkTransaction transaction, String table, InetAddress vip, List<InetAddress> backends) {
        if (backends.isEmpty()) {
            BalancerMessages.writeElementDeletion(transaction, table, EMPTY, vip);
        } else {
            BalancerMessages.writeElementDeletion(transaction, table, VERDICTS, vip);
            BalancerMessages.writeFlush(transaction, table, chain(vip));
            BalancerMessages.writeChainDeletion(transaction, table, chain(vip));
        }
    }

    /** Writes the rule that chooses a backend. At random: by turns, every container's first connection would go to the same one. */
    private static void writeChoice(NetlinkTransaction transaction, String table, String chain, int map, List<InetAddress> backends) {
        BalancerMessages.writeNumberedAddresses(transaction, table, map, backends);
        BalancerMessages.writeRule(transaction, table, chain, List.of(
                Expression.loadRandom(backends.size()),
                Expression.replace(BalancerMessages.ANONYMOUS, map),
                Expression.translateDestination()));
    }

    private static String chain(InetAddress vip) {
        return "v-" + vip.getHostAddress();
    }

    /**
     * Makes or changes a table, completely or not at all. A packet meets the content before or the one after.
     *
     * @param change of {@link #creation} or {@link #change}
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

    /** Returns the number of the namespace's ruleset, which changes with each change of any table; empty if it is not told. */
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
     * Returns whether a table has its chains, as many rules in each as it was given, and its addresses. What the rules say is not
     * compared.
     */
    public boolean isIntact(String table, Map<InetAddress, ? extends List<InetAddress>> backends) throws KernelException {
        Map<String, Integer> wanted = new HashMap<>(Map.of(OUTPUT, 1, PREROUTING, 1, REFUSE, 2));
        Set<InetAddress> served = new HashSet<>();
        Set<InetAddress> empty = new HashSet<>();
        backends.forEach((vip, some) -> {
            if (some.isEmpty()) {
                empty.add(vip);
            } else {
                served.add(vip);
                wanted.put(chain(vip), 1);
            }
        });
        return rules(table).equals(wanted) && elements(table, VERDICTS).equals(served) && elements(table, EMPTY).equals(empty);
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
