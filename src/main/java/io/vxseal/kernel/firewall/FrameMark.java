package io.vxseal.kernel.firewall;

import io.vxseal.kernel.netns.Namespace;
import io.vxseal.kernel.route.Route;
import java.util.List;

/**
 * A network's own rules for frames, in the network's own namespace, out of reach of whoever reloads the host's rules.
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
 * (eth_type_trans()). The device answers its askers, never itself, so {@link Route#VXLAN_MAC} tells the two apart.
 */
public final class FrameMark implements AutoCloseable {
    private static final String NAME = "vxseal";

    private final NftTable table;

    private FrameMark(NftTable table) {
        this.table = table;
    }

    /**
     * Returns the rules of a namespace without setting them.
     *
     * @param namespace stays open as long as this is used
     * @param mark firewall mark of what bridges send
     * @throws FirewallException if the kernel has no nf_tables
     */
    public static FrameMark in(Namespace namespace, int mark) throws FirewallException {
        return new FrameMark(NftTable.in(namespace, NftTable.Family.BRIDGE, NAME, List.of(
                new NftTable.Chain("incoming", "filter hook prerouting priority -400", List.of(
                        "iifname \"vx-*\" meta priority 0x%x accept".formatted(SealedPriority.PRIORITY),
                        "iifname \"vx-*\" meta pkttype host arp operation reply ether daddr != %s accept"
                                .formatted(Route.VXLAN_MAC),
                        "iifname \"vx-*\" drop")),
                new NftTable.Chain("outgoing", "filter hook postrouting priority 400", List.of(
                        "meta mark set 0x%x".formatted(mark),
                        "meta priority set 0x%x".formatted(SealedPriority.PRIORITY))))));
    }

    /** Returns whether the namespace has rules of {@link #restore}, by whatever process or version. */
    public static boolean isSet(Namespace namespace) throws FirewallException {
        return NftTable.stands(namespace, NftTable.Family.BRIDGE, NAME);
    }

    /**
     * Sets the rules in one transaction unless they stand as they were set. Where they do, no process is started.
     *
     * @return whether anything else had stood before
     * @throws FirewallException if nft cannot be run, or the kernel has no nf_tables for bridges
     */
    public boolean restore() throws FirewallException {
        return table.restore();
    }

    @Override
    public void close() {
        table.close();
    }
}
