package io.vxseal.kernel.balancer;

import static io.vxseal.kernel.netlink.Nfnetlink.NFPROTO_IPV4;
import static io.vxseal.kernel.netlink.Nfnetlink.NFT_MSG_DELCHAIN;
import static io.vxseal.kernel.netlink.Nfnetlink.NFT_MSG_DELRULE;
import static io.vxseal.kernel.netlink.Nfnetlink.NFT_MSG_DELSETELEM;
import static io.vxseal.kernel.netlink.Nfnetlink.NFT_MSG_DELTABLE;
import static io.vxseal.kernel.netlink.Nfnetlink.NFT_MSG_NEWCHAIN;
import static io.vxseal.kernel.netlink.Nfnetlink.NFT_MSG_NEWRULE;
import static io.vxseal.kernel.netlink.Nfnetlink.NFT_MSG_NEWSET;
import static io.vxseal.kernel.netlink.Nfnetlink.NFT_MSG_NEWSETELEM;
import static io.vxseal.kernel.netlink.Nfnetlink.NFT_MSG_NEWTABLE;
import static io.vxseal.kernel.netlink.Nfnetlink.NLA_F_NESTED;
import static io.vxseal.kernel.netlink.NftAttributes.NFTA_DATA_VALUE;
import static io.vxseal.kernel.netlink.NftAttributes.NFTA_LIST_ELEM;
import static io.vxseal.kernel.netlink.NftAttributes.NFTA_SET_ELEM_KEY;
import static io.vxseal.kernel.netlink.NftAttributes.NFTA_SET_ELEM_LIST_ELEMENTS;
import static io.vxseal.kernel.netlink.NftAttributes.NFTA_SET_ELEM_LIST_SET;
import static io.vxseal.kernel.netlink.NftAttributes.NFTA_SET_NAME;
import static io.vxseal.kernel.netlink.NftAttributes.NFTA_TABLE;

import io.vxseal.kernel.netlink.NetlinkMessage;
import io.vxseal.kernel.netlink.NetlinkTransaction;
import io.vxseal.kernel.netlink.Nfnetlink;
import java.net.InetAddress;
import java.util.List;
import java.util.function.Consumer;

/** Messages that change a balancer's table, in the layout of {@code linux/netfilter/nf_tables.h}. */
final class BalancerMessages {
    private static final int NLM_F_APPEND = 0x800;

    static final int NFTA_CHAIN_NAME = 3;
    static final int NFTA_CHAIN_HOOK = 4;
    static final int NFTA_CHAIN_TYPE = 7;
    static final int NFTA_HOOK_HOOKNUM = 1;
    static final int NFTA_HOOK_PRIORITY = 2;

    static final int NFTA_RULE_CHAIN = 2;
    static final int NFTA_RULE_EXPRESSIONS = 4;
    static final int NFTA_EXPR_NAME = 1;
    static final int NFTA_EXPR_DATA = 2;

    private static final int NFTA_SET_FLAGS = 3;
    private static final int NFTA_SET_KEY_TYPE = 4;
    private static final int NFTA_SET_KEY_LEN = 5;
    private static final int NFTA_SET_DATA_TYPE = 6;
    private static final int NFTA_SET_DATA_LEN = 7;
    private static final int NFTA_SET_ID = 10;
    private static final int NFTA_SET_USERDATA = 13;
    private static final int NFT_SET_ANONYMOUS = 0x1;
    private static final int NFT_SET_CONSTANT = 0x2;
    private static final int NFT_SET_MAP = 0x8;
    private static final int NFT_DATA_VERDICT = 0xffffff00;

    private static final int NFTA_SET_ELEM_LIST_SET_ID = 4;
    static final int NFTA_SET_ELEM_DATA = 2;
    static final int NFTA_DATA_VERDICT = 2;
    static final int NFTA_VERDICT_CODE = 1;
    static final int NFTA_VERDICT_CHAIN = 2;
    static final int NFT_GOTO = -4;

    // nft's numbers of data types, by which it prints a set's elements
    private static final int TYPE_INTEGER = 4;
    private static final int TYPE_IPADDR = 7;

    /** What nft keeps with a set, for printing it: the byte order of keys is the host's, that of data the network's. */
    private static final byte[] BYTE_ORDERS = {0, 4, 1, 0, 0, 0, 1, 4, 2, 0, 0, 0};

