package io.vxseal.kernel.packet;

import io.vxseal.address.MacAddress;
import java.net.Inet4Address;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * Ethernet frames with an ICMP echo request (RFC 792) in an IPv4 packet, and the recognition of the replies.
 *
 * @param source address of the endpoint in whose name the request is sent
 * @param target address of the endpoint that is to reply
 * @param identifier of the requests, 16 bits
 */
public record EchoFrame(
        MacAddress sourceMac, Inet4Address source, MacAddress targetMac, Inet4Address target, int identifier) {
    /** Octets of the headers of IPv4 and ICMP. */
    public static final int HEADERS = 28;

    private static final int ETHERNET = 14;
    private static final int ETHERTYPE = 12;
    private static final int IPV4 = 20;
    private static final short ETH_P_IP = 0x0800;
    private static final byte VERSION_AND_LENGTH = 0x45;
    private static final int DONT_FRAGMENT = 0x4000;
    private static final byte TIME_TO_LIVE = 64;
    private static final byte IPPROTO_ICMP = 1;
    private static final byte ECHO_REQUEST = 8;
    private static final byte ECHO_REPLY = 0;

    // Offsets in the IPv4 header, and then in ICMP's.
    private static final int IP_PROTOCOL = 9;
    private static final int IP_CHECKSUM = 10;
    private static final int IP_SOURCE = 12;
    private static final int ICMP_TYPE = 0;
    private static final int ICMP_CHECKSUM = 2;
    private static final int ICMP_IDENTIFIER = 4;
    private static final int ICMP_SEQUENCE = 6;

    /**
     * Returns a request.
     *
     * @param octets of the IPv4 packet, {@link #HEADERS} at least
     */
    public byte[] request(int sequence, int octets) {
        ByteBuffer frame = ByteBuffer.allocate(ETHERNET + octets).order(ByteOrder.BIG_ENDIAN);
        frame.put(targetMac.octets()).put(sourceMac.octets()).putShort(ETH_P_IP);
        frame.put(VERSION_AND_LENGTH).put((byte) 0).putShort((short) octets).putShort((short) sequence)
                .putShort((short) DONT_FRAGMENT).put(TIME_TO_LIVE).put(IPPROTO_ICMP).putShort((short) 0)
                .put(source.getAddress()).put(target.getAddress());
        frame.put(ECHO_REQUEST).put((byte) 0).putShort((short) 0).putShort((short) identifier).putShort((short) sequence);
        frame.putShort(ETHERNET + IP_CHECKSUM, checksum(frame, ETHERNET, IPV4));
        frame.putShort(ETHERNET + IPV4 + ICMP_CHECKSUM, checksum(frame, ETHERNET + IPV4, octets - IPV4));
        return frame.array();
    }

    /** Returns whether a frame is the reply to the request with this number. */
    public boolean isReply(ByteBuffer frame, int sequence) {
        if (frame.limit() < ETHERNET + HEADERS || frame.getShort(ETHERTYPE) != ETH_P_IP
                || frame.get(ETHERNET) != VERSION_AND_LENGTH || frame.get(ETHERNET + IP_PROTOCOL) != IPPROTO_ICMP) {
            return false;
        }
        byte[] from = new byte[Integer.BYTES];
        frame.get(ETHERNET + IP_SOURCE, from);
        int icmp = ETHERNET + IPV4;
        return Arrays.equals(from, target.getAddress())
                && frame.get(icmp + ICMP_TYPE) == ECHO_REPLY
                && Short.toUnsignedInt(frame.getShort(icmp + ICMP_IDENTIFIER)) == identifier
                && Short.toUnsignedInt(frame.getShort(icmp + ICMP_SEQUENCE)) == sequence;
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
