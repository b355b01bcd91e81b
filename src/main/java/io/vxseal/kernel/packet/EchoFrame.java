package io.vxseal.kernel.packet;

import static io.vxseal.kernel.packet.IpProtocol.IPPROTO_ICMP;

import io.vxseal.address.MacAddress;
import java.net.Inet4Address;
import java.nio.ByteBuffer;
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
     * struct icmphdr {             // linux/icmp.h, of an echo
     *     __u8 type;                   //  0
     *     __u8 code;                   //  1
     *     __sum16 checksum;            //  2
     *     __be16 id;                   //  4
     *     __be16 sequence;             //  6
     * };                               //  8
     */
    private static final int ICMPHDR = Ipv4Frame.CONTENT;
    private static final int ICMPHDR_TYPE = ICMPHDR;
    private static final int ICMPHDR_CHECKSUM = ICMPHDR + 2;
    private static final int ICMPHDR_ID = ICMPHDR + 4;
    private static final int ICMPHDR_SEQUENCE = ICMPHDR + 6;
    private static final int ICMPHDR_LENGTH = 8;
    private static final byte ICMP_ECHO = 8;
    private static final byte ICMP_ECHOREPLY = 0;

    /** Octets of the headers of IPv4 and ICMP. */
    public static final int HEADERS = Ipv4Frame.IPHDR_LENGTH + ICMPHDR_LENGTH;

    /**
     * Returns a request.
     *
     * @param octets of the IPv4 packet, {@link #HEADERS} at least
     */
    public byte[] request(int sequence, int octets) {
        ByteBuffer frame = Ipv4Frame.begin(sourceMac, source, targetMac, target, IPPROTO_ICMP, sequence, octets);
        frame.put(ICMP_ECHO).put((byte) 0).putShort((short) 0).putShort((short) identifier).putShort((short) sequence);
        frame.putShort(ICMPHDR_CHECKSUM, (short) ~Ipv4Frame.sum(frame, ICMPHDR, octets - Ipv4Frame.IPHDR_LENGTH));
        return Ipv4Frame.octets(frame);
    }

    /** Returns whether a frame is the reply to the request with this number. */
    public boolean isReply(ByteBuffer frame, int sequence) {
        return sequence(frame).equals(OptionalInt.of(sequence));
    }

    /** Returns the number of the request to which a frame is the reply; empty if it is none. */
    public OptionalInt sequence(ByteBuffer frame) {
        boolean isReply = Ipv4Frame.isFrom(frame, target, IPPROTO_ICMP, ICMPHDR_LENGTH)
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
        return Ipv4Frame.filter(IPPROTO_ICMP, ICMPHDR_LENGTH)
                .equal(ICMPHDR_TYPE, Byte.BYTES, ICMP_ECHOREPLY)
                .equal(ICMPHDR_ID, Short.BYTES, identifier);
    }
}
