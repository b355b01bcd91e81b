package io.vxseal.kernel.balancer;

import static io.vxseal.kernel.netlink.Nfnetlink.NFPROTO_IPV4;
import static io.vxseal.kernel.netlink.Nfnetlink.NLA_F_NESTED;
import static io.vxseal.kernel.netlink.NftAttributes.NFTA_DATA_VALUE;

import io.vxseal.kernel.netlink.NetlinkMessage;
import java.net.InetAddress;
import java.util.function.Consumer;

/**
 * An expression of a rule of nf_tables ({@code linux/netfilter/nf_tables.h}). Those of a rule pass a value on in a register.
 *
 * @param name by which the kernel finds it
 * @param data writes its attributes
 */
record Expression(String name, Consumer<NetlinkMessage> data) {
    private static final int NFT_REG_VERDICT = 0;
    private static final int NFT_REG_1 = 1;
    private static final int NFT_REG_2 = 2;

    private static final int NFTA_PAYLOAD_DREG = 1;
    private static final int NFTA_PAYLOAD_BASE = 2;
    private static final int NFTA_PAYLOAD_OFFSET = 3;
    private static final int NFTA_PAYLOAD_LEN = 4;
    private static final int NFT_PAYLOAD_NETWORK_HEADER = 1;

    /** Place of the destination address in an IPv4 header (RFC 791). */
    private static final int DESTINATION_OFFSET = 16;
    private static final int DESTINATION_LENGTH = 4;

    static final int NFTA_LOOKUP_SET = 1;
    private static final int NFTA_LOOKUP_SREG = 2;
    private static final int NFTA_LOOKUP_DREG = 3;
    static final int NFTA_LOOKUP_SET_ID = 4;

    private static final int NFTA_NG_DREG = 1;
    private static final int NFTA_NG_MODULUS = 2;
    private static final int NFTA_NG_TYPE = 3;
    private static final int NFT_NG_RANDOM = 1;

    private static final int NFTA_NAT_TYPE = 1;
    private static final int NFTA_NAT_FAMILY = 2;
    static final int NFTA_NAT_REG_ADDR_MIN = 3;
    static final int NFTA_NAT_REG_PROTO_MIN = 5;
    private static final int NFT_NAT_DNAT = 1;

    private static final int NFTA_IMMEDIATE_DREG = 1;
    private static final int NFTA_IMMEDIATE_DATA = 2;

    private static final int NFTA_META_DREG = 1;
    private static final int NFTA_META_KEY = 2;
    private static final int NFT_META_L4PROTO = 16;

    private static final int NFTA_CMP_SREG = 1;
    private static final int NFTA_CMP_OP = 2;
    private static final int NFTA_CMP_DATA = 3;
    private static final int NFT_CMP_EQ = 0;

    private static final int NFTA_REJECT_TYPE = 1;
    private static final int NFTA_REJECT_ICMP_CODE = 2;
    private static final int NFT_REJECT_ICMP_UNREACH = 0;
    private static final int NFT_REJECT_TCP_RST = 1;

    /** {@code linux/icmp.h}. */
    private static final int ICMP_PORT_UNREACH = 3;

    /** Loads the packet's destination address. */
    static Expression loadDestination() {
        return new Expression("payload", m -> {
            m.attributeBe32(NFTA_PAYLOAD_DREG, NFT_REG_1);
            m.attributeBe32(NFTA_PAYLOAD_BASE, NFT_PAYLOAD_NETWORK_HEADER);
            m.attributeBe32(NFTA_PAYLOAD_OFFSET, DESTINATION_OFFSET);
            m.attributeBe32(NFTA_PAYLOAD_LEN, DESTINATION_LENGTH);
        });
    }

    /** Loads the number of the protocol above IP. */
    static Expression loadProtocol() {
        return new Expression("meta", m -> {
            m.attributeBe32(NFTA_META_DREG, NFT_REG_1);
            m.attributeBe32(NFTA_META_KEY, NFT_META_L4PROTO);
        });
    }

