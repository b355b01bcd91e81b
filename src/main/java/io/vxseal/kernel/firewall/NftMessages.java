package io.vxseal.kernel.firewall;

import static io.vxseal.kernel.netlink.Nfnetlink.NFGENMSG_LENGTH;
import static io.vxseal.kernel.netlink.Nfnetlink.NFT_MSG_DELCHAIN;
import static io.vxseal.kernel.netlink.Nfnetlink.NFT_MSG_DELRULE;
import static io.vxseal.kernel.netlink.Nfnetlink.NFT_MSG_DELSETELEM;
import static io.vxseal.kernel.netlink.Nfnetlink.NFT_MSG_DELTABLE;
import static io.vxseal.kernel.netlink.Nfnetlink.NFT_MSG_GETCHAIN;
import static io.vxseal.kernel.netlink.Nfnetlink.NFT_MSG_GETOBJ;
import static io.vxseal.kernel.netlink.Nfnetlink.NFT_MSG_GETRULE;
import static io.vxseal.kernel.netlink.Nfnetlink.NFT_MSG_GETSET;
import static io.vxseal.kernel.netlink.Nfnetlink.NFT_MSG_GETSETELEM;
import static io.vxseal.kernel.netlink.Nfnetlink.NFT_MSG_GETTABLE;
import static io.vxseal.kernel.netlink.Nfnetlink.NFT_MSG_NEWRULE;
import static io.vxseal.kernel.netlink.NftAttributes.NFTA_DATA_VALUE;
import static io.vxseal.kernel.netlink.NftAttributes.NFTA_LIST_ELEM;
import static io.vxseal.kernel.netlink.NftAttributes.NFTA_SET_ELEM_KEY;
import static io.vxseal.kernel.netlink.NftAttributes.NFTA_SET_ELEM_LIST_ELEMENTS;
import static io.vxseal.kernel.netlink.NftAttributes.NFTA_SET_ELEM_LIST_SET;
import static io.vxseal.kernel.netlink.NftAttributes.NFTA_SET_NAME;
import static io.vxseal.kernel.netlink.NftAttributes.NFTA_TABLE;

import io.vxseal.kernel.netlink.Attributes;
import io.vxseal.kernel.netlink.Batch;
import io.vxseal.kernel.netlink.NetlinkHeader;
import io.vxseal.kernel.netlink.NetlinkMessage;
import io.vxseal.kernel.netlink.Nfnetlink;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Messages about tables of nf_tables, in the layouts of {@code linux/netfilter/nf_tables.h} and {@code nfnetlink.h}. */
public final class NftMessages {
    private static final int NFNLGRP_NFTABLES = 7;

    /** Multicast groups in which the kernel reports changes. */
    public static final Set<Integer> GROUPS = Set.of(NFNLGRP_NFTABLES);

    /** Reports of changes that may take a rule's effect away. */
    public static final Set<Integer> CHANGES =
            Set.of(NFT_MSG_DELTABLE, NFT_MSG_DELCHAIN, NFT_MSG_NEWRULE, NFT_MSG_DELRULE, NFT_MSG_DELSETELEM);

    private static final int NFTA_TABLE_USE = 3;
    private static final int NFTA_TABLE_HANDLE = 4;
    private static final int NFTA_CHAIN_HANDLE = 2;
    private static final int NFTA_CHAIN_USE = 6;
    private static final int NFTA_RULE_HANDLE = 3;
    private static final int NFTA_RULE_POSITION = 6;
    private static final int NFTA_SET_HANDLE = 16;
    private static final int NFTA_SET_COUNT = 20;

    private static final int NFTA_OBJ_NAME = 2;
    private static final int NFTA_OBJ_DATA = 4;
    private static final int NFTA_OBJ_USE = 5;
    private static final int NFTA_OBJ_HANDLE = 6;
    private static final int NFTA_COUNTER_PACKETS = 2;

