package io.vxseal.kernel;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.util.HexFormat;

/** Packets over the loopback link, octet for octet by RFC 791, RFC 8200, RFC 768 and RFC 7348. */
public final class Packet {
    public static final int HOP_BY_HOP = 0;
    public static final int FRAGMENT = 44;
    public static final int DESTINATION = 60;

    private static final int UDP = 17;
    private static final int IDENTIFICATION = 4242;

    private Packet() {}

    /** Returns a VXLAN header and the beginning of a frame. */
    public static byte[] vxlan(int vni) {
        return ByteBuffer.allocate(32).put((byte) 8).putInt(4, vni << 8).array();
    }

    /** Returns a datagram without a checksum, as IPv4 allows. */
    public static byte[] udp(int port, byte[] payload) {
        ByteBuffer datagram = ByteBuffer.allocate(8 + payload.length);
        datagram.putShort((short) 4444).putShort((short) port).putShort((short) datagram.limit()).putShort((short) 0).put(payload);
        return datagram.array();
    }

    /** Returns an IPv4 packet. The kernel fills in checksum and length. */
    public static byte[] ipv4(byte[] options, byte[] datagram) {
        return ipv4(options, 0, datagram);
    }

    /** Returns the fragment at an offset in octets. */
    public static byte[] ipv4Fragment(int offset, boolean more, byte[] part) {
        return ipv4(new byte[0], offset / 8 | (more ? 0x2000 : 0), part);
    }

    private static byte[] ipv4(byte[] options, int fragment, byte[] payload) {
        int header = 20 + options.length;
        return ByteBuffer.allocate(header + payload.length)
                .put((byte) (0x40 | header / 4)).put((byte) 0).putShort((short) 0)
                .putShort((short) IDENTIFICATION).putShort((short) fragment)
                .put((byte) 64).put((byte) UDP).putShort((short) 0)
                .put(HexFormat.of().parseHex("7f0000017f000001"))
                .put(options)
                .put(payload)
                .array();
    }

    /** Returns a datagram with a checksum, as IPv6 requires. */
    public static byte[] udp6(int port, byte[] payload) {
        byte[] datagram = udp(port, payload);
        ByteBuffer summed = ByteBuffer.allocate(40 + datagram.length + (datagram.length & 1));
        summed.put(address()).put(address()).putInt(datagram.length).putInt(UDP).put(datagram);
        long sum = 0;
        for (int at = 0; at < summed.limit(); at += 2) {
            sum += summed.getShort(at) & 0xffff;
        }
        while (sum > 0xffff) {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        ByteBuffer.wrap(datagram).putShort(6, (short) ~sum);
        return datagram;
    }

    /** Returns a packet; {@code next} is the protocol of the first of its parts. */
    public static byte[] ipv6(int next, byte[]... parts) {
        var payload = new ByteArrayOutputStream();
        for (byte[] part : parts) {
            payload.writeBytes(part);
        }
        return ByteBuffer.allocate(40 + payload.size())
                .putInt(0x60000000).putShort((short) payload.size()).put((byte) next).put((byte) 64)
                .put(address()).put(address())
                .put(payload.toByteArray())
                .array();
    }

    private static byte[] address() {
        byte[] address = new byte[16];
        address[15] = 1;
        return address;
    }

    /** Returns an options header that contains padding only. */
    public static byte[] options(int next, int words) {
        byte[] header = new byte[8 * words];
        header[0] = (byte) next;
        header[1] = (byte) (words - 1);
        // PadN over the rest.
        header[2] = 1;
        header[3] = (byte) (header.length - 4);
        return header;
    }

    /** Returns a chain of options headers. */
    public static byte[] manyOptions(int count) {
        byte[] headers = new byte[8 * count];
        for (int n = 0; n < count; n++) {
            byte[] header = options(n == count - 1 ? UDP : DESTINATION, 1);
            System.arraycopy(header, 0, headers, 8 * n, header.length);
        }
        return headers;
    }

    /** Returns a fragment header with an offset in octets. */
    public static byte[] fragment(int next, int offset, boolean more) {
        return ByteBuffer.allocate(8)
                .put((byte) next).put((byte) 0).putShort((short) (offset | (more ? 1 : 0))).putInt(IDENTIFICATION)
                .array();
    }
}
