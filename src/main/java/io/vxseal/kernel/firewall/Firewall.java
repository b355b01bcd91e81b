package io.vxseal.kernel.firewall;

import java.util.Set;

/**
 * The rules in the host's firewall for the segments of encrypted networks. In both directions they drop a segment's
 * datagrams unless one of our IPsec states is involved. What may be a segment's and cannot be classified is dropped, too.
 *
 * <p>An incoming datagram passes if one of our states decrypted it: ESP, transport mode, our reqid. Others on the host may
 * have decrypted it as well. An outgoing datagram passes if its route leads through one of our states and no socket of the
 * host's namespace sent it: a VXLAN device in a network's own namespace did. The firewall mark is no proof of that, because
 * a process with CAP_NET_RAW may set it (SO_MARK, since Linux 5.17). The rules mark nothing; {@link FrameMark} does.
 * What a socket of the host's namespace sends to a segment's port is dropped whatever its VNI: several datagrams may leave
 * as one (UDP_SEGMENT), of which a rule sees the first one's VNI only.
 *
 * <p>Such an aggregate may also come in, from a container of another network or from another virtual machine of the same
 * hypervisor. The kernel splits it behind the firewall. If its first datagram is of no segment here, these rules accept it,
 * and only the rules in a network's own namespace ({@link FrameMark}) drop the others.
 *
 * <p>Packets from a packet socket (CAP_NET_RAW) bypass rules and policies. They leave in clear, and are dropped where they
 * arrive.
 *
 * <p>A program that changes the mark of datagrams on their way out diverts them from the route through our state; they are
 * dropped, never sent in clear. With iptables, ours bypass the rules in mangle's OUTPUT; chains of type route that others
 * made with nft they do not.
 */
public interface Firewall {
    /** The IP version of the VXLAN datagrams. */
    enum Transport {
        IPV4,
        IPV6
    }

    /** The tool that makes the rules. */
    enum Backend {
        /** The one that the host's engine uses. */
        AUTO,
        /** iptables or ip6tables, in the variant that contains the host's rules. */
        IPTABLES,
        /** nft, in a table of its own. */
        NFTABLES
    }

    /**
     * Adds the rules of these segments to the existing ones. Each rule exists once however often this is called. Nothing
     * changes if it fails.
     *
     * @throws FirewallException with the remedy, and what the kernel lacks if that is the reason
     */
    void protect(Set<Segment> segments) throws FirewallException;

    /** Removes the rules of these segments, including all copies. It is no error if they are gone. */
    void unprotect(Set<Segment> segments) throws FirewallException;

    /**
     * Makes the rules be those of exactly these segments: restores what other programs removed, changed or overtook, and
     * removes what an earlier process or version left, in whichever backend. Rules of others are not touched. If all is
     * right, this only reads.
     *
     * @return the number of segments with missing, wrong or superfluous rules
     * @throws FirewallException if rules could not be restored; the existing ones remain
     */
    int restore(Set<Segment> segments) throws FirewallException;

    /**
     * As {@link #restore(Set)}, but leaves an earlier process's rules in other backends, and for the other IP version, where segments
     * are out of reach: it is not known over which version their devices send. These rules are restored as well.
     *
     * @param outOfReach segments whose devices are in network namespaces that this process cannot open; among {@code segments}
     */
    default int restore(Set<Segment> segments, Set<Segment> outOfReach) throws FirewallException {
        return restore(segments);
    }

    /**
     * Returns the rules that are there.
     *
     * @throws FirewallException if the rules cannot be read
     */
    InstalledRules installed() throws FirewallException;

    /** Returns whether rules that were to be removed may be left, because the last call could not list all of them. */
    default boolean mayHaveSurplus() {
        return false;
    }

    /** Returns what the rules dropped since this object was made, as of the last call that read them. Reads nothing itself. */
    Drops drops();
}
