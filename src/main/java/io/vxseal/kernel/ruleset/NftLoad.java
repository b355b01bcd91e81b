package io.vxseal.kernel.ruleset;

import io.vxseal.kernel.netlink.Attributes;
import java.nio.ByteBuffer;

/** The expressions of nf_tables that load an item of a packet into a register. */
final class NftLoad {
    /** Attribute of the register: NFTA_META_DREG, NFTA_CT_DREG and NFTA_PAYLOAD_DREG. */
    private static final int DREG = 1;

    private static final int NFTA_META_KEY = 2;
    private static final int NFTA_CT_KEY = 2;
    private static final int NFTA_PAYLOAD_BASE = 2;
    private static final int NFTA_PAYLOAD_OFFSET = 3;
    private static final int NFTA_PAYLOAD_LEN = 4;

    private static final int NFT_PAYLOAD_NETWORK_HEADER = 1;
    private static final int NFT_PAYLOAD_TRANSPORT_HEADER = 2;
    private static final int NFT_CT_STATE = 0;
    private static final int NFT_CT_STATUS = 2;

    // enum nft_meta_keys
    private static final int NFT_META_PROTOCOL = 1;
    private static final int NFT_META_IIF = 4;
    private static final int NFT_META_OIF = 5;
    private static final int NFT_META_IIFNAME = 6;
    private static final int NFT_META_OIFNAME = 7;
    private static final int NFT_META_NFPROTO = 15;
    private static final int NFT_META_L4PROTO = 16;

    // linux/if_ether.h, linux/netfilter.h
    private static final int ETH_P_IP = 0x0800;
    private static final int ETH_P_IPV6 = 0x86dd;
    private static final int NFPROTO_IPV4 = 2;
    private static final int NFPROTO_IPV6 = 10;

    private NftLoad() {}

    /** Loads an item, or the value of which nothing is known. */
    static void load(String expression, Attributes data, Packet packet, Registers registers) {
        Value value = switch (expression) {
            case "meta" -> meta(number(data, NFTA_META_KEY), packet);
            case "ct" -> switch (number(data, NFTA_CT_KEY)) {
                case NFT_CT_STATE -> packet.stateValue();
                case NFT_CT_STATUS -> Packet.statusValue();
                default -> Value.UNKNOWN;
            };
            case "payload" -> payload(number(data, NFTA_PAYLOAD_BASE), number(data, NFTA_PAYLOAD_OFFSET),
                    number(data, NFTA_PAYLOAD_LEN), packet);
            default -> Value.UNKNOWN;
        };
        registers.set(number(data, DREG), value);
    }

    private static int number(Attributes data, int type) {
        return NftData.number(data, type).orElse(0);
    }

    private static Value meta(int key, Packet packet) {
        return switch (key) {
            case NFT_META_PROTOCOL -> Value.of(
                    ByteBuffer.allocate(Short.BYTES).putShort((short) (packet.ipv6() ? ETH_P_IPV6 : ETH_P_IP)).array());
            case NFT_META_NFPROTO -> octet(packet.ipv6() ? NFPROTO_IPV6 : NFPROTO_IPV4);
            case NFT_META_L4PROTO -> octet(packet.protocol());
            case NFT_META_IIFNAME -> packet.incoming() ? Packet.deviceName() : Value.UNKNOWN;
            case NFT_META_OIFNAME -> packet.incoming() ? Value.UNKNOWN : Packet.deviceName();
            case NFT_META_IIF -> packet.incoming() ? Packet.deviceIndex() : Value.UNKNOWN;
            case NFT_META_OIF -> packet.incoming() ? Value.UNKNOWN : Packet.deviceIndex();
            default -> Value.UNKNOWN;
        };
    }

    /*
     * struct iphdr {          // linux/ip.h            struct ipv6hdr {             // linux/ipv6.h
     *     __u8 protocol;      //  9                        __u8 nexthdr;            //  6
     *     __be32 saddr;       // 12                        struct in6_addr saddr;   //  8
     *     __be32 daddr;       // 16                        struct in6_addr daddr;   // 24
     * };                                               };
     * struct udphdr {         // linux/udp.h, and struct tcphdr
     *     __be16 dest;        //  2
     * };
     */
    private static Value payload(int base, int offset, int length, Packet packet) {
        if (base == NFT_PAYLOAD_TRANSPORT_HEADER) {
            if (offset == 0 && length == 2 * Short.BYTES) {
                return packet.portValue().after(Short.BYTES);
            }
            return offset == 2 && length == Short.BYTES ? packet.portValue() : Value.UNKNOWN;
        }
        if (base != NFT_PAYLOAD_NETWORK_HEADER) {
            return Value.UNKNOWN;
        }
        int protocol = packet.ipv6() ? 6 : 9;
        int source = packet.ipv6() ? 8 : 12;
        int destination = packet.ipv6() ? 24 : 16;
        int address = destination - source;
        if (offset == protocol && length == 1) {
            return octet(packet.protocol());
        }
        // A network of whole octets is compared with as many.
        if (offset == source && length <= address) {
            return prefix(packet.sourceValue(), length);
        }
        return offset == destination && length <= address ? prefix(packet.destinationValue(), length) : Value.UNKNOWN;
    }

    private static Value prefix(Value address, int length) {
        return address.map(octets -> octets.remaining() < length ? octets : octets.slice(0, length));
    }

    private static Value octet(int number) {
        return Value.of(new byte[] {(byte) number});
    }
}