    /** Loads a random number below the modulus. */
    static Expression loadRandom(int modulus) {
        return new Expression("numgen", m -> {
            m.attributeBe32(NFTA_NG_DREG, NFT_REG_1);
            m.attributeBe32(NFTA_NG_MODULUS, modulus);
            m.attributeBe32(NFTA_NG_TYPE, NFT_NG_RANDOM);
        });
    }

    /** Ends the rule unless the loaded value is in the set. */
    static Expression isIn(String set, int id) {
        return new Expression("lookup", m -> lookup(m, set, id));
    }

    /** Follows the verdict that the map has for the loaded value. */
    static Expression followVerdict(String map, int id) {
        return new Expression("lookup", m -> lookup(m, map, id).attributeBe32(NFTA_LOOKUP_DREG, NFT_REG_VERDICT));
    }

    /** Replaces the loaded value by the one that the map has for it. */
    static Expression replace(String map, int id) {
        return new Expression("lookup", m -> lookup(m, map, id).attributeBe32(NFTA_LOOKUP_DREG, NFT_REG_1));
    }

    private static NetlinkMessage lookup(NetlinkMessage message, String set, int id) {
        return message.attribute(NFTA_LOOKUP_SET, set)
                .attributeBe32(NFTA_LOOKUP_SREG, NFT_REG_1)
                .attributeBe32(NFTA_LOOKUP_SET_ID, id);
    }

    /** Ends the rule unless the loaded octet is this one. */
    static Expression isEqual(int octet) {
        return new Expression("cmp", m -> m.attributeBe32(NFTA_CMP_SREG, NFT_REG_1).attributeBe32(NFTA_CMP_OP, NFT_CMP_EQ)
                .attribute(NFTA_CMP_DATA | NLA_F_NESTED, data -> data.attributeU8(NFTA_DATA_VALUE, octet)));
    }

    /** Translates the connection's destination address to the loaded one. */
    static Expression translateDestination() {
        return new Expression("nat", m -> {
            m.attributeBe32(NFTA_NAT_TYPE, NFT_NAT_DNAT);
            m.attributeBe32(NFTA_NAT_FAMILY, NFPROTO_IPV4);
            m.attributeBe32(NFTA_NAT_REG_ADDR_MIN, NFT_REG_1);
        });
    }

    /** Loads an address. */
    static Expression load(InetAddress address) {
        return immediate(NFT_REG_1, data -> data.attribute(NFTA_DATA_VALUE, address));
    }

    /** Loads a port beside the address. */
    static Expression loadPort(int port) {
        return immediate(NFT_REG_2, data -> data.attribute(NFTA_DATA_VALUE, new byte[] {(byte) (port >> 8), (byte) port}));
    }

    private static Expression immediate(int register, Consumer<NetlinkMessage> value) {
        return new Expression("immediate", m -> m.attributeBe32(NFTA_IMMEDIATE_DREG, register)
                .attribute(NFTA_IMMEDIATE_DATA | NLA_F_NESTED, value));
    }

    /** Translates the connection's destination to the loaded address and port. */
    static Expression translateDestinationAndPort() {
        return new Expression("nat", m -> {
            m.attributeBe32(NFTA_NAT_TYPE, NFT_NAT_DNAT);
            m.attributeBe32(NFTA_NAT_FAMILY, NFPROTO_IPV4);
            m.attributeBe32(NFTA_NAT_REG_ADDR_MIN, NFT_REG_1);
            m.attributeBe32(NFTA_NAT_REG_PROTO_MIN, NFT_REG_2);
        });
    }

    /** Refuses the packet by a TCP reset. */
    static Expression reset() {
        return new Expression("reject", m -> m.attributeBe32(NFTA_REJECT_TYPE, NFT_REJECT_TCP_RST));
    }

    /** Refuses the packet by ICMP's "port unreachable". */
    static Expression refuse() {
        return new Expression("reject", m -> m.attributeBe32(NFTA_REJECT_TYPE, NFT_REJECT_ICMP_UNREACH)
                .attributeU8(NFTA_REJECT_ICMP_CODE, ICMP_PORT_UNREACH));
    }
}
