package io.vxseal.kernel;

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
 */
public final class SealedPriority implements AutoCloseable {
    /** Chosen so that no scheduler's class has it by chance: 0x76 and our reqid. */
    static final int PRIORITY = 0x76 << 24 | Xfrm.REQID;

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
     * @throws FirewallException if the kernel has no nf_tables
     */
    public static SealedPriority in(Namespace namespace) throws FirewallException {
        List<String> rules = Stream.concat(
                        Stream.of("meta priority 0x%x meta priority set 0".formatted(PRIORITY)),
                        sealedBy("in").map(sealed -> "meta l4proto udp %s meta priority set 0x%x".formatted(sealed, PRIORITY)))
                .toList();
        return new SealedPriority(NftTable.in(namespace, NftTable.Family.INET, "vxseal-priority",
                List.of(new NftTable.Chain("incoming", "filter hook input priority 400", rules))));
    }

    /**
     * Returns matches in nft's words, one for each place that our state may have in a packet's way through IPsec, which
     * leads through another VPN's states, too, where one tunnel is inside another.
     *
     * @param direction {@code in} or {@code out}
     */
    static Stream<String> sealedBy(String direction) {
        return IntStream.range(0, DEPTH).mapToObj(place -> "ipsec %s spnum %d reqid %d".formatted(direction, place, Xfrm.REQID));
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