    /** Name of a map that one rule has for itself. The kernel puts a number in. */
    static final String ANONYMOUS = "__map%d";

    /** Octets of an address and of a random number. */
    private static final int WORD = 4;

    private BalancerMessages() {}

    /** Place of a base chain among the packets (linux/netfilter_ipv4.h). */
    enum Hook {
        PREROUTING(0),
        OUTPUT(3);

        final int number;

        Hook(int number) {
            this.number = number;
        }
    }

    private static NetlinkMessage add(NetlinkTransaction transaction, int type, int flags, String table) {
        return Nfnetlink.header(transaction.add(type, flags), NFPROTO_IPV4).attribute(NFTA_TABLE, table);
    }

    static void writeTable(NetlinkTransaction transaction, String table) {
        add(transaction, NFT_MSG_NEWTABLE, NetlinkMessage.NLM_F_CREATE, table);
    }

    /** Writes the deletion of a table with everything in it. Asks for an acknowledgement if it is the last change. */
    static void writeTableDeletion(NetlinkTransaction transaction, String table, boolean last) {
        add(transaction, NFT_MSG_DELTABLE, last ? NetlinkMessage.NLM_F_ACK : 0, table);
    }

    /** Writes that a table, which exists, exists, and asks for the acknowledgement of all changes before. */
    static void writeAcknowledgement(NetlinkTransaction transaction, String table) {
        add(transaction, NFT_MSG_NEWTABLE, NetlinkMessage.NLM_F_CREATE | NetlinkMessage.NLM_F_ACK, table);
    }

    static void writeBaseChain(NetlinkTransaction transaction, String table, String chain, String type, Hook hook, int priority) {
        add(transaction, NFT_MSG_NEWCHAIN, NetlinkMessage.NLM_F_CREATE, table)
                .attribute(NFTA_CHAIN_NAME, chain)
                .attribute(NFTA_CHAIN_HOOK | NLA_F_NESTED, nested -> nested
                        .attributeBe32(NFTA_HOOK_HOOKNUM, hook.number)
                        .attributeBe32(NFTA_HOOK_PRIORITY, priority))
                .attribute(NFTA_CHAIN_TYPE, type);
    }

    static void writeChain(NetlinkTransaction transaction, String table, String chain) {
        add(transaction, NFT_MSG_NEWCHAIN, NetlinkMessage.NLM_F_CREATE, table).attribute(NFTA_CHAIN_NAME, chain);
    }

    static void writeChainDeletion(NetlinkTransaction transaction, String table, String chain) {
        add(transaction, NFT_MSG_DELCHAIN, 0, table).attribute(NFTA_CHAIN_NAME, chain);
    }

    /** Writes the deletion of all rules of a chain. */
    static void writeFlush(NetlinkTransaction transaction, String table, String chain) {
        add(transaction, NFT_MSG_DELRULE, 0, table).attribute(NFTA_RULE_CHAIN, chain);
    }

    /** Writes a set of addresses. */
    static void writeAddressSet(NetlinkTransaction transaction, String table, String set, int id) {
        add(transaction, NFT_MSG_NEWSET, NetlinkMessage.NLM_F_CREATE, table)
                .attribute(NFTA_SET_NAME, set)
                .attributeBe32(NFTA_SET_FLAGS, 0)
                .attributeBe32(NFTA_SET_KEY_TYPE, TYPE_IPADDR)
                .attributeBe32(NFTA_SET_KEY_LEN, WORD)
                .attributeBe32(NFTA_SET_ID, id);
    }

    /** Writes a map from addresses to verdicts. */
    static void writeVerdictMap(NetlinkTransaction transaction, String table, String map, int id) {
        add(transaction, NFT_MSG_NEWSET, NetlinkMessage.NLM_F_CREATE, table)
                .attribute(NFTA_SET_NAME, map)
                .attributeBe32(NFTA_SET_FLAGS, NFT_SET_MAP)
                .attributeBe32(NFTA_SET_KEY_TYPE, TYPE_IPADDR)
                .attributeBe32(NFTA_SET_KEY_LEN, WORD)
                .attributeBe32(NFTA_SET_DATA_TYPE, NFT_DATA_VERDICT)
                .attributeBe32(NFTA_SET_ID, id);
    }

