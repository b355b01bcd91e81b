package io.vxseal.kernel.netlink;

/** Types of attributes in messages about tables of nf_tables and what is in them ({@code linux/netfilter/nf_tables.h}). */
public final class NftAttributes {
    /**
     * The table's name: NFTA_TABLE_NAME, NFTA_CHAIN_TABLE, NFTA_RULE_TABLE, NFTA_SET_TABLE, NFTA_SET_ELEM_LIST_TABLE and
     * NFTA_OBJ_TABLE.
     */
    public static final int NFTA_TABLE = 1;

    public static final int NFTA_SET_NAME = 2;
    public static final int NFTA_SET_ELEM_LIST_SET = 2;
    public static final int NFTA_SET_ELEM_LIST_ELEMENTS = 3;
    public static final int NFTA_LIST_ELEM = 1;
    public static final int NFTA_SET_ELEM_KEY = 1;
    public static final int NFTA_DATA_VALUE = 1;

    private NftAttributes() {}
}
