package io.vxseal.kernel.firewall;

import io.vxseal.kernel.RawSocket;
import io.vxseal.kernel.firewall.Attempt.Attacker;
import io.vxseal.kernel.firewall.Attempt.Channel;
import io.vxseal.kernel.firewall.Attempt.Option;
import io.vxseal.kernel.firewall.Attempt.Piece;
import io.vxseal.kernel.firewall.Firewall.Transport;
import io.vxseal.kernel.route.Vxlan;
import java.io.ByteArrayOutputStream;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;

/**
 * Datagrams of a VXLAN network in clear, changed at random in every header that is around the frame: options, extension
 * headers, fragments, lengths, checksums, addresses, and datagrams of several networks in one segmented packet. Numbers
 * and layouts are those of RFC 768, 791, 7348 and 8200 and of the kernel's headers.
 *
 * <p>Seed and index make an attempt; none depends on those before it.
 *
 * @param sender its address, or the node's where a process there sends
 * @param target address of the node that is to take the frame in
 * @param vni of the network to get into
 * @param other VNI of a network that is not encrypted
 * @param port UDP port of both
 */
record PacketForge(
        long seed, Attacker attacker, Transport transport, InetAddress sender, InetAddress target, int vni, int other, int port) {
    static final byte[] NODE_MAC = {2, 0, 0, 0, 0, 1};
    static final byte[] STRANGER_MAC = {2, 0, 0, 0, 0, 2};
    static final byte[] CONTAINER_MAC = {2, 0, 0, 0, 0, 3};

    /** Of the VXLAN devices on the node. */
    private static final byte[] VXLAN_MAC = Vxlan.MAC.octets();

    /** In each frame, with the attempt's index behind it. */
    private static final byte[] COOKIE = "vxseal: ".getBytes(StandardCharsets.US_ASCII);

    /** For Ethernet and IPv4, and who asks is the container: VXLAN devices make such ones themselves. */
    private static final byte[] ARP_REPLY = {0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0, 0, 9, 10, 0, 0, 9, 2, 0, 0, 0, 0, 3, 10, 0, 0, 3};

    private static final byte[] BROADCAST = {-1, -1, -1, -1, -1, -1};
    private static final int MTU = 1500;
    private static final int IPV4_HEADER = 20;
    private static final int IPV6_HEADER = 40;
    private static final int UDP_HEADER = 8;

    // linux/if_ether.h; the last is for experiments
    private static final int ETH_P_IP = 0x0800;
    private static final int ETH_P_ARP = 0x0806;
    private static final int ETH_P_IPV6 = 0x86dd;
    private static final int ETH_P_8021Q = 0x8100;
    private static final int ETH_P_802_EX1 = 0x88b5;

    // linux/in.h, linux/in6.h
    private static final int IPPROTO_HOPOPTS = 0;
    private static final int IPPROTO_UDP = 17;
    private static final int IPPROTO_IPV6 = 41;
    private static final int IPPROTO_ROUTING = 43;
    private static final int IPPROTO_FRAGMENT = 44;
    private static final int IPPROTO_DSTOPTS = 60;
    private static final int IPPROTO_UDPLITE = 136;
    private static final int SOL_SOCKET = 1;
    private static final int SO_NO_CHECK = 11;
    private static final int SO_BROADCAST = 6;
    private static final int SO_PRIORITY = 12;
    private static final int SO_MARK = 36;
    private static final int SO_ZEROCOPY = 60;
    private static final int IP_TOS = 1;
    private static final int IP_OPTIONS = 4;
    private static final int IP_MTU_DISCOVER = 10;
    private static final int IP_NODEFRAG = 22;
    private static final int IPV6_MTU_DISCOVER = 23;
    private static final int IPV6_HOPOPTS = 54;
    private static final int IPV6_RTHDRDSTOPTS = 55;
    private static final int IPV6_RTHDR = 57;
    private static final int IPV6_DSTOPTS = 59;

    // linux/udp.h, linux/socket.h
    private static final int UDP_CORK = 1;
    private static final int UDP_SEGMENT = 103;
    private static final int MSG_MORE = 0x8000;
    private static final int MSG_ZEROCOPY = 0x4000000;

    // linux/virtio_net.h
    private static final int VNET_HEADER = 10;
    private static final int VIRTIO_NET_HDR_F_NEEDS_CSUM = 1;
    private static final int VIRTIO_NET_HDR_GSO_UDP_L4 = 5;

    /** From packets with hardly a change to such with little that is right. */
    private static final double[] ODDITIES = {0, 0.03, 0.06, 0.12, 0.25, 0.5};

    /** Datagrams in one that is segmented. */
    private static final int SEGMENTS = 3;

    /** Marks that could pass for ours: the driver's, the built-in driver's, none, any. */
    private static final int[] MARKS = {0x76d0c4e3, 0xd0c4e3, 0, -1};

    /** Such as could pass for sealed in a network's namespace: a neighbour's packets keep theirs on the way to the node. */
    private static final int[] PRIORITIES = {0x76d0c4e3, 0x76d0c4e3, 0xd0c4e3, 0, 6, 7, -1};

    /** Returns the attempt of that index. */
    Attempt attempt(long index) {
        var random = new Random(seed * 0x9e3779b97f4a7c15L ^ index * 0xbf58476d1ce4e5b9L);
        return new Maker(index, random, ODDITIES[random.nextInt(ODDITIES.length)]).attempt();
    }

    /** Returns an attempt that nothing is wrong with. */
    Attempt plain(long index) {
        return new Maker(index, new Random(index), 0).attempt();
    }

    /** Returns the index of the attempt that a frame is of, -1 if it does not show. */
    static long index(byte[] frame) {
        for (int at = 0; at + COOKIE.length + Long.BYTES <= frame.length; at++) {
            int same = 0;
            while (same < COOKIE.length && frame[at + same] == COOKIE[same]) {
                same++;
            }
            if (same == COOKIE.length) {
                return ByteBuffer.wrap(frame).getLong(at + COOKIE.length);
            }
        }
        return -1;
    }

    /** Part of a packet that is sent in several. */
    private record Fragment(int offset, boolean more, byte[] data) {}

    /** Headers and what is behind them, with the number of the first. */
    private record Chain(int protocol, byte[] octets) {}

    /** Maker of one attempt. */
    private final class Maker {
        private final long index;
        private final Random random;


        /** How likely each change is. */
        private final double oddity;

        private final byte[] source;
        private final byte[] destination;

        Maker(long index, Random random, double oddity) {
            this.index = index;
            this.random = random;
            this.oddity = oddity;
            this.source = source();
            this.destination = destination();
        }

        private boolean odd(double weight) {
            return random.nextDouble() < oddity * weight;
        }

        private int of(int... values) {
            return values[random.nextInt(values.length)];
        }

        private byte[] bytes(int length) {
            byte[] octets = new byte[length];
            random.nextBytes(octets);
            return octets;
        }

        Attempt attempt() {
            List<Piece> pieces = switch (attacker) {
                case STRANGER -> frames();
                case NOBODY -> datagrams();
                case RAW -> switch (random.nextInt(3)) {
                    case 0 -> datagrams();
                    case 1 -> transportPackets();
                    default -> packets();
                };
            };
            return new Attempt(attacker, pieces);
        }

        // The frame and what is around it

        private byte[] frame(int room) {
            boolean large = odd(1) || random.nextInt(8) == 0;
            int padding = random.nextInt(Math.max(1, Math.min(large ? 1200 : 60, room)));
            boolean arp = odd(0.2);
            return ByteBuffer.allocate(14 + (arp ? ARP_REPLY.length : 0) + COOKIE.length + Long.BYTES + padding)
                    .put(!odd(0.4) ? CONTAINER_MAC : random.nextBoolean() ? BROADCAST : VXLAN_MAC)
                    .put(new byte[] {2, 1}).put(bytes(4))
                    .putShort((short) (arp ? ETH_P_ARP : ETH_P_802_EX1)).put(arp ? ARP_REPLY : new byte[0])
                    .put(COOKIE).putLong(index).array();
        }

        private byte[] vxlan(int network, byte[] frame) {
            int flags = 0x08000000;
            if (odd(0.2)) {
                flags ^= random.nextBoolean() ? 1 << random.nextInt(32) : random.nextInt(1 << 24);
            }
            int word = network << 8;
            if (odd(0.3)) {
                word |= random.nextInt(256);
            }
            if (odd(0.05)) {
                word ^= 1 << random.nextInt(32);
            }
            return concat(ByteBuffer.allocate(8).putInt(flags).putInt(word).array(), frame);
        }

        private byte[] udp(byte[] data) {
            int length = UDP_HEADER + data.length;
            int claimed = length;
            byte[] trailer = {};
            if (odd(0.3)) {
                switch (random.nextInt(5)) {
                    case 0 -> claimed = length - 1 - random.nextInt(16);
                    case 1 -> claimed = length + 1 + random.nextInt(16);
                    case 2 -> claimed = of(0, 1, 7, 8, 12, 15, 16, 0xffff);
                    default -> trailer = bytes(1 + random.nextInt(40));
                }
            }
            byte[] datagram = ByteBuffer.allocate(length)
                    .putShort((short) of(random.nextInt(65536), port, 0, 53)).putShort((short) (odd(0.03) ? random.nextInt(65536) : port))
                    .putShort((short) claimed).putShort((short) 0).put(data).array();
            int covered = Math.clamp(claimed, 0, length);
            int sum = checksum(pseudo(covered), copy(datagram, 0, covered));
            if (odd(0.3)) {
                sum = of(0, 0, random.nextInt(65536));
            } else if (sum == 0) {
                sum = 0xffff;
            }
            ByteBuffer.wrap(datagram).putShort(6, (short) sum);
            return concat(datagram, trailer);
        }

        private byte[] pseudo(int length) {
            return ByteBuffer.allocate(source.length + destination.length + 8)
                    .put(source).put(destination).putInt(length).putInt(IPPROTO_UDP).array();
        }

        private byte[] datagram() {
            return udp(vxlan(vni, frame(1200)));
        }

        // IP packets

        private List<byte[]> ipPackets() {
            return transport == Transport.IPV4 ? ipv4(datagram()) : ipv6(datagram());
        }

        private byte[] destination() {
            if (!odd(0.1)) {
                return target.getAddress();
            }
            return address(transport == Transport.IPV4
                    ? List.of("255.255.255.255", "10.55.0.255", "224.0.0.1", "127.0.0.1", "0.0.0.0").get(random.nextInt(5))
                    : List.of("ff02::1", "ff01::1", "::1", "ff05::2", "::").get(random.nextInt(5)));
        }

        private byte[] source() {
            byte[] address = sender.getAddress();
            if (odd(0.2)) {
                address[address.length - 1] = (byte) random.nextInt(256);
            }
            return address;
        }

        private List<byte[]> ipv4(byte[] body) {
            int protocol = odd(0.02) ? of(IPPROTO_UDPLITE, IPPROTO_IPV6, 4, 47, 0) : IPPROTO_UDP;
            int identification = random.nextInt(65536);
            boolean split = odd(1);
            var packets = new ArrayList<byte[]>();
            for (Fragment fragment : split ? fragments(body) : List.of(new Fragment(0, false, body))) {
                byte[] options = odd(0.7) ? ipv4Options() : new byte[0];
                int flags = (fragment.more ? 0x2000 : 0) | fragment.offset / 8 & 0x1fff;
                if (odd(0.2)) {
                    flags ^= of(0x4000, 0x8000, 0xc000);
                }
                packets.add(ipv4(source, destination, protocol, identification, flags, options, fragment.data));
            }
            return packets;
        }

        private byte[] ipv4(
                byte[] source, byte[] destination, int protocol, int identification, int flags, byte[] options, byte[] data) {
            int words = (IPV4_HEADER + options.length) / 4;
            int length = 4 * words + data.length;
            byte[] trailer = {};
            if (odd(0.2)) {
                switch (random.nextInt(3)) {
                    case 0 -> length -= random.nextInt(16);
                    case 1 -> length = of(0, 20, 28, length + 8);
                    default -> trailer = bytes(random.nextInt(24));
                }
            }
            if (odd(0.03)) {
                words = random.nextInt(16);
            }
            byte[] header = ByteBuffer.allocate(IPV4_HEADER + options.length)
                    .put((byte) ((odd(0.02) ? random.nextInt(16) : 4) << 4 | words)).put((byte) (odd(1) ? random.nextInt(256) : 0))
                    .putShort((short) length).putShort((short) identification).putShort((short) flags)
                    .put((byte) of(64, 1, 255)).put((byte) protocol).putShort((short) 0)
                    .put(source).put(destination).put(options).array();
            int sum = odd(0.05) ? random.nextInt(65536) : checksum(copy(header, 0, Math.min(header.length, 4 * words)));
            ByteBuffer.wrap(header).putShort(10, (short) sum);
            return concat(header, data, trailer);
        }

        private byte[] ipv4Options() {
            var options = new ByteArrayOutputStream();
            int room = 4 * (1 + random.nextInt(10));
            while (options.size() < room) {
                int left = room - options.size();
                byte[] option = switch (random.nextInt(8)) {
                    case 0, 1 -> new byte[] {1};
                    case 2 -> new byte[] {0};
                    // Record route, timestamp and source routes, of which the last two the kernel may refuse.
                    case 3 -> new byte[] {7, 7, (byte) of(4, 8), 0, 0, 0, 0};
                    case 4 -> new byte[] {68, 12, (byte) of(5, 13), 0, 0, 0, 0, 0, 0, 0, 0, 0};
                    case 5 -> new byte[] {(byte) of(131, 137), 7, 8, 10, 55, 0, 2};
                    // Router alert, stream, unknown ones.
                    case 6 -> new byte[] {(byte) of(148, 136, 130), 4, 0, 0};
                    default -> {
                        byte[] any = bytes(2 + random.nextInt(6));
                        any[0] = (byte) of(94, 158, 30, random.nextInt(256));
                        any[1] = (byte) any.length;
                        yield any;
                    }
                };
                options.writeBytes(copy(option, 0, Math.min(option.length, left)));
            }
            return options.toByteArray();
        }

        private List<byte[]> ipv6(byte[] body) {
            int protocol = odd(0.02) ? of(IPPROTO_UDPLITE, IPPROTO_IPV6, 59, 50, 51, 135) : IPPROTO_UDP;
            var whole = new Chain(protocol, body);
            if (odd(1)) {
                whole = extended(whole, false);
            }
            var packets = new ArrayList<byte[]>();
            if (!odd(1)) {
                packets.add(ipv6(source, destination, odd(0.6) ? extended(whole, true) : whole));
                return packets;
            }
            int identification = random.nextInt();
            boolean varied = odd(0.3);
            boolean alike = random.nextBoolean();
            Chain before = odd(0.5) ? extended(new Chain(0, new byte[0]), true) : null;
            for (Fragment fragment : fragments(whole.octets)) {
                int next = fragment.offset > 0 && odd(0.2) ? of(IPPROTO_UDP, IPPROTO_DSTOPTS, 59, 6) : whole.protocol;
                var chain = fragmentHeader(next, fragment.offset, fragment.more, identification, fragment.data);
                if (varied && random.nextInt(3) == 0) {
                    // One more, around the fragment: atomic.
                    chain = fragmentHeader(IPPROTO_FRAGMENT, 0, false, random.nextInt(), chain.octets);
                }
                if (before != null && (alike || random.nextBoolean())) {
                    chain = extended(chain, true);
                }
                packets.add(ipv6(source, destination, chain));
            }
            return packets;
        }

        private Chain fragmentHeader(int next, int offset, boolean more, int identification, byte[] data) {
            int word = offset & 0xfff8 | (more ? 1 : 0) | (odd(0.1) ? of(2, 4, 6) : 0);
            return new Chain(IPPROTO_FRAGMENT, ByteBuffer.allocate(8 + data.length)
                    .put((byte) next).put((byte) (odd(0.1) ? random.nextInt(256) : 0)).putShort((short) word)
                    .putInt(identification).put(data).array());
        }

        /** Puts extension headers before a chain. */
        private Chain extended(Chain chain, boolean first) {
            int headers = of(1, 1, 1, 2, 3, 7, 8, 9, 14, 15, 16, 17, 24);
            int room = 600;
            Chain extended = chain;
            for (int header = 0; header < headers && room > 0; header++) {
                boolean outermost = header == headers - 1;
                int kind = outermost && first && random.nextInt(3) == 0
                        ? IPPROTO_HOPOPTS
                        : of(IPPROTO_DSTOPTS, IPPROTO_DSTOPTS, IPPROTO_DSTOPTS, IPPROTO_ROUTING, IPPROTO_ROUTING,
                                IPPROTO_FRAGMENT, odd(0.1) ? IPPROTO_HOPOPTS : IPPROTO_DSTOPTS);
                if (kind == IPPROTO_FRAGMENT) {
                    extended = fragmentHeader(extended.protocol, 0, false, random.nextInt(), extended.octets);
                } else {
                    byte[] octets = kind == IPPROTO_ROUTING ? routing() : options();
                    octets[0] = (byte) extended.protocol;
                    if (odd(0.03)) {
                        octets[1] = (byte) random.nextInt(256);
                    }
                    room -= octets.length;
                    extended = new Chain(kind, concat(octets, extended.octets));
                }
            }
            return extended;
        }

        /** Returns hop-by-hop or destination options: padding, and options that a receiver skips if it does not know them. */
        private byte[] options() {
            byte[] octets = new byte[8 * of(1, 1, 1, 2, 3, 8, random.nextInt(32) + 1)];
            octets[1] = (byte) (octets.length / 8 - 1);
            int at = 2;
            while (at < octets.length) {
                int left = octets.length - at;
                if (left == 1 || random.nextInt(8) == 0) {
                    octets[at++] = 0;
                    continue;
                }
                // PadN takes seven octets at most.
                int length = Math.min(left - 2, random.nextInt(6));
                octets[at] = (byte) (odd(0.3) ? of(0x1e, 0x05, 0xc2, 0xc9, 0x04, random.nextInt(256)) : 1);
                octets[at + 1] = (byte) length;
                at += 2 + length;
            }
            return octets;
        }

        /** Returns a routing header, mostly with no segment left. */
        private byte[] routing() {
            int addresses = random.nextInt(3);
            byte[] octets = new byte[8 + 16 * addresses];
            octets[1] = (byte) (2 * addresses);
            octets[2] = (byte) of(0, 2, 3, 4, 253, random.nextInt(256));
            octets[3] = (byte) (odd(0.3) ? random.nextInt(addresses + 1) : 0);
            for (int address = 0; address < addresses; address++) {
                System.arraycopy(target.getAddress().length == 16 ? target.getAddress() : new byte[16], 0, octets, 8 + 16 * address, 16);
            }
            return octets;
        }

        private byte[] ipv6(byte[] source, byte[] destination, Chain chain) {
            int length = chain.octets.length;
            byte[] trailer = {};
            if (odd(0.15)) {
                switch (random.nextInt(3)) {
                    case 0 -> length -= random.nextInt(16);
                    case 1 -> length = of(0, 8, length + 8);
                    default -> trailer = bytes(random.nextInt(24));
                }
            }
            int word = (odd(0.01) ? random.nextInt(16) : 6) << 28 | (odd(0.5) ? random.nextInt(1 << 28) : 0);
            return concat(ByteBuffer.allocate(IPV6_HEADER)
                    .putInt(word).putShort((short) length).put((byte) chain.protocol).put((byte) of(64, 1, 255))
                    .put(source).put(destination).array(), chain.octets, trailer);
        }

        // Fragments

        private List<Fragment> fragments(byte[] body) {
            var cuts = new ArrayList<Integer>();
            cuts.add(0);
            int parts = of(1, 2, 2, 2, 3, 4);
            for (int part = 1; part < parts || body.length - cuts.getLast() > 1200; part++) {
                int left = body.length - cuts.getLast();
                int step = 8 * of(1, 1, 2, 3, 1 + random.nextInt(8), 1 + random.nextInt(150));
                if (step >= left) {
                    break;
                }
                cuts.add(cuts.getLast() + step);
            }
            var fragments = new ArrayList<Fragment>();
            for (int part = 0; part < cuts.size(); part++) {
                boolean last = part == cuts.size() - 1;
                int from = cuts.get(part);
                int to = last ? body.length : cuts.get(part + 1);
                if (odd(0.1)) {
                    from = Math.max(0, from - 8 * (1 + random.nextInt(3)));
                }
                if (odd(0.1)) {
                    to = Math.min(body.length, to + 8 * (1 + random.nextInt(3)));
                }
                byte[] data = copy(body, from, to);
                if (!last && odd(0.03)) {
                    data = copy(data, 0, data.length - 1 - random.nextInt(7));
                }
                fragments.add(new Fragment(from, !last, data));
                if (odd(0.1)) {
                    fragments.add(fragments.getLast());
                }
            }
            if (odd(0.15)) {
                // Another datagram's beginning in the place of this one's.
                byte[] decoy = udp(vxlan(other, bytes(8 * of(0, 1, 4))));
                decoy = copy(decoy, 0, decoy.length / 8 * 8);
                fragments.add(random.nextInt(fragments.size() + 1), new Fragment(0, true, decoy));
            }
            if (odd(0.1)) {
                fragments.add(random.nextInt(fragments.size() + 1), new Fragment(8 * random.nextInt(8), true, new byte[0]));
            }
            if (odd(0.3)) {
                Collections.shuffle(fragments, random);
            }
            return fragments;
        }

        // Ways to send

        private List<Piece> frames() {
            // Each time, for the socket is one for all.
            List<Option> options = List.of(option(SOL_SOCKET, SO_PRIORITY, odd(1) ? of(PRIORITIES) : 0));
            if (odd(0.2)) {
                return List.of(new Piece(Channel.PACKET, options, new byte[0], 0, aggregate()));
            }
            var pieces = new ArrayList<Piece>();
            for (byte[] packet : ipPackets()) {
                byte[] frame = ethernet(copy(packet, 0, Math.min(packet.length, MTU)));
                pieces.add(new Piece(Channel.PACKET, options, new byte[0], 0, concat(new byte[VNET_HEADER], frame)));
            }
            return pieces;
        }

        private byte[] ethernet(byte[] packet) {
            byte[] tag = odd(0.05) ? new byte[] {(byte) (ETH_P_8021Q >> 8), 0, (byte) (32 * random.nextInt(8)), 0} : new byte[0];
            byte[] destination = odd(0.1) ? random.nextBoolean() ? BROADCAST : new byte[] {1, 0, 94, 0, 0, 1} : NODE_MAC;
            int type = transport == Transport.IPV4 ? ETH_P_IP : ETH_P_IPV6;
            return concat(destination, STRANGER_MAC, tag, new byte[] {(byte) (type >> 8), (byte) type}, packet);
        }

        /** Datagrams that travel as one, as between guests of one host: only the first shows its VNI to a firewall. */
        private byte[] aggregate() {
            byte[] segments = segments();
            int segment = segments.length / SEGMENTS;
            int length = UDP_HEADER + segments.length;
            int start = transport == Transport.IPV4 ? IPV4_HEADER : IPV6_HEADER;
            byte[] datagram = concat(ByteBuffer.allocate(UDP_HEADER)
                    .putShort((short) random.nextInt(65536)).putShort((short) port).putShort((short) length)
                    .putShort((short) (~checksum(pseudo(length)) & 0xffff)).array(), segments);
            byte[] packet = transport == Transport.IPV4
                    ? ipv4(source, destination, IPPROTO_UDP, random.nextInt(65536), 0, new byte[0], datagram)
                    : ipv6(source, destination, new Chain(IPPROTO_UDP, datagram));
            byte[] header = ByteBuffer.allocate(VNET_HEADER).order(ByteOrder.nativeOrder())
                    .put((byte) VIRTIO_NET_HDR_F_NEEDS_CSUM).put((byte) VIRTIO_NET_HDR_GSO_UDP_L4)
                    .putShort((short) (14 + start + UDP_HEADER)).putShort((short) segment)
                    .putShort((short) (14 + start)).putShort((short) 6).array();
            byte[] frame = concat(NODE_MAC, STRANGER_MAC,
                    ByteBuffer.allocate(2).putShort((short) (transport == Transport.IPV4 ? ETH_P_IP : ETH_P_IPV6)).array(), packet);
            return concat(header, frame);
        }

        private byte[] segments() {
            byte[] frame = frame(300);
            byte[][] all = new byte[SEGMENTS][];
            for (int segment = 0; segment < SEGMENTS; segment++) {
                int network = segment == 0 ? of(other, other, vni, random.nextInt(1 << 24)) : of(vni, vni, other);
                all[segment] = vxlan(network, frame);
            }
            return concat(all);
        }

        /** Datagrams by UDP sockets, which the kernel makes the headers of. */
        private List<Piece> datagrams() {
            boolean mapped = transport == Transport.IPV4 && odd(0.1);
            var channel = transport == Transport.IPV4 && !mapped ? Channel.UDP4 : Channel.UDP6;
            List<Option> options = socketOptions(channel);
            byte[] address = socketAddress(destination, mapped);
            if (odd(0.3)) {
                byte[] segments = segments();
                options.add(option(17, UDP_SEGMENT, segments.length / SEGMENTS));
                return List.of(new Piece(channel, options, address, 0, segments));
            }
            byte[] data = vxlan(vni, frame(1200));
            if (odd(0.3)) {
                // More than fits a frame of the link: fragments.
                data = concat(data, new byte[1500 + random.nextInt(3000)]);
            }
            if (odd(0.3)) {
                // One datagram by several calls.
                int cut = of(1, 4, 8, 12, random.nextInt(data.length));
                return List.of(
                        new Piece(channel, options, address, MSG_MORE, copy(data, 0, cut)),
                        new Piece(channel, List.of(), address, 0, copy(data, cut, data.length)));
            }
            return List.of(new Piece(channel, options, address, odd(0.2) ? MSG_ZEROCOPY : 0, data));
        }

        private List<Option> socketOptions(Channel channel) {
            var options = new ArrayList<Option>();
            boolean four = channel == Channel.UDP4 || channel == Channel.DATAGRAM4 || channel == Channel.IP4;
            if (odd(0.5) || attacker == Attacker.RAW && random.nextBoolean()) {
                options.add(option(SOL_SOCKET, SO_MARK, of(MARKS)));
            }
            if (odd(0.5)) {
                options.add(option(SOL_SOCKET, SO_PRIORITY, of(PRIORITIES)));
            }
            if (odd(0.3)) {
                options.add(option(SOL_SOCKET, SO_NO_CHECK, 1));
            }
            if (odd(0.5)) {
                options.add(option(SOL_SOCKET, SO_BROADCAST, 1));
            }
            if (odd(0.3)) {
                options.add(option(SOL_SOCKET, SO_ZEROCOPY, 1));
            }
            if (odd(0.3)) {
                options.add(four ? option(0, IP_MTU_DISCOVER, random.nextInt(6)) : option(41, IPV6_MTU_DISCOVER, random.nextInt(6)));
            }
            if (four) {
                if (odd(0.5)) {
                    options.add(new Option(0, IP_OPTIONS, ipv4Options()));
                }
                if (odd(0.5)) {
                    options.add(option(0, IP_NODEFRAG, 1));
                }
                if (odd(0.2)) {
                    options.add(option(0, IP_TOS, random.nextInt(256)));
                }
            } else {
                if (odd(0.4)) {
                    options.add(new Option(41, of(IPV6_HOPOPTS, IPV6_DSTOPTS, IPV6_RTHDRDSTOPTS), options()));
                }
                if (odd(0.4)) {
                    options.add(new Option(41, IPV6_RTHDR, routing()));
                }
            }
            if (odd(0.05)) {
                options.add(option(17, UDP_CORK, 1));
            }
            return options;
        }

        /** Returns pieces with our own UDP headers, to which the kernel adds IP headers. */
        private List<Piece> transportPackets() {
            var channel = transport == Transport.IPV4 ? Channel.DATAGRAM4 : Channel.DATAGRAM6;
            byte[] address = socketAddress(destination, false);
            // Raw sockets for IPv6 take a protocol there, and no port.
            ByteBuffer.wrap(address).putShort(2, (short) 0);
            return List.of(new Piece(channel, socketOptions(channel), address, 0, datagram()));
        }

        /** Returns whole IP packets. */
        private List<Piece> packets() {
            var channel = transport == Transport.IPV4 ? Channel.IP4 : Channel.IP6;
            List<Option> options = socketOptions(channel);
            var pieces = new ArrayList<Piece>();
            byte[] address = socketAddress(destination, false);
            ByteBuffer.wrap(address).putShort(2, (short) 0);
            for (byte[] packet : ipPackets()) {
                pieces.add(new Piece(channel, pieces.isEmpty() ? options : List.of(), address, 0, packet));
            }
            return pieces;
        }

        /** Returns a struct sockaddr_in or sockaddr_in6. */
        private byte[] socketAddress(byte[] ip, boolean mapped) {
            if (ip.length == 4 && !mapped) {
                return ByteBuffer.allocate(16).order(ByteOrder.nativeOrder()).putShort((short) RawSocket.AF_INET)
                        .order(ByteOrder.BIG_ENDIAN).putShort((short) port).put(ip).array();
            }
            byte[] whole = ip.length == 16 ? ip : concat(new byte[] {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, -1}, ip);
            return ByteBuffer.allocate(28).order(ByteOrder.nativeOrder()).putShort((short) RawSocket.AF_INET6)
                    .order(ByteOrder.BIG_ENDIAN).putShort((short) port).putInt(0).put(whole).array();
        }

        private Option option(int level, int name, int value) {
            return new Option(level, name, RawSocket.number(value));
        }
    }

    private static byte[] address(String text) {
        return InetAddress.ofLiteral(text).getAddress();
    }

    private static byte[] copy(byte[] octets, int from, int to) {
        return Arrays.copyOfRange(octets, from, Math.max(from, to));
    }

    private static byte[] concat(byte[]... parts) {
        var all = new ByteArrayOutputStream();
        for (byte[] part : parts) {
            all.writeBytes(part);
        }
        return all.toByteArray();
    }

    /** Returns the checksum (RFC 1071) over parts, of which all but the last have an even length. */
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
}
