package io.vxseal.kernel.packet;

import static io.vxseal.kernel.packet.IpProtocol.IPPROTO_TCP;

import io.vxseal.address.MacAddress;
import java.net.Inet4Address;
import java.nio.ByteBuffer;

/**
 * Ethernet frames with a TCP segment that acknowledges what was never sent, and the recognition of the answer: a reset, which has the
 * acknowledged number (RFC 9293, 3.10.7). It is the same whether a port is closed or listened at, and no connection begins with it.
 *
 * <p>The frames are for sockets that take a header before each ({@link FrameSocket#openWithHeaders}).
 *
 * @param source address of the endpoint in whose name a segment is sent
 * @param target address of the endpoint that is to answer
 */
public record AckFrame(MacAddress sourceMac, Inet4Address source, int sourcePort, MacAddress targetMac, Inet4Address target, int targetPort) {
    /*
     * struct tcphdr {              // linux/tcp.h
     *     __be16 source;               //  0
     *     __be16 dest;                 //  2
     *     __be32 seq;                  //  4
     *     __be32 ack_seq;              //  8
     *     __u16 doff:4, flags;         // 12
     *     __be16 window;               // 14
     *     __sum16 check;               // 16
     *     __be16 urg_ptr;              // 18
     * };                               // 20
     */
    private static final int TCPHDR = Ipv4Frame.CONTENT;
    private static final int TCPHDR_SOURCE = TCPHDR;
    private static final int TCPHDR_DEST = TCPHDR + 2;
    private static final int TCPHDR_SEQ = TCPHDR + 4;
    private static final int TCPHDR_FLAGS = TCPHDR + 13;
    private static final int TCPHDR_CHECK = TCPHDR + 16;
    private static final int TCPHDR_LENGTH = 20;

    /** A header of five words. */
    private static final byte DOFF = 0x50;

    private static final byte RST = 0x04;
    private static final byte ACK = 0x10;
    private static final short WINDOW = 1024;

    /** Returns a frame whose checksum is complete. */
    public byte[] summed(int number) {
        ByteBuffer frame = frame(number);
        frame.putShort(TCPHDR_CHECK, (short) ~Ipv4Frame.sum(frame, TCPHDR, TCPHDR_LENGTH));
        return VirtioHeader.complete(Ipv4Frame.octets(frame));
    }

    /** Returns a frame whose checksum is left to the link that it leaves by, as that of nearly all that containers send. */
    public byte[] unsummed(int number) {
        return VirtioHeader.leavingChecksum(Ipv4Frame.octets(frame(number)), TCPHDR, TCPHDR_CHECK - TCPHDR);
    }

    /** Returns a frame that has the sum of the pseudo-header in place of the checksum. */
    private ByteBuffer frame(int number) {
        ByteBuffer frame = Ipv4Frame.begin(
                sourceMac, source, targetMac, target, IPPROTO_TCP, number, Ipv4Frame.IPHDR_LENGTH + TCPHDR_LENGTH);
        frame.putShort((short) sourcePort).putShort((short) targetPort).putInt(0).putInt(number)
                .put(DOFF).put(ACK).putShort(WINDOW).putShort((short) 0).putShort((short) 0);
        return frame.putShort(TCPHDR_CHECK, (short) Ipv4Frame.pseudoHeaderSum(frame, IPPROTO_TCP, TCPHDR_LENGTH));
    }

    /** Returns whether what a socket received is the answer to the segment with this number. */
    public boolean isAnswer(ByteBuffer received, int number) {
        ByteBuffer frame = VirtioHeader.frame(received);
        return Ipv4Frame.isFrom(frame, target, IPPROTO_TCP, TCPHDR_LENGTH)
                && Short.toUnsignedInt(frame.getShort(TCPHDR_SOURCE)) == targetPort
                && Short.toUnsignedInt(frame.getShort(TCPHDR_DEST)) == sourcePort
                && (frame.get(TCPHDR_FLAGS) & RST) != 0
                && frame.getInt(TCPHDR_SEQ) == number;
    }

    /** Returns a filter that lets segments between the two ports pass, in the answers' direction, and nothing else. */
    public FrameFilter answers() {
        return Ipv4Frame.filter(IPPROTO_TCP, TCPHDR_LENGTH)
                .equal(TCPHDR_SOURCE, Short.BYTES, targetPort)
                .equal(TCPHDR_DEST, Short.BYTES, sourcePort);
    }
}
