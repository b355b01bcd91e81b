package io.vxseal.kernel.packet;

import io.vxseal.address.MacAddress;
import java.net.Inet4Address;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;

/** The layout of Ethernet frames with an IPv4 packet, and the headers that all of this plugin's own have in common. */
final class Ipv4Frame {
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
    static final int IPHDR_LENGTH = 20;

    /** Version 4, and a header of five words. */
    private static final byte VERSION_IHL = 0x45;

    /** Flag of frag_off. */
    private static final short IP_DF = 0x4000;

    private static final byte TTL = 64;

    /** Where the packet's content begins. */
    static final int CONTENT = IPHDR + IPHDR_LENGTH;

    private Ipv4Frame() {}

    /**
     * Returns a frame with its headers, whose content is to be put.
     *
     * @param octets of the IPv4 packet
     */
    static ByteBuffer begin(
            MacAddress sourceMac, Inet4Address source, MacAddress targetMac, Inet4Address target, int protocol, int id, int octets) {
        ByteBuffer frame = ByteBuffer.allocate(ETHHDR_LENGTH + octets).order(ByteOrder.BIG_ENDIAN);
        frame.put(targetMac.octets()).put(sourceMac.octets()).putShort(ETH_P_IP);
        frame.put(VERSION_IHL).put((byte) 0).putShort((short) octets).putShort((short) id)
                .putShort(IP_DF).put(TTL).put((byte) protocol).putShort((short) 0)
                .put(source.getAddress()).put(target.getAddress());
        frame.putShort(IPHDR_CHECK, (short) ~sum(frame, IPHDR, IPHDR_LENGTH));
        return frame;
    }

    /** Returns all octets of a frame. */
    static byte[] octets(ByteBuffer frame) {
        byte[] octets = new byte[frame.capacity()];
        frame.get(0, octets);
        return octets;
    }

    /**
     * Returns whether a frame has a packet of this protocol from this address.
     *
     * @param content octets that the packet has to have after its header
     */
    static boolean isFrom(ByteBuffer frame, Inet4Address source, int protocol, int content) {
        if (frame.limit() < CONTENT + content || frame.getShort(ETHHDR_PROTO) != ETH_P_IP
                || frame.get(IPHDR_VERSION_IHL) != VERSION_IHL || frame.get(IPHDR_PROTOCOL) != protocol) {
            return false;
        }
        byte[] from = new byte[Integer.BYTES];
        frame.get(IPHDR_SADDR, from);
        return Arrays.equals(from, source.getAddress());
    }

    /**
     * Returns a filter that lets packets of a protocol pass.
     *
     * @param content octets after the packet's header to which frames are cut
     */
    static FrameFilter filter(int protocol, int content) {
        return new FrameFilter(CONTENT + content)
                .equal(ETHHDR_PROTO, Short.BYTES, ETH_P_IP)
                .equal(IPHDR_VERSION_IHL, Byte.BYTES, VERSION_IHL)
                .equal(IPHDR_PROTOCOL, Byte.BYTES, protocol);
    }

    /** Returns the sum of an even or odd number of octets (RFC 1071), of which a checksum is the complement. */
    static int sum(ByteBuffer frame, int from, int length) {
        int sum = 0;
        for (int i = 0; i < length; i++) {
            int octet = Byte.toUnsignedInt(frame.get(from + i));
            sum += i % 2 == 0 ? octet << Byte.SIZE : octet;
        }
        return folded(sum);
    }

    /** Returns the sum of what TCP's checksum covers beyond the segment: both addresses, the protocol and the segment's length. */
    static int pseudoHeaderSum(ByteBuffer frame, int protocol, int length) {
        return folded(sum(frame, IPHDR_SADDR, 2 * Integer.BYTES) + protocol + length);
    }

    /** Adds carries until 16 bits are left. */
    static int folded(int sum) {
        int folded = sum;
        while (folded >>> Short.SIZE != 0) {
            folded = (folded & 0xffff) + (folded >>> Short.SIZE);
        }
        return folded;
    }
}