    /** A kind of object in a table: the request for all of them, and the attributes that differ in an equal table. */
    enum Kind {
        TABLE(NFT_MSG_GETTABLE, Set.of(NFTA_TABLE_USE, NFTA_TABLE_HANDLE)),
        CHAIN(NFT_MSG_GETCHAIN, Set.of(NFTA_CHAIN_HANDLE, NFTA_CHAIN_USE)),
        RULE(NFT_MSG_GETRULE, Set.of(NFTA_RULE_HANDLE, NFTA_RULE_POSITION)),
        SET(NFT_MSG_GETSET, Set.of(NFTA_SET_HANDLE, NFTA_SET_COUNT)),
        COUNTER(NFT_MSG_GETOBJ, Set.of(NFTA_OBJ_DATA, NFTA_OBJ_USE, NFTA_OBJ_HANDLE));

        private final int request;
        @SuppressWarnings("ImmutableEnumChecker") // the sets above are
        private final Set<Integer> varying;

        Kind(int request, Set<Integer> varying) {
            this.request = request;
            this.varying = varying;
        }
    }

    private NftMessages() {}

    private static NetlinkMessage writeHeader(Batch batch, int type, NftFamily family) {
        return Nfnetlink.header(batch.add(type, NetlinkMessage.NLM_F_DUMP), family.number);
    }

    /** Writes a request for all objects of a kind in all tables of a family. */
    static void writeDump(Batch batch, Kind kind, NftFamily family) {
        writeHeader(batch, kind.request, family);
    }

    /** Writes a request for all elements of a set. */
    static void writeElementDump(Batch batch, NftFamily family, String table, String set) {
        writeHeader(batch, NFT_MSG_GETSETELEM, family)
                .attribute(NFTA_TABLE, table)
                .attribute(NFTA_SET_ELEM_LIST_SET, set);
    }

    /** Reads an object of the table: its attributes, without those that differ in an equal table. Empty for other tables. */
    static Optional<ByteBuffer> readObject(ByteBuffer message, Kind kind, String table) {
        if (!Attributes.of(message, NFGENMSG_LENGTH).text(NFTA_TABLE).equals(Optional.of(table))) {
            return Optional.empty();
        }
        ByteBuffer constant = ByteBuffer.allocate(message.limit()).order(message.order());
        int at = NFGENMSG_LENGTH;
        while (at + NetlinkMessage.NLA_HDRLEN <= message.limit()) {
            int length = NetlinkHeader.align(Math.max(Attributes.length(message, at), NetlinkMessage.NLA_HDRLEN));
            int end = Math.min(at + length, message.limit());
            if (!kind.varying.contains(Attributes.type(message, at))) {
                constant.put(message.slice(at, end - at));
            }
            at += length;
        }
        return Optional.of(constant.flip());
    }

    /** Reads the packets that each named counter of the table has counted, by its name. Empty for other tables. */
    static Optional<Map.Entry<String, Long>> readCounter(ByteBuffer message, String table) {
        Attributes object = Attributes.of(message, NFGENMSG_LENGTH);
        if (!object.text(NFTA_TABLE).equals(Optional.of(table))) {
            return Optional.empty();
        }
        return object.nested(NFTA_OBJ_DATA).get(NFTA_COUNTER_PACKETS)
                .filter(packets -> packets.limit() == Long.BYTES)
                .map(packets -> Map.entry(
                        object.text(NFTA_OBJ_NAME).orElse(""), packets.order(ByteOrder.BIG_ENDIAN).getLong(0)));
    }

    /** Returns the name of a set that {@link #readObject} read. */
    static String setName(ByteBuffer set) {
        return Attributes.of(set, 0).text(NFTA_SET_NAME).orElse("");
    }

    /** Reads copies of the keys in a message with elements of a set. */
    static List<ByteBuffer> readKeys(ByteBuffer message) {
        return Attributes.of(message, NFGENMSG_LENGTH)
                .get(NFTA_SET_ELEM_LIST_ELEMENTS)
                .map(elements -> Attributes.all(elements, NFTA_LIST_ELEM))
                .orElse(List.of())
                .stream()
                .flatMap(element -> Attributes.of(element, 0).nested(NFTA_SET_ELEM_KEY).get(NFTA_DATA_VALUE).stream())
                .map(key -> ByteBuffer.allocate(key.remaining()).put(key).flip())
                .toList();
    }
}
