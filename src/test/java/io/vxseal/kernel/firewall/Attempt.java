package io.vxseal.kernel.firewall;

import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Collectors;

/**
 * One try to get something past the firewall, and its text, by which it can be kept and repeated. All pieces that use one
 * channel go out through one socket, in order.
 */
record Attempt(Attacker attacker, List<Piece> pieces) {
    /** Kind of sender. */
    enum Attacker {
        /** Somebody on the hosts' network. */
        STRANGER,
        /** A process on the node without any right. */
        NOBODY,
        /** A process on the node with the only capability that containers have for it, CAP_NET_RAW. */
        RAW
    }

    /** Sockets: {@code PACKET} takes struct virtio_net_hdr and a frame, {@code IP4} and {@code IP6} an IP packet. */
    enum Channel {
        PACKET,
        UDP4,
        UDP6,
        /** IPPROTO_UDP, of which the kernel makes the IP header only. */
        DATAGRAM4,
        DATAGRAM6,
        IP4,
        IP6
    }

    /** A socket option, which is set before the octets are sent; what the kernel refuses is left out. */
    record Option(int level, int name, byte[] value) {
        @Override
        public String toString() {
            return level + ":" + name + ":" + HEX.formatHex(value);
        }

        private static Option parse(String text) {
            String[] parts = text.split(":", -1);
            return new Option(Integer.parseInt(parts[0]), Integer.parseInt(parts[1]), HEX.parseHex(parts[2]));
        }
    }

    /**
     * Content of one system call that sends.
     *
     * @param address struct sockaddr, empty for none
     * @param flags of sendmsg(2)
     */
    record Piece(Channel channel, List<Option> options, byte[] address, int flags, byte[] octets) {
        @Override
        public String toString() {
            return "%s %s %s %d %s".formatted(channel,
                    options.isEmpty() ? "-" : options.stream().map(Option::toString).collect(Collectors.joining(",")),
                    address.length == 0 ? "-" : HEX.formatHex(address), flags, HEX.formatHex(octets));
        }

        private static Piece parse(String text) {
            String[] words = text.strip().split(" ");
            var options = new ArrayList<Option>();
            if (!words[1].equals("-")) {
                for (String option : words[1].split(",")) {
                    options.add(Option.parse(option));
                }
            }
            return new Piece(Channel.valueOf(words[0]), options,
                    words[2].equals("-") ? new byte[0] : HEX.parseHex(words[2]),
                    Integer.parseInt(words[3]), HEX.parseHex(words[4]));
        }
    }

    private static final HexFormat HEX = HexFormat.of();

    /** Reads what {@link #toString} wrote. */
    static Attempt parse(String line) {
        int space = line.indexOf(' ');
        var pieces = new ArrayList<Piece>();
        for (String piece : line.substring(space).split("\\|")) {
            pieces.add(Piece.parse(piece));
        }
        return new Attempt(Attacker.valueOf(line.substring(0, space)), pieces);
    }

    /** Returns whether a frame of it is several datagrams in one, which are taken apart only behind the firewall. */
    boolean isAggregate() {
        return pieces.stream().anyMatch(piece -> piece.channel == Channel.PACKET && piece.octets[1] != 0);
    }

    @Override
    public String toString() {
        return attacker + " " + pieces.stream().map(Piece::toString).collect(Collectors.joining(" | "));
    }
}
