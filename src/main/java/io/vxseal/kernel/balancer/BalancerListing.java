package io.vxseal.kernel.balancer;

import static io.vxseal.kernel.netlink.NftAttributes.NFTA_DATA_VALUE;
import static io.vxseal.kernel.netlink.NftAttributes.NFTA_LIST_ELEM;
import static io.vxseal.kernel.netlink.NftAttributes.NFTA_SET_ELEM_KEY;
import static io.vxseal.kernel.netlink.NftAttributes.NFTA_SET_ELEM_LIST_ELEMENTS;
import static io.vxseal.kernel.netlink.NftAttributes.NFTA_SET_ELEM_LIST_SET;
import static io.vxseal.kernel.netlink.NftAttributes.NFTA_TABLE;

import io.vxseal.kernel.libc.Errno;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.netlink.Attributes;
import io.vxseal.kernel.netlink.NetlinkMessage;
import io.vxseal.kernel.netlink.NetlinkSocket;
import io.vxseal.kernel.netlink.Nfnetlink;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * Comparison of a balancer's table, as the kernel lists it, with what it should contain. It takes a list of the tables, of the chains and
 * of the rules, one of each set, and one of each VIP's backends.
 */
final class BalancerListing {
    private static final int NFTA_TABLE_FLAGS = 2;
    private static final int NFTA_CHAIN_POLICY = 5;
    private static final int NF_ACCEPT = 1;

    private final NetlinkSocket socket;
    private final String table;

    BalancerListing(NetlinkSocket socket, String table) {
        this.socket = socket;
        this.table = table;
    }

    /** Returns whether the table is active, and its chains, rules, sets and maps are those of this content, without any others. */
    boolean has(Map<InetAddress, ? extends List<InetAddress>> backends) throws KernelException {
        return isActive() && hasChains(backends) && hasRules(backends) && hasSets(backends);
    }

    /** Returns whether there is the table, without a flag such as {@code dormant}. */
    private boolean isActive() throws KernelException {
        return list(Nfnetlink.NFT_MSG_GETTABLE, listed -> listed.u32(NFTA_TABLE_FLAGS)).equals(List.of(OptionalInt.of(0)));
    }

    private boolean hasChains(Map<InetAddress, ? extends List<InetAddress>> backends) throws KernelException {
        Set<Chain> wanted = new HashSet<>();
        for (BalancerChange.BaseChain base : BalancerChange.BASE_CHAINS) {
            wanted.add(new Chain(base.name(), base.type(), be32(base.hook().number), be32(base.priority()), be32(NF_ACCEPT)));
        }
        served(backends).keySet().forEach(vip -> wanted.add(Chain.regular(BalancerChange.chain(vip))));
        return wanted.equals(Set.copyOf(list(Nfnetlink.NFT_MSG_GETCHAIN, Chain::of)));
    }

    /** A chain's attributes; numbers as the kernel has written them. */
    private record Chain(String name, String type, OptionalInt hook, OptionalInt priority, OptionalInt policy) {
        static Chain regular(String name) {
            return new Chain(name, "", OptionalInt.empty(), OptionalInt.empty(), OptionalInt.empty());
        }

        static Chain of(Attributes listed) {
            Attributes hook = listed.nested(BalancerMessages.NFTA_CHAIN_HOOK);
            return new Chain(
                    listed.text(BalancerMessages.NFTA_CHAIN_NAME).orElse(""),
                    listed.text(BalancerMessages.NFTA_CHAIN_TYPE).orElse(""),
                    hook.u32(BalancerMessages.NFTA_HOOK_HOOKNUM),
                    hook.u32(BalancerMessages.NFTA_HOOK_PRIORITY),
                    listed.u32(NFTA_CHAIN_POLICY));
        }
    }

    private static OptionalInt be32(int value) {
        return OptionalInt.of(Integer.reverseBytes(value));
    }

    private static Map<InetAddress, List<InetAddress>> served(Map<InetAddress, ? extends List<InetAddress>> backends) {
        Map<InetAddress, List<InetAddress>> served = new HashMap<>(backends);
        served.values().removeIf(List::isEmpty);
        return served;
    }

    private boolean hasRules(Map<InetAddress, ? extends List<InetAddress>> backends) throws KernelException {
        Map<String, List<List<ListedExpression>>> rules = new HashMap<>();
        for (var rule : list(Nfnetlink.NFT_MSG_GETRULE, listed -> Map.entry(
                listed.text(BalancerMessages.NFTA_RULE_CHAIN).orElse(""), expressions(listed)))) {
            rules.computeIfAbsent(rule.getKey(), _ -> new ArrayList<>()).add(rule.getValue());
        }
        for (BalancerChange.BaseChain base : BalancerChange.BASE_CHAINS) {
            if (!ListedExpression.areAll(rules.getOrDefault(base.name(), List.of()), base.rules())) {
                return false;
            }
        }
        for (var vip : served(backends).entrySet()) {
            List<InetAddress> chosen = BalancerChange.chosen(vip.getValue());
            List<List<ListedExpression>> listed = rules.getOrDefault(BalancerChange.chain(vip.getKey()), List.of());
            if (!ListedExpression.areAll(listed, List.of(BalancerChange.choice(chosen.size(), 0)))
                    || !numbered(listed.getFirst().get(1).set()).equals(numbered(chosen))) {
                return false;
            }
        }
        return true;
    }

