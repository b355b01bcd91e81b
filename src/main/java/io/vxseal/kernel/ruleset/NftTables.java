package io.vxseal.kernel.ruleset;

import io.vxseal.kernel.libc.Errno;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.netlink.Attributes;
import io.vxseal.kernel.netlink.NetlinkDescriptor;
import io.vxseal.kernel.netlink.NetlinkMessage;
import io.vxseal.kernel.netlink.NetlinkSocket;
import io.vxseal.kernel.netlink.Nfnetlink;
import io.vxseal.kernel.netlink.NftAttributes;
import io.vxseal.kernel.netns.Namespace;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/** The tables of nf_tables in a network namespace ({@code linux/netfilter/nf_tables.h}), also those that iptables-nft made. */
final class NftTables implements AutoCloseable {
    /** Families by their number in {@code linux/netfilter.h}. Others do not see the packets of a host as such. */
    private static final Map<Integer, String> FAMILIES = Map.of(1, "inet", 2, "ip", 10, "ip6");

    /** Chains that iptables has, by which its tables are told from others of the same name. */
    private static final Set<String> IPTABLES_CHAINS = Set.of("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING");

    private static final Set<String> IPTABLES_TABLES = Set.of("raw", "mangle", "nat", "filter", "security");

    private static final int NFTA_CHAIN_NAME = 3;
    private static final int NFTA_CHAIN_HOOK = 4;
    private static final int NFTA_CHAIN_POLICY = 5;
    private static final int NFTA_CHAIN_TYPE = 7;
    private static final int NFTA_HOOK_HOOKNUM = 1;
    private static final int NFTA_RULE_CHAIN = 2;
    private static final int NFTA_RULE_EXPRESSIONS = 4;

    // linux/netfilter.h
    private static final int NF_DROP = 0;

    private final Optional<NftSets> sets;
    private final List<Table> tables;

    private NftTables(Optional<NftSets> sets, List<Table> tables) {
        this.sets = sets;
        this.tables = tables;
    }

    /**
     * The place of a chain.
     *
     * @param family number of the table's
     */
    private record TableKey(int family, String name) {}

    /** A chain without its rules. */
    private record Frame(TableKey table, String name, OptionalInt hook, boolean drops) {}

    /** A rule and the chain that has it. */
    private record Placed(TableKey table, String chain, ByteBuffer expressions) {}

    /** Reads all tables. A kernel without nf_tables has none. */
    static NftTables read(Namespace namespace) throws KernelException {
        NetlinkSocket socket;
        try {
            socket = NetlinkSocket.open(namespace, NetlinkDescriptor.NETLINK_NETFILTER);
        } catch (KernelException failure) {
            if (failure.errno() == Errno.EPROTONOSUPPORT) {
                return new NftTables(Optional.empty(), List.of());
            }
            throw failure;
        }
        try {
            List<Frame> chains = list(socket, Nfnetlink.NFT_MSG_GETCHAIN, NftTables::readChain);
            List<Placed> rules = list(socket, Nfnetlink.NFT_MSG_GETRULE, NftTables::readRule);
            var sets = new NftSets(socket);
            return new NftTables(Optional.of(sets), tables(chains, rules, sets));
        } catch (KernelException failure) {
            socket.close();
            // nfnetlink without nf_tables (nfnetlink_rcv_msg()).
            if (failure.errno() == Errno.EINVAL) {
                return new NftTables(Optional.empty(), List.of());
            }
            throw failure;
        }
    }

    private static <T> List<T> list(NetlinkSocket socket, int request, NetlinkSocket.Reader<T> reader) throws KernelException {
        // Family 0 is all of them.
        return socket.dump("list the host's firewall rules",
                batch -> Nfnetlink.header(batch.add(request, NetlinkMessage.NLM_F_DUMP), 0), reader);
    }

    private static TableKey key(ByteBuffer message, Attributes attributes) {
        return new TableKey(Byte.toUnsignedInt(message.get(0)), attributes.text(NftAttributes.NFTA_TABLE).orElse(""));
    }

    private static Optional<Frame> readChain(int type, ByteBuffer message) {
        if (type != Nfnetlink.NFT_MSG_NEWCHAIN) {
            return Optional.empty();
        }
        Attributes chain = Attributes.of(message, Nfnetlink.NFGENMSG_LENGTH);
        // A chain of type nat sees packets, but its business is their addresses.
        boolean filters = !chain.text(NFTA_CHAIN_TYPE).equals(Optional.of("nat"));
        OptionalInt hook = filters ? NftData.number(chain.nested(NFTA_CHAIN_HOOK), NFTA_HOOK_HOOKNUM) : OptionalInt.empty();
        return Optional.of(new Frame(key(message, chain), chain.text(NFTA_CHAIN_NAME).orElse(""), hook,
                NftData.number(chain, NFTA_CHAIN_POLICY).equals(OptionalInt.of(NF_DROP))));
    }

    private static Optional<Placed> readRule(int type, ByteBuffer message) {
        if (type != Nfnetlink.NFT_MSG_NEWRULE) {
            return Optional.empty();
        }
        Attributes rule = Attributes.of(message, Nfnetlink.NFGENMSG_LENGTH);
        return Optional.of(new Placed(key(message, rule), rule.text(NFTA_RULE_CHAIN).orElse(""),
                rule.get(NFTA_RULE_EXPRESSIONS).map(NftTables::copy).orElseGet(() -> ByteBuffer.allocate(0))));
    }

    private static ByteBuffer copy(ByteBuffer payload) {
        ByteOrder order = payload.order();
        return ByteBuffer.allocate(payload.remaining()).put(payload.duplicate()).flip().order(order);
    }

    private static List<Table> tables(List<Frame> frames, List<Placed> rules, NftSets sets) {
        Map<TableKey, Map<String, List<Rule>>> byChain = new HashMap<>();
        for (Placed placed : rules) {
            int family = placed.table.family;
            byChain.computeIfAbsent(placed.table, _ -> new HashMap<>())
                    .computeIfAbsent(placed.chain, _ -> new ArrayList<>())
                    .add(NftRule.read(placed.expressions, set -> sets.get(family, placed.table.name, set)));
        }
        Map<TableKey, List<Chain>> byTable = new LinkedHashMap<>();
        for (Frame frame : frames) {
            byTable.computeIfAbsent(frame.table, _ -> new ArrayList<>()).add(new Chain(frame.name, frame.hook, frame.drops,
                    byChain.getOrDefault(frame.table, Map.of()).getOrDefault(frame.name, List.of())));
        }
        List<Table> tables = new ArrayList<>();
        byTable.forEach((key, chains) -> {
            String family = FAMILIES.get(key.family);
            if (family != null) {
                tables.add(new Table(tool(family, key.name, chains), family, key.name, chains));
            }
        });
        return List.copyOf(tables);
    }

    private static Tool tool(String family, String name, List<Chain> chains) {
        boolean iptables = !family.equals("inet") && IPTABLES_TABLES.contains(name)
                && chains.stream().map(Chain::name).anyMatch(IPTABLES_CHAINS::contains);
        return iptables ? Tool.IPTABLES_NFT : Tool.NFT;
    }

    List<Table> tables() {
        return tables;
    }

    @Override
    public void close() {
        sets.ifPresent(NftSets::close);
    }
}
