package io.vxseal.kernel.firewall;

import io.vxseal.kernel.netns.Namespace;
import io.vxseal.kernel.xfrm.SecurityPolicy;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * The priority of datagrams that our IPsec opened, set by a table of our own in the host's namespace. A packet's priority
 * stays with it where a VXLAN device takes the frame out and hands it to a network's namespace (skb_scrub_packet() resets
 * mark and security path only); {@link FrameMark} asks for it there.
 *
 * <p>No other datagram comes to a VXLAN device with this priority: the table takes it from those whose sender set it
 * (SO_PRIORITY), as a process of the host with CAP_NET_RAW may.
 *
 * <p>The table also drops IPv6 packets with a fragment header behind another extension header, before connection tracking
 * puts fragments together. There the kernel keeps the place of the header that leads to the fragment header in eight bits
 * (prev_nhoff of find_prev_fhdr() in {@code net/ipv6/netfilter/nf_conntrack_reasm.c}), so behind long headers it changes a
 * wrong octet: all rules then read other headers than the kernel, which goes on behind the fragment header. No rule
 * for incoming packets can tell any more, and no common sender makes such packets.
 *
 * <p>On its way out a sealed datagram gets its firewall mark back before source NAT. Where NAT changes its source, the kernel
 * looks for its route anew, with the mark it has by then (ip_xfrm_me_harder() in {@code net/netfilter/nf_nat_proto.c}), behind
 * all rules for what leaves. Without the mark it would find no policy and send the datagram in clear. With it the datagram is
 * sealed, or blocked if it has another source address than this node's.
 *
 * <p>No datagram of a VXLAN device bears the mark here, because it lost it on its way out of the network's namespace
 * (skb_scrub_packet()). So what does was marked by a process (SO_MARK), and is dropped before connection tracking puts
 * fragments together: kernels before 6.9 forget the socket of a datagram there (ip_defrag()), by which the firewall's rules know
 * it, and a foreign rule that has its route looked up anew would have it sealed.
 */
public final class SealedPriority implements AutoCloseable {
    /** Chosen so that no scheduler's class has it by chance: 0x76 and our reqid. */
    public static final int PRIORITY = 0x76 << 24 | SecurityPolicy.REQID;

    /** Right before the chains that translate sources (NF_IP_PRI_NAT_SRC, 100). */
    private static final int BEFORE_SOURCE_NAT = 99;

    /** Elements of a security path that the kernel keeps at most (XFRM_MAX_DEPTH). */
    private static final int DEPTH = 6;

    private final NftTable table;

    private SealedPriority(NftTable table) {
        this.table = table;
    }

    /**
     * Returns the table of the host's namespace, which {@link #restore} sets.
     *
     * @param namespace stays open as long as this is used
     * @param mark firewall mark by which policies choose datagrams
     * @throws FirewallException if the kernel has no nf_tables
     */
    public static SealedPriority in(Namespace namespace, int mark) throws FirewallException {
        List<String> rules = Stream.concat(
                        Stream.of("meta priority 0x%x meta priority set 0".formatted(PRIORITY)),
                        sealedBy("in")
                                .map(sealed -> "meta l4proto udp %s meta priority set 0x%x".formatted(sealed, PRIORITY)))
                .toList();
        List<String> marks = sealedBy("out")
                .map(sealed -> "meta l4proto udp %s meta mark set 0x%x".formatted(sealed, mark))
                .toList();
        return new SealedPriority(NftTable.in(namespace, NftTable.Family.INET, "vxseal-priority",
                List.of(
                        new NftTable.Chain("fragments", "filter hook prerouting priority -450", List.of(
                                "meta nfproto ipv6 ip6 nexthdr != ipv6-frag exthdr frag exists drop")),
                        new NftTable.Chain("forged", "filter hook output priority -450", List.of(
                                "meta l4proto != esp meta mark 0x%x drop".formatted(mark))),
                        new NftTable.Chain("incoming", "filter hook input priority 400", rules),
                        new NftTable.Chain("leaving", "filter hook postrouting priority " + BEFORE_SOURCE_NAT, marks))));
    }

    /**
     * Returns matches in nft's words, one for each place that our state may have in a packet's way through IPsec, which
     * leads through another VPN's states, too, where one tunnel is inside another.
     *
     * @param direction {@code in} or {@code out}
     */
    static Stream<String> sealedBy(String direction) {
        return IntStream.range(0, DEPTH)
                .mapToObj(place -> "ipsec %s spnum %d reqid %d".formatted(direction, place, SecurityPolicy.REQID));
    }

    /**
     * Sets the table in one transaction unless it stands as it was set. Where it does, no process is started.
     *
     * @return whether anything else had stood before
     * @throws FirewallException if nft cannot be run, or the kernel lacks nftables for IPsec
     */
    public boolean restore() throws FirewallException {
        return table.restore();
    }

    /** Removes the table, once no encrypted network is up; from then on none gets a frame. */
    public void remove() throws FirewallException {
        table.remove();
    }

    @Override
    public void close() {
        table.close();
    }
}