    private static List<ListedExpression> expressions(Attributes rule) {
        return rule.get(BalancerMessages.NFTA_RULE_EXPRESSIONS).stream()
                .flatMap(list -> Attributes.all(list, NFTA_LIST_ELEM).stream())
                .map(ListedExpression::of)
                .toList();
    }

    private static Map<Integer, InetAddress> numbered(List<InetAddress> backends) {
        Map<Integer, InetAddress> numbered = new HashMap<>();
        backends.forEach(backend -> numbered.put(numbered.size(), backend));
        return numbered;
    }

    private Map<Integer, InetAddress> numbered(String map) throws KernelException {
        Map<Integer, InetAddress> numbered = new HashMap<>();
        elements(map, element -> element.nested(BalancerMessages.NFTA_SET_ELEM_DATA).address(NFTA_DATA_VALUE).ifPresent(backend ->
                element.nested(NFTA_SET_ELEM_KEY).u32(NFTA_DATA_VALUE).ifPresent(number -> numbered.put(number, backend))));
        return numbered;
    }

    private boolean hasSets(Map<InetAddress, ? extends List<InetAddress>> backends) throws KernelException {
        Map<InetAddress, String> chains = new HashMap<>();
        Map<InetAddress, String> empty = new HashMap<>();
        backends.forEach((vip, some) -> {
            if (some.isEmpty()) {
                empty.put(vip, "");
            } else {
                chains.put(vip, BalancerChange.chain(vip));
            }
        });
        return verdicts(BalancerChange.VERDICTS).equals(chains) && verdicts(BalancerChange.EMPTY).equals(empty);
    }

    /** Returns the addresses in a set, each with the chain in which its packets go on, if there is one. */
    private Map<InetAddress, String> verdicts(String set) throws KernelException {
        Map<InetAddress, String> verdicts = new HashMap<>();
        elements(set, element -> element.nested(NFTA_SET_ELEM_KEY).address(NFTA_DATA_VALUE).ifPresent(address -> {
            Attributes verdict = element.nested(BalancerMessages.NFTA_SET_ELEM_DATA).nested(BalancerMessages.NFTA_DATA_VERDICT);
            OptionalInt code = verdict.u32(BalancerMessages.NFTA_VERDICT_CODE);
            verdicts.put(address, code.isEmpty() || code.equals(be32(BalancerMessages.NFT_GOTO))
                    ? verdict.text(BalancerMessages.NFTA_VERDICT_CHAIN).orElse("")
                    : "verdict " + code);
        }));
        return verdicts;
    }

    private <T> List<T> list(int request, Function<Attributes, T> reader) throws KernelException {
        return socket.dump(
                "list table " + table,
                batch -> Nfnetlink.header(batch.add(request, NetlinkMessage.NLM_F_DUMP), Nfnetlink.NFPROTO_IPV4),
                (_, payload) -> {
                    Attributes attributes = Attributes.of(payload, Nfnetlink.NFGENMSG_LENGTH);
                    return attributes.text(NFTA_TABLE).equals(Optional.of(table))
                            ? Optional.of(reader.apply(attributes))
                            : Optional.empty();
                });
    }

    /** Reads the elements of a set; none if there is no such set. */
    private void elements(String set, Consumer<Attributes> reader) throws KernelException {
        try {
            socket.dump(
                    "list set " + set + " of table " + table,
                    batch -> Nfnetlink.header(
                                    batch.add(Nfnetlink.NFT_MSG_GETSETELEM, NetlinkMessage.NLM_F_DUMP), Nfnetlink.NFPROTO_IPV4)
                            .attribute(NFTA_TABLE, table)
                            .attribute(NFTA_SET_ELEM_LIST_SET, set),
                    (_, payload) -> {
                        read(payload, reader);
                        return Optional.empty();
                    });
        } catch (KernelException failure) {
            if (failure.errno() != Errno.ENOENT) {
                throw failure;
            }
        }
    }

    private static void read(ByteBuffer payload, Consumer<Attributes> reader) {
        Attributes.of(payload, Nfnetlink.NFGENMSG_LENGTH)
                .get(NFTA_SET_ELEM_LIST_ELEMENTS)
                .map(list -> Attributes.all(list, NFTA_LIST_ELEM))
                .orElse(List.of())
                .forEach(element -> reader.accept(Attributes.of(element, 0)));
    }
}
