package io.vxseal.lab;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;

/**
 * Ethernet frames for {@link Wire#inject}, built from the inside outwards: anything that a stranger on
 * the hosts' network could send. Numbers and layouts are those of RFC 768, 791, 792, 4303, 7348 and 8200.
 */
public final class Frame {

    public static final String BROADCAST = "ff:ff:ff:ff:ff:ff";

    /** A MAC address that no host has. */
    public static final String STRANGER = "52:54:00:37:00:fe";

    private static final int ETHERTYPE_IPV4 = 0x0800;
    private static final int ETHERTYPE_IPV6 = 0x86dd;
    private static final int ICMP = 1;
    private static final int UDP = 17;
    private static final int ESP = 50;
    private static final int ECHO_REQUEST = 8;
    /** The VXLAN flag for a valid VNI. */
    private static final int VNI_PRESENT = 0x0800_0000;
    private static final int HOPS = 64;

    private Frame() {}

    /** The payload of an IP packet. Its checksum may cover the addresses. */
    public interface Content {

        int protocol();

        byte[] between(InetAddress source, InetAddress destination);
    }

    private record Fixed(int protocol, byte[] octets) implements Content {

        @Override
        public byte[] between(InetAddress source, InetAddress destination) {
            return octets;
        }
    }

    private record Udp(int source, int destination, byte[] data) implements Content {

        @Override
        public int protocol() {
            return UDP;
        }

        @Override
        public byte[] between(InetAddress from, InetAddress to) {
            int length = 8 + data.length;
            byte[] datagram = ByteBuffer.allocate(length)
                    .putShort((short) source).putShort((short) destination).putShort((short) length).putShort((short) 0)
                    .put(data).array();
            byte[] pseudo = ByteBuffer.allocate(2 * from.getAddress().length + 8)
                    .put(from.getAddress()).put(to.getAddress()).putInt(length).putInt(UDP).array();
            int sum = checksum(pseudo, datagram);
            // Zero would mean no checksum.
            return ByteBuffer.wrap(datagram).putShort(6, (short) (sum == 0 ? 0xffff : sum)).array();
        }
    }

    /** Returns a frame around an IP packet. */
    public static byte[] ethernet(String source, String destination, byte[] packet) {
        int type = packet[0] >>> 4 == 6 ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4;
        return ByteBuffer.allocate(14 + packet.length)
                .put(mac(destination)).put(mac(source)).putShort((short) type).put(packet).array();
    }

    /** Returns an IPv4 or IPv6 packet, depending on the addresses. */
    public static byte[] ip(String source, String destination, Content content) {
        InetAddress from = address(source);
        InetAddress to = address(destination);
        byte[] inside = content.between(from, to);
        if (from.getAddress().length == 16) {
            return ByteBuffer.allocate(40 + inside.length)
                    .putInt(6 << 28).putShort((short) inside.length).put((byte) content.protocol()).put((byte) HOPS)
                    .put(from.getAddress()).put(to.getAddress()).put(inside).array();
        }
        ByteBuffer header = ByteBuffer.allocate(20)
                .putShort((short) 0x4500).putShort((short) (20 + inside.length)).putInt(0)
                .put((byte) HOPS).put((byte) content.protocol()).putShort((short) 0)
                .put(from.getAddress()).put(to.getAddress());
        header.putShort(10, (short) checksum(header.array()));
        return ByteBuffer.allocate(20 + inside.length).put(header.array()).put(inside).array();
    }

    public static Content udp(int source, int destination, String text) {
        return new Udp(source, destination, text.getBytes(StandardCharsets.UTF_8));
    }

    /** Returns a frame of a VXLAN network, in clear. */
    public static Content vxlan(int vni, byte[] frame) {
        return new Udp(49152, Wire.VXLAN_PORT, vxlanData(vni, frame));
    }

    /** Returns the payload of the UDP datagram of such a frame: the VXLAN header and the frame. */
    public static byte[] vxlanData(int vni, byte[] frame) {
        return ByteBuffer.allocate(8 + frame.length).putInt(VNI_PRESENT).putInt(vni << 8).put(frame).array();
    }

    /** Returns an ICMP echo request for IPv4. */
    public static Content echo(int sequence, String text) {
        byte[] data = text.getBytes(StandardCharsets.UTF_8);
        ByteBuffer request = ByteBuffer.allocate(8 + data.length)
                .put((byte) ECHO_REQUEST).put((byte) 0).putShort((short) 0).putShort((short) 1).putShort((short) sequence).put(data);
        request.putShort(2, (short) checksum(request.array()));
        return new Fixed(ICMP, request.array());
    }

    /** Returns an ESP packet with arbitrary ciphertext. */
    public static Content esp(int spi, int sequence, byte[] body) {
        return new Fixed(ESP, ByteBuffer.allocate(8 + body.length).putInt(spi).putInt(sequence).put(body).array());
    }

    /** Returns the same frame with one bit changed in its last byte, which in an ESP packet belongs to the ICV. */
    public static byte[] altered(byte[] frame) {
        byte[] other = frame.clone();
        other[other.length - 1] ^= 1;
        return other;
    }

    /** Returns the checksum of RFC 1071 over parts, of which all but the last have an even length. */
    private static int checksum(byte[]... parts) {
        int sum = 0;
        for (byte[] part : parts) {
            for (int i = 0; i < part.length; i++) {
                sum += (part[i] & 0xff) << (i % 2 == 0 ? 8 : 0);
            }
        }
        while (sum >>> 16 != 0) {
            sum = (sum & 0xffff) + (sum >>> 16);
        }
        return ~sum & 0xffff;
    }

    private static byte[] mac(String text) {
        return HexFormat.ofDelimiter(":").parseHex(text);
    }

    private static InetAddress address(String text) {
        try {
            return InetAddress.getByName(text);
        } catch (UnknownHostException e) {
            throw new LabException("no address: " + text, e);
        }
    }
}
