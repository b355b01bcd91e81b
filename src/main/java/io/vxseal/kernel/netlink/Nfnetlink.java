package io.vxseal.kernel.netlink;

/**
 * Numbers and the common header of netfilter's messages.
 *
 * <pre>{@code
 * struct nfgenmsg {            // linux/netfilter/nfnetlink.h
 *     __u8 nfgen_family;       // 0
 *     __u8 version;            // 1
 *     __be16 res_id;           // 2
 * };                           // 4
 * }</pre>
 */
public final class Nfnetlink {
    public static final int NFGENMSG_LENGTH = 4;

    /** {@code linux/netfilter.h}: the family of IPv4. */
    public static final int NFPROTO_IPV4 = 2;

    // linux/netfilter/nfnetlink.h: subsystems, in the upper octet of a message's type
    public static final int NFNL_SUBSYS_CTNETLINK = 1 << 8;
    public static final int NFNL_SUBSYS_NFTABLES = 10 << 8;

    // linux/netfilter/nf_tables.h: messages about tables and what is in them
    public static final int NFT_MSG_NEWTABLE = NFNL_SUBSYS_NFTABLES;
    public static final int NFT_MSG_GETTABLE = NFNL_SUBSYS_NFTABLES | 1;
    public static final int NFT_MSG_DELTABLE = NFNL_SUBSYS_NFTABLES | 2;
    public static final int NFT_MSG_NEWCHAIN = NFNL_SUBSYS_NFTABLES | 3;
    public static final int NFT_MSG_GETCHAIN = NFNL_SUBSYS_NFTABLES | 4;
    public static final int NFT_MSG_DELCHAIN = NFNL_SUBSYS_NFTABLES | 5;
    public static final int NFT_MSG_NEWRULE = NFNL_SUBSYS_NFTABLES | 6;
    public static final int NFT_MSG_GETRULE = NFNL_SUBSYS_NFTABLES | 7;
    public static final int NFT_MSG_DELRULE = NFNL_SUBSYS_NFTABLES | 8;
    public static final int NFT_MSG_NEWSET = NFNL_SUBSYS_NFTABLES | 9;
    public static final int NFT_MSG_GETSET = NFNL_SUBSYS_NFTABLES | 10;
    public static final int NFT_MSG_NEWSETELEM = NFNL_SUBSYS_NFTABLES | 12;
    public static final int NFT_MSG_GETSETELEM = NFNL_SUBSYS_NFTABLES | 13;
    public static final int NFT_MSG_DELSETELEM = NFNL_SUBSYS_NFTABLES | 14;
    public static final int NFT_MSG_GETGEN = NFNL_SUBSYS_NFTABLES | 16;
    public static final int NFT_MSG_GETOBJ = NFNL_SUBSYS_NFTABLES | 19;

    /** {@code linux/netlink.h}: flag of the type of an attribute that contains attributes. */
    public static final int NLA_F_NESTED = 0x8000;

    // linux/netfilter/nfnetlink.h: messages around a transaction
    private static final int NFNL_MSG_BATCH_BEGIN = 0x10;
    private static final int NFNL_MSG_BATCH_END = 0x11;

    private Nfnetlink() {}

    /** Writes the header of a message for a family. */
    public static NetlinkMessage header(NetlinkMessage message, int family) {
        return message.u8(family).u8(0).u16(0);
    }

    /** Writes the beginning of a transaction of nf_tables. */
    public static void writeBegin(NetlinkTransaction transaction) {
        bound(transaction, NFNL_MSG_BATCH_BEGIN);
    }

    /** Writes the end of a transaction of nf_tables. */
    public static void writeEnd(NetlinkTransaction transaction) {
        bound(transaction, NFNL_MSG_BATCH_END);
    }

    private static void bound(NetlinkTransaction transaction, int type) {
        transaction.add(type, 0).u8(0).u8(0).be16(NFNL_SUBSYS_NFTABLES >> 8);
    }
}
