package io.vxseal.kernel.firewall;

import java.nio.ByteBuffer;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The rules of segments in the words of nft. */
final class NftablesRules {
    /** The VNI: the upper 24 bits of the second word behind the UDP header's 8 octets (RFC 7348). */
    static final String VNI = "@th,96,24";

    /** Matches packets that a socket of this namespace sent; others have no owner. */
    static final String OF_PROCESS = "meta skuid != 4294967295";

    private static final String SEGMENTS = "segments";
    private static final String PORTS = "ports";

    private static final String EARLIER_SET = "vnis";
    private static final Pattern EARLIER_RULE = Pattern.compile("udp dport (\\d{1,5}) " + VNI + " @" + EARLIER_SET + " ");

    // A key of the set of segments: port and VNI, in network byte order, each padded to a register of four octets.
    private static final int KEY_PORT = 0;
    private static final int KEY_VNI = Integer.BYTES;
    private static final int KEY_LENGTH = 2 * Integer.BYTES;

    private NftablesRules() {}

    /**
     * Returns the table for the segments. A packet that another table accepts still meets this one, so the order among tables
     * does not matter for incoming packets. The chain for outgoing ones comes last, after every chain that may set another
     * mark, because the kernel then chooses the route, and with it the policy, again.
     */
    static NftContent of(Set<Segment> segments) {
        Set<Segment> sorted = new TreeSet<>(segments);
        return new NftContent(
                List.of(DropCounter.values()),
                List.of(
                        new NftContent.NamedSet(
                                SEGMENTS,
                                "typeof udp dport . " + VNI,
                                sorted.stream().map(segment -> segment.port() + " . " + segment.vni()).toList()),
                        new NftContent.NamedSet(
                                PORTS,
                                "type inet_service",
                                sorted.stream().map(Segment::port).distinct().map(String::valueOf).toList())),
                List.of(
                        unsealed("unsealed_in", DropCounter.INCOMING),
                        unsealed("unsealed_out", DropCounter.OUTGOING),
                        fragments("fragments_in", DropCounter.INCOMING),
                        fragments("fragments_out", DropCounter.OUTGOING),
                        NftContent.Chain.regular("arriving", unlessSealed("in").toList()),
                        NftContent.Chain.regular("leaving", Stream.concat(
                                Stream.of(OF_PROCESS + " " + DropCounter.OUTGOING.drop()), unlessSealed("out")).toList()),
                        NftContent.Chain.base("incoming", "filter hook input priority filter - 10", List.of(
                                "udp dport @" + PORTS + " jump arriving",
                                "frag frag-off 0 jump fragments_in")),
                        NftContent.Chain.base("outgoing", "filter hook output priority 300", List.of(
                                "udp dport @" + PORTS + " jump leaving",
                                "frag frag-off 0 jump fragments_out"))));
    }

    /** Drops a segment's datagrams, and those that are too short to show their VNI. */
    private static NftContent.Chain unsealed(String name, DropCounter counter) {
        return NftContent.Chain.regular(name, List.of(
                "udp dport . " + VNI + " @" + SEGMENTS + " " + counter.drop(),
                VNI + " 0 return",
                VNI + " != 0 return",
                counter.drop()));
    }

    /** Drops first fragments that are too short to show their port. */
    private static NftContent.Chain fragments(String name, DropCounter counter) {
        return NftContent.Chain.regular(name, List.of(
                "meta l4proto != udp return",
                "udp dport != 0 return",
                counter.drop()));
    }

    private static Stream<String> unlessSealed(String direction) {
        return Stream.concat(
                SecurityPathMatch.ours(direction).map(sealed -> sealed + " return"), Stream.of("goto unsealed_" + direction));
    }

    /** Returns the segments of a table that was made of {@link #of}, in any process. */
    static Set<Segment> segments(NftListing table) {
        Set<Segment> segments = new TreeSet<>();
        for (ByteBuffer key : table.keys(SEGMENTS)) {
            if (key.limit() == KEY_LENGTH) {
                segments.add(new Segment(Short.toUnsignedInt(key.getShort(KEY_PORT)), vni(key, KEY_VNI)));
            }
        }
        return segments;
    }

    /** Returns whether a table that was made of {@link #of} has all ports of its segments, and no others. */
    static boolean hasPortsOfItsSegments(NftListing table) {
        return table.keys(PORTS).stream().map(port -> Short.toUnsignedInt(port.getShort(0))).collect(Collectors.toSet())
                .equals(segments(table).stream().map(Segment::port).collect(Collectors.toSet()));
    }

    /** Reads a VNI, in network byte order. */
    private static int vni(ByteBuffer key, int at) {
        return Short.toUnsignedInt(key.getShort(at)) << Byte.SIZE | Byte.toUnsignedInt(key.get(at + Short.BYTES));
    }

    /** Returns whether a table has the rules of version 0.1.0, with a set of VNIs and the port in each rule. */
    static boolean areOfVersion010(NftListing table) {
        return !table.keys(EARLIER_SET).isEmpty();
    }

    /**
     * Returns the segments of a table of version 0.1.0.
     *
     * @param printed the table as nft prints it, because the kernel lists the port as part of an expression only
     */
    static Set<Segment> segmentsOfVersion010(NftListing table, String printed) {
        Set<Segment> segments = new TreeSet<>();
        Matcher rule = EARLIER_RULE.matcher(printed);
        if (rule.find()) {
            int port = Integer.parseInt(rule.group(1));
            table.keys(EARLIER_SET).forEach(key -> segments.add(new Segment(port, vni(key, 0))));
        }
        return segments;
    }
}
