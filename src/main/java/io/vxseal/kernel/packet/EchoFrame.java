package io.vxseal.kernel.packet;

import static io.vxseal.kernel.packet.IpProtocol.IPPROTO_ICMP;

import io.vxseal.address.MacAddress;
import java.net.Inet4Address;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.OptionalInt;

/**
 * Ethernet frames with an ICMP echo request (RFC 792) in an IPv4 packet, and the recognition of the replies.
 *
 * @param source address of the endpoint in whose name the request is sent
 * @param target address of the endpoint that is to reply
 * @param identifier of the requests, 16 bits
 */
public record EchoFrame(
        MacAddress sourceMac, Inet4Address source, MacAddress targetMac, Inet4Address target, int identifier) {
    /*
     * struct ethhdr {              // linux/if_ether.h
     *     unsigned char h_dest[6];     //  0
     *     unsigned char h_source[6];   //  6
     *     __be16 h_proto;              // 12
     * };                               // 14
     */
    private static final int ETHHDR_PROTO = 12;
    private static final int ETHHDR_LENGTH = 14;
    private static final short ETH_P_IP = 0x0800;

    /*
     * struct iphdr {               // linux/ip.h, without options
     *     __u8 version:4, ihl:4;       //  0
     *     __u8 tos;                    //  1
     *     __be16 tot_len;              //  2
     *     __be16 id;                   //  4
     *     __be16 frag_off;             //  6
     *     __u8 ttl;                    //  8
     *     __u8 protocol;               //  9
     *     __sum16 check;               // 10
     *     __be32 saddr;                // 12
     *     __be32 daddr;                // 16
     * };                               // 20
     */
    private static final int IPHDR = ETHHDR_LENGTH;
    private static final int IPHDR_VERSION_IHL = IPHDR;
    private static final int IPHDR_PROTOCOL = IPHDR + 9;
    private static final int IPHDR_CHECK = IPHDR + 10;
    private static final int IPHDR_SADDR = IPHDR + 12;
    private static final int IPHDR_LENGTH = 20;

    /** Version 4, and a header of five words. */
    private static final byte VERSION_IHL = 0x45;

    /** Flag of frag_off. */
    private static final short IP_DF = 0x4000;
    private static final byte TTL = 64;

    /*
     * struct icmphdr {             // linux/icmp.h, of an echo
     *     __u8 type;                   //  0
     *     __u8 code;                   //  1
     *     __sum16 checksum;            //  2
     *     __be16 id;                   //  4
     *     __be16 sequence;             //  6
     * };                               //  8
     */
    private static final int ICMPHDR = IPHDR + IPHDR_LENGTH;
    private static final int ICMPHDR_TYPE = ICMPHDR;
    private static final int ICMPHDR_CHECKSUM = ICMPHDR + 2;
    private static final int ICMPHDR_ID = ICMPHDR + 4;
    private static final int ICMPHDR_SEQUENCE = ICMPHDR + 6;
    private static final int ICMPHDR_LENGTH = 8;
    private static final byte ICMP_ECHO = 8;
    private static final byte ICMP_ECHOREPLY = 0;

    /** Octets of the headers of IPv4 and ICMP. */
    public static final int HEADERS = IPHDR_LENGTH + ICMPHDR_LENGTH;

    /**
     * Returns a request.
     *
     * @param octets of the IPv4 packet, {@link #HEADERS} at least
     */
    public byte[] request(int sequence, int octets) {
        ByteBuffer frame = ByteBuffer.allocate(ETHHDR_LENGTH + octets).order(ByteOrder.BIG_ENDIAN);
        frame.put(targetMac.octets()).put(sourceMac.octets()).putShort(ETH_P_IP);
        frame.put(VERSION_IHL).put((byte) 0).putShort((short) octets).putShort((short) sequence)
                .putShort(IP_DF).put(TTL).put((byte) IPPROTO_ICMP).putShort((short) 0)
                .put(source.getAddress()).put(target.getAddress());
        frame.put(ICMP_ECHO).put((byte) 0).putShort((short) 0).putShort((short) identifier).putShort((short) sequence);
        frame.putShort(IPHDR_CHECK, checksum(frame, IPHDR, IPHDR_LENGTH));
        frame.putShort(ICMPHDR_CHECKSUM, checksum(frame, ICMPHDR, octets - IPHDR_LENGTH));
        return frame.array();
    }

    /** Returns whether a frame is the reply to the request with this number. */
    public boolean isReply(ByteBuffer frame, int sequence) {
        return sequence(frame).equals(OptionalInt.of(sequence));
    }

    /** Returns the number of the request to which a frame is the reply; empty if it is none. */
    public OptionalInt sequence(ByteBuffer frame) {
        if (frame.limit() < ETHHDR_LENGTH + HEADERS || frame.getShort(ETHHDR_PROTO) != ETH_P_IP
                || frame.get(IPHDR_VERSION_IHL) != VERSION_IHL || frame.get(IPHDR_PROTOCOL) != IPPROTO_ICMP) {
            return OptionalInt.empty();
        }
        byte[] from = new byte[Integer.BYTES];
        frame.get(IPHDR_SADDR, from);
        boolean isReply = Arrays.equals(from, target.getAddress())
                && frame.get(ICMPHDR_TYPE) == ICMP_ECHOREPLY
                && Short.toUnsignedInt(frame.getShort(ICMPHDR_ID)) == identifier;
        return isReply ? OptionalInt.of(Short.toUnsignedInt(frame.getShort(ICMPHDR_SEQUENCE))) : OptionalInt.empty();
    }

    /**
     * Returns a filter that lets the headers of echo replies pass, and nothing else. A socket without it receives whatever the containers
     * of a network exchange.
     *
     * @param identifier of the requests
     */
    public static FrameFilter replies(int identifier) {
        return new FrameFilter(ETHHDR_LENGTH + HEADERS)
                .equal(ETHHDR_PROTO, Short.BYTES, ETH_P_IP)
                .equal(IPHDR_VERSION_IHL, Byte.BYTES, VERSION_IHL)
                .equal(IPHDR_PROTOCOL, Byte.BYTES, IPPROTO_ICMP)
                .equal(ICMPHDR_TYPE, Byte.BYTES, ICMP_ECHOREPLY)
                .equal(ICMPHDR_ID, Short.BYTES, identifier);
    }

    /** Returns the checksum of an even or odd number of octets (RFC 1071); the field itself is 0. */
    private static short checksum(ByteBuffer frame, int from, int length) {
        int sum = 0;
        for (int i = 0; i < length; i++) {
            int octet = Byte.toUnsignedInt(frame.get(from + i));
            sum += i % 2 == 0 ? octet << Byte.SIZE : octet;
        }
        while (sum >>> Short.SIZE != 0) {
            sum = (sum & 0xffff) + (sum >>> Short.SIZE);
        }
        return (short) ~sum;
    }
}
