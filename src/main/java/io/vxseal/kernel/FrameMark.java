package io.vxseal.kernel;

import java.util.List;

/**
 * The firewall mark on every frame that a network's bridge sends, given in the network's own namespace, out of reach of
 * whoever reloads the host's rules.
 *
 * <p>A VXLAN device asks for the way of its datagram with the frame's mark (vxlan_get_route() and vxlan6_get_route() in
 * {@code drivers/net/vxlan/vxlan_core.c}, udp_tunnel_dst_lookup() since 6.8), and the way is where the kernel looks for an
 * XFRM policy. So a marked frame is sealed, or blocked, before its datagram meets the host's firewall at all. The
 * mark itself ends where the datagram leaves the namespace (skb_scrub_packet()).
 */
public final class FrameMark {
    /** In one transaction, whatever was there before. */
    private static final String RULES = """
            table bridge vxseal
            delete table bridge vxseal
            table bridge vxseal {
                chain frames {
                    type filter hook postrouting priority 0; policy accept;
                    meta mark set 0x%x
                }
            }
            """;

    private FrameMark() {}

    /** Whether {@link #set} was called for the namespace, by whatever process, and nothing undid it. */
    public static boolean isSet(Namespace namespace) throws FirewallException {
        return Tools.in(namespace).run(List.of("nft", "list", "table", "bridge", "vxseal")).done();
    }

    /**
     * Marks what bridges of the namespace send from now on.
     *
     * @throws FirewallException if nft cannot be run, or the kernel has no nf_tables for bridges
     */
    public static void set(Namespace namespace, int mark) throws FirewallException {
        Tools.Outcome outcome = Tools.in(namespace).run(List.of("nft", "-f", "-"), RULES.formatted(mark));
        if (!outcome.done()) {
            throw outcome.failed(
                    "mark a network's frames",
                    outcome.notFound()
                            ? "install the nftables package"
                            : "the kernel may lack nftables for bridges (CONFIG_NF_TABLES_BRIDGE): modprobe nf_tables");
        }
    }
}
