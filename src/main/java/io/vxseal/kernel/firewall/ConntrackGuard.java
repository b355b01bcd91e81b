package io.vxseal.kernel.firewall;

import java.util.List;

/**
 * The chains that drop packets before connection tracking puts fragments together, because the rules behind it can no longer
 * tell what they are.
 *
 * <p>One drops IPv6 packets with a fragment header behind another extension header. There the kernel keeps the place of the
 * header that leads to the fragment header in eight bits (prev_nhoff of find_prev_fhdr() in
 * {@code net/ipv6/netfilter/nf_conntrack_reasm.c}), so behind long headers it changes a wrong octet: all rules then read other
 * headers than the kernel, which goes on behind the fragment header. No common sender makes such packets.
 *
 * <p>The other drops what a process marked as ours (SO_MARK). No datagram of a VXLAN device bears the mark in OUTPUT, because it
 * lost it on its way out of the network's namespace. Kernels before 6.9 forget the socket of a datagram in connection tracking
 * (ip_defrag()), by which the firewall's rules know it, and a foreign rule that has its route looked up anew would have it
 * sealed.
 */
final class ConntrackGuard {
    /** Before connection tracking puts fragments together (NF_IP_PRI_CONNTRACK_DEFRAG, -400). */
    private static final int BEFORE_DEFRAGMENTATION = -450;

    private ConntrackGuard() {}

    /** Returns the chains for the host's namespace, given the mark by which policies select datagrams. */
    static List<NftContent.Chain> chains(int mark) {
        return List.of(
                NftContent.Chain.base("fragments", "filter hook prerouting priority " + BEFORE_DEFRAGMENTATION, List.of(
                        "meta nfproto ipv6 ip6 nexthdr != ipv6-frag exthdr frag exists "
                                + DropCounter.INCOMING.drop())),
                NftContent.Chain.base("forged", "filter hook output priority " + BEFORE_DEFRAGMENTATION, List.of(
                        "meta l4proto != esp meta mark 0x%x %s".formatted(mark, DropCounter.OUTGOING.drop()))));
    }
}
