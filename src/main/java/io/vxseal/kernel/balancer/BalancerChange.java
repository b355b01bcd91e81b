package io.vxseal.kernel.balancer;

import static io.vxseal.kernel.packet.IpProtocol.IPPROTO_TCP;
import static io.vxseal.kernel.packet.IpProtocol.IPPROTO_UDP;

import io.vxseal.kernel.balancer.BalancerMessages.Hook;
import io.vxseal.kernel.netlink.NetlinkTransaction;
import io.vxseal.kernel.netlink.Nfnetlink;
import java.net.InetAddress;
import java.util.List;
import java.util.Map;

/**
 * Messages that make a {@link BalancerTable} or change its content. They depend on the table's name and on the content before and after,
 * so the same {@link NetlinkTransaction} may be applied in several namespaces.
 */
public final class BalancerChange {
    /** More fit neither into one message's attribute nor into a service. */
    private static final int MAX_BACKENDS = 1024;

    static final String VERDICTS = "vips";
    static final String EMPTY = "empty";
    private static final int VERDICTS_ID = 1;
    private static final int EMPTY_ID = 2;
    private static final int FIRST_MAP_ID = 3;

    /** {@code linux/netfilter_ipv4.h}: NF_IP_PRI_NAT_DST, NF_IP_PRI_FILTER. */
    private static final int DESTINATION_NAT = -100;
    private static final int FILTER = 0;

    /**
     * Where UDP to a VIP without backends goes: no socket can have port 0, so the kernel answers "port unreachable", as to any closed port. A
     * rule that refuses in output would drop the datagram as well, which makes the sender's call fail with EPERM.
     */
    private static final InetAddress CLOSED = InetAddress.ofLiteral("127.0.0.1");
    private static final int CLOSED_PORT = 0;

    /** The chains that packets meet, which are the same in every table. */
    static final List<BaseChain> BASE_CHAINS = List.of(
            new BaseChain("output", "nat", Hook.OUTPUT, DESTINATION_NAT, List.of(
                    followVerdict(),
                    List.of(Expression.loadDestination(),
                            Expression.isIn(EMPTY, EMPTY_ID),
                            Expression.loadProtocol(),
                            Expression.isEqual(IPPROTO_UDP),
                            Expression.load(CLOSED),
                            Expression.loadPort(CLOSED_PORT),
                            Expression.translateDestinationAndPort()))),
            // For what the namespace forwards, as from containers inside of the container.
            new BaseChain("prerouting", "nat", Hook.PREROUTING, DESTINATION_NAT, List.of(followVerdict())),
            new BaseChain("refuse", "filter", Hook.OUTPUT, FILTER, List.of(
                    List.of(Expression.loadDestination(),
                            Expression.isIn(EMPTY, EMPTY_ID),
                            Expression.loadProtocol(),
                            Expression.isEqual(IPPROTO_TCP),
                            Expression.reset()),
                    List.of(Expression.loadDestination(), Expression.isIn(EMPTY, EMPTY_ID), Expression.refuse()))));

    /** A chain at a hook, with its rules. */
    record BaseChain(String name, String type, Hook hook, int priority, List<List<Expression>> rules) {}

    private BalancerChange() {}

    private static List<Expression> followVerdict() {
        return List.of(Expression.loadDestination(), Expression.followVerdict(VERDICTS, VERDICTS_ID));
    }

    /** Returns whether connections to this backend are those that a VIP without backends refuses. */
    public static boolean isRefusing(InetAddress backend) {
        return backend.equals(CLOSED);
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
        for (BaseChain chain : BASE_CHAINS) {
            BalancerMessages.writeBaseChain(transaction, table, chain.name, chain.type, chain.hook, chain.priority);
        }
        for (BaseChain chain : BASE_CHAINS) {
            chain.rules.forEach(rule -> BalancerMessages.writeRule(transaction, table, chain.name, rule));
        }
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
            writeChoice(transaction, table, chain, map++, chosen(now));
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
        BalancerMessages.writeRule(transaction, table, chain, choice(backends.size(), map));
    }

    /** Returns the rule that chooses one of so many backends, by a map that it has for itself. */
    static List<Expression> choice(int backends, int map) {
        return List.of(
                Expression.loadRandom(backends),
                Expression.replace(BalancerMessages.ANONYMOUS, map),
                Expression.translateDestination());
    }

    /** Returns the backends that a table takes of a VIP's. */
    static List<InetAddress> chosen(List<InetAddress> backends) {
        return backends.size() <= MAX_BACKENDS ? backends : backends.subList(0, MAX_BACKENDS);
    }

    /** Returns the name of the chain that chooses a VIP's backend. */
    static String chain(InetAddress vip) {
        return "v-" + vip.getHostAddress();
    }
}
