package io.vxseal.kernel.firewall;

import io.vxseal.kernel.netns.Namespace;
import io.vxseal.kernel.xfrm.SecurityPolicy;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * The table in the host's namespace that goes by the packet priority of encrypted networks. A packet keeps its priority where a
 * VXLAN device hands it from one network namespace to another, in both directions (skb_scrub_packet() resets the mark and the
 * security path only).
 *
 * <p>Inwards, the table gives the priority to datagrams that our IPsec opened, and takes it from all others, because a process of
 * the host with CAP_NET_RAW may set it (SO_PRIORITY). {@link FrameMark} lets only frames with this priority into a network.
 *
 * <p>Outwards, {@link FrameMark} gives the priority to each frame of an encrypted network. The table drops a datagram that has it
 * and whose route does not go through one of our states. This holds where a foreign rule has changed the firewall mark, by which
 * the kernel finds policies, and the host's firewall rules are gone. A datagram whose route does go through one of our states
 * gets priority 0, so that no queueing discipline of the host sees ours: priorities are class handles there.
 *
 * <p>A sealed datagram also gets its firewall mark back before source NAT. Where NAT changes its source, the kernel looks for
 * its route anew, with the mark it has by then (ip_xfrm_me_harder() in {@code net/netfilter/nf_nat_proto.c}), behind all rules
 * for what leaves. Without the mark it would find no policy and send the datagram in clear. With it the datagram is sealed, or
 * blocked if it has another source address than this node's. The table judges datagrams right behind source NAT, because a chain
 * of another program may come between and change the mark again.
 *
 * <p>The table also has the chains of {@link ConntrackGuard}.
 */
public final class SealedPriority implements AutoCloseable {
    /** Packet priority of encrypted networks' packets, unlikely to be the handle of a scheduler's class: 0x76 and our reqid. */
    public static final int PRIORITY = 0x76 << 24 | SecurityPolicy.REQID;

    /** Priority right before the chains that translate sources (NF_IP_PRI_NAT_SRC, 100). */
    private static final int BEFORE_SOURCE_NAT = 99;

    /** Priority right behind those chains. No route is looked up after that. */
    private static final int BEHIND_SOURCE_NAT = 101;

    private final NftTable table;
    private final NftContent content;

    private SealedPriority(NftTable table, NftContent content) {
        this.table = table;
        this.content = content;
    }

    /**
     * Returns the table of the host's namespace without setting it.
     *
     * @param namespace must stay open as long as the table is used
     * @param mark firewall mark by which policies select datagrams
     */
    public static SealedPriority in(Namespace namespace, int mark) {
        List<String> incoming = Stream.concat(
                        Stream.of("meta priority 0x%x meta priority set 0".formatted(PRIORITY)),
                        SecurityPathMatch.ours("in")
                                .map(sealed -> "meta l4proto udp %s meta priority set 0x%x".formatted(sealed, PRIORITY)))
                .toList();
        List<String> remarking = SecurityPathMatch.ours("out")
                .map(sealed -> "meta l4proto udp %s meta mark set 0x%x".formatted(sealed, mark))
                .toList();
        List<String> leaving = Stream.concat(
                        SecurityPathMatch.ours("out")
                                .map(sealed -> "meta l4proto udp %s meta priority 0x%x meta priority set 0".formatted(sealed, PRIORITY)),
                        Stream.of("meta l4proto udp meta priority 0x%x %s".formatted(PRIORITY, DropCounter.OUTGOING.drop())))
                .toList();
        List<NftContent.Chain> chains = new ArrayList<>(ConntrackGuard.chains(mark));
        chains.add(NftContent.Chain.base("incoming", "filter hook input priority 400", incoming));
        chains.add(NftContent.Chain.base("remarking", "filter hook postrouting priority " + BEFORE_SOURCE_NAT, remarking));
        chains.add(NftContent.Chain.base("leaving", "filter hook postrouting priority " + BEHIND_SOURCE_NAT, leaving));
        NftTable table = new NftTable(CommandRunner.in(namespace), NftFamily.INET, "vxseal-priority", () ->
                "the kernel may lack nftables' \"ipsec\" (CONFIG_NFT_XFRM): modprobe -a nf_tables nft_xfrm");
        return new SealedPriority(table, NftContent.of(List.of(DropCounter.values()), chains));
    }

    /**
     * Sets the table in one transaction, unless it is unchanged; then no process is started.
     *
     * @return whether it was missing or different
     * @throws FirewallException if nft cannot be run, or the kernel lacks nftables for IPsec
     */
    public boolean restore() throws FirewallException {
        return table.restore(content);
    }

    /** Removes the table once no encrypted network is up. From then on no encrypted network gets a frame. */
    public void remove() throws FirewallException {
        table.remove("remove table " + table);
    }

    /** Returns what the table's rules dropped, as of the last {@link #restore}. */
    public Drops drops() {
        return table.drops();
    }

    @Override
    public void close() {
        table.close();
    }
}
