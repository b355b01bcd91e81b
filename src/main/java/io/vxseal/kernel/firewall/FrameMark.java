package io.vxseal.kernel.firewall;

import io.vxseal.kernel.netns.Namespace;
import io.vxseal.kernel.route.Vxlan;
import java.util.List;

/**
 * The rules for frames in an encrypted network's own namespace, which a reload of the host's rules does not affect.
 *
 * <p>Outwards, each frame that a bridge sends gets the firewall mark and a packet priority. A VXLAN device looks up the route of
 * its datagram with the frame's mark (vxlan_get_route() and vxlan6_get_route() in {@code drivers/net/vxlan/vxlan_core.c},
 * udp_tunnel_dst_lookup() since 6.8), and the kernel looks for an XFRM policy along with the route. So a marked frame is sealed,
 * or blocked, before its datagram meets the host's firewall at all. The mark itself ends where the datagram leaves the
 * namespace (skb_scrub_packet()), so no rule of the host sees it. The priority stays: {@link SealedPriority} drops a datagram
 * that has it and is not about to be sealed, because a rule of the host had its route looked up anew with another mark.
 *
 * <p>Inwards, a bridge takes a frame from a VXLAN port (an interface named {@code vx-…}) only if its datagram was sealed, which
 * it knows by the priority that {@link SealedPriority} gave the datagram. The VXLAN device's own ARP replies (arp_reduce()) came
 * in no datagram and pass. If somebody flushes the host's rules, the network stops instead of opening.
 *
 * <p>A frame from outside passes for such a reply only if it is one and addressed to the VXLAN device itself
 * (eth_type_trans()). The device answers its askers, never itself, so {@link Vxlan#MAC} distinguishes the two.
 */
public final class FrameMark implements AutoCloseable {
    private static final String NAME = "vxseal";

    private final NftTable table;
    private final NftContent content;

    private FrameMark(NftTable table, NftContent content) {
        this.table = table;
        this.content = content;
    }

    /**
     * Returns the rules of a namespace without setting them.
     *
     * @param namespace must stay open as long as the rules are used
     * @param mark firewall mark of frames that bridges send
     */
    public static FrameMark in(Namespace namespace, int mark) {
        NftTable table = new NftTable(CommandRunner.in(namespace), NftFamily.BRIDGE, NAME, () ->
                "the kernel may lack nftables for bridges (CONFIG_NF_TABLES_BRIDGE): modprobe nf_tables");
        return new FrameMark(table, NftContent.of(List.of(DropCounter.INCOMING), List.of(
                NftContent.Chain.base("incoming", "filter hook prerouting priority -400", List.of(
                        "iifname \"vx-*\" meta priority 0x%x accept".formatted(SealedPriority.PRIORITY),
                        "iifname \"vx-*\" meta pkttype host arp operation reply ether daddr != %s accept"
                                .formatted(Vxlan.MAC),
                        "iifname \"vx-*\" " + DropCounter.INCOMING.drop())),
                NftContent.Chain.base("outgoing", "filter hook postrouting priority 400", List.of(
                        "meta mark set 0x%x".formatted(mark),
                        "meta priority set 0x%x".formatted(SealedPriority.PRIORITY))))));
    }

    /** Returns whether the namespace has rules that {@link #restore} set, in any process or version. */
    public static boolean isSet(Namespace namespace) throws FirewallException {
        return NftTable.exists(namespace, NftFamily.BRIDGE, NAME);
    }

    /**
     * Sets the rules in one transaction, unless they are unchanged; then no process is started.
     *
     * @return whether they were missing or different
     * @throws FirewallException if nft cannot be run, or the kernel has no nf_tables for bridges
     */
    public boolean restore() throws FirewallException {
        return table.restore(content);
    }

    /** Returns which frames the rules dropped, as of the last {@link #restore}. */
    public Drops drops() {
        return table.drops();
    }

    @Override
    public void close() {
        table.close();
    }
}