    /** Writes a map from 0, 1 and so on to addresses, for one rule. */
    static void writeNumberedAddresses(NetlinkTransaction transaction, String table, int id, List<InetAddress> addresses) {
        add(transaction, NFT_MSG_NEWSET, NetlinkMessage.NLM_F_CREATE, table)
                .attribute(NFTA_SET_NAME, ANONYMOUS)
                .attributeBe32(NFTA_SET_FLAGS, NFT_SET_ANONYMOUS | NFT_SET_CONSTANT | NFT_SET_MAP)
                .attributeBe32(NFTA_SET_KEY_TYPE, TYPE_INTEGER)
                .attributeBe32(NFTA_SET_KEY_LEN, WORD)
                .attributeBe32(NFTA_SET_DATA_TYPE, TYPE_IPADDR)
                .attributeBe32(NFTA_SET_DATA_LEN, WORD)
                .attributeBe32(NFTA_SET_ID, id)
                .attribute(NFTA_SET_USERDATA, BYTE_ORDERS);
        add(transaction, NFT_MSG_NEWSETELEM, NetlinkMessage.NLM_F_CREATE, table)
                .attribute(NFTA_SET_ELEM_LIST_SET, ANONYMOUS)
                .attribute(NFTA_SET_ELEM_LIST_ELEMENTS | NLA_F_NESTED, list -> {
                    for (int n = 0; n < addresses.size(); n++) {
                        int number = n;
                        list.attribute(NFTA_LIST_ELEM | NLA_F_NESTED, element -> element
                                .attribute(NFTA_SET_ELEM_KEY | NLA_F_NESTED, key -> key.attributeU32(NFTA_DATA_VALUE, number))
                                .attribute(NFTA_SET_ELEM_DATA | NLA_F_NESTED, data ->
                                        data.attribute(NFTA_DATA_VALUE, addresses.get(number))));
                    }
                })
                .attribute(NFTA_SET_ELEM_LIST_SET_ID, m -> m.be32(id));
    }

    /** Writes that packets to an address go on in a chain. */
    static void writeVerdict(NetlinkTransaction transaction, String table, String map, InetAddress address, String chain) {
        elements(add(transaction, NFT_MSG_NEWSETELEM, NetlinkMessage.NLM_F_CREATE, table), map, element -> key(element, address)
                .attribute(NFTA_SET_ELEM_DATA | NLA_F_NESTED, data -> data.attribute(NFTA_DATA_VERDICT | NLA_F_NESTED, verdict ->
                        verdict.attributeBe32(NFTA_VERDICT_CODE, NFT_GOTO).attribute(NFTA_VERDICT_CHAIN, chain))));
    }

    static void writeElement(NetlinkTransaction transaction, String table, String set, InetAddress address) {
        elements(add(transaction, NFT_MSG_NEWSETELEM, NetlinkMessage.NLM_F_CREATE, table), set, element -> key(element, address));
    }

    static void writeElementDeletion(NetlinkTransaction transaction, String table, String set, InetAddress address) {
        elements(add(transaction, NFT_MSG_DELSETELEM, 0, table), set, element -> key(element, address));
    }

    private static void elements(NetlinkMessage message, String set, Consumer<NetlinkMessage> element) {
        message.attribute(NFTA_SET_ELEM_LIST_SET, set)
                .attribute(NFTA_SET_ELEM_LIST_ELEMENTS | NLA_F_NESTED, list -> list.attribute(NFTA_LIST_ELEM | NLA_F_NESTED, element));
    }

    private static NetlinkMessage key(NetlinkMessage element, InetAddress address) {
        return element.attribute(NFTA_SET_ELEM_KEY | NLA_F_NESTED, key -> key.attribute(NFTA_DATA_VALUE, address));
    }

    /** Writes a rule at the end of a chain. */
    static void writeRule(NetlinkTransaction transaction, String table, String chain, List<Expression> expressions) {
        add(transaction, NFT_MSG_NEWRULE, NetlinkMessage.NLM_F_CREATE | NLM_F_APPEND, table)
                .attribute(NFTA_RULE_CHAIN, chain)
                .attribute(NFTA_RULE_EXPRESSIONS | NLA_F_NESTED, list -> expressions.forEach(expression ->
                        list.attribute(NFTA_LIST_ELEM | NLA_F_NESTED, element -> element
                                .attribute(NFTA_EXPR_NAME, expression.name())
                                .attribute(NFTA_EXPR_DATA | NLA_F_NESTED, data -> expression.data().accept(data)))));
    }
}
