package io.vxseal.kernel.firewall;

import java.util.List;
import java.util.Set;

/**
 * The rules that encrypted networks have in the host's firewall, segment by segment. Both directions drop a segment's
 * datagrams unless our IPsec has to do with them; what may be a segment's and cannot be judged is dropped, too.
 *
 * <p>Inwards, a datagram passes if one of our states opened it: ESP, transport mode, our reqid. Others on the host may
 * have opened it as well. Outwards, it passes if its route goes through one of our states, and no socket of the host's
 * namespace sent it: a VXLAN device in a network's own namespace did. The firewall mark proves nothing there, because
 * a process with CAP_NET_RAW may set it (SO_MARK, since Linux 5.17). The rules mark nothing; {@link FrameMark} does.
 * What a socket of the host's namespace sends to a segment's port is dropped whatever its VNI: several datagrams may leave
 * as one (UDP_SEGMENT), of which a rule sees the first one's VNI only.
 *
 * <p>Such an aggregate may also come in, from a container of another network or from another virtual machine of the same
 * hypervisor. The kernel takes it apart behind the firewall. If its first datagram is of no segment here, these rules
 * let it by, and only the rules in a network's own namespace ({@link FrameMark}) drop the others.
 *
 * <p>What a packet socket sends (CAP_NET_RAW) meets neither rules nor policies. It is in clear, and dropped where it
 * arrives.
 *
 * <p>A program that changes the mark of datagrams on their way out takes them off the route through our state; they are
 * dropped, never sent in clear. With iptables, ours are spared the rules in mangle's OUTPUT; chains of type route
 * that others made with nft are not.
 */
public interface Firewall {
    /** Which IP carries the VXLAN datagrams. */
    enum Transport {
        IPV4,
        IPV6
    }

    /** What makes the rules. */
    enum Backend {
        /** What the host's engine uses. */
        AUTO,
        /** iptables or ip6tables, in the variant that the host's rules are in. */
        IPTABLES,
        /** A table of our own. */
        NFTABLES
    }

    /**
     * Finds the firewall to make rules with. Looking for it changes no rule.
     *
     * <p>While iptables cannot list the rules, because of what another program made in its tables with nft, a table of our
     * own holds them, whatever the backend.
     *
     * @param backend what makes the rules
     * @param transport which IP carries the VXLAN datagrams
     * @param prefix words before each command, empty to run it here
     * @throws FirewallException if the backend's tool cannot be run; with {@code AUTO}, if neither backend works
     */
    static Firewall choose(Backend backend, Transport transport, List<String> prefix) throws FirewallException {
        return ChosenFirewall.choose(backend, transport, new CommandRunner(prefix));
    }

    /**
     * Adds the rules of these segments to those that stand. Each stands once however often this is called. Nothing changes
     * if it fails.
     *
     * @throws FirewallException naming what the kernel lacks, if that is why, and the remedy
     */
    void protect(Set<Segment> segments) throws FirewallException;

    /** Removes the rules of these segments, all copies; those that are gone already are no error. */
    void unprotect(Set<Segment> segments) throws FirewallException;

    /**
     * Makes the rules be those of exactly these segments. Puts back what others removed, changed or overtook, and removes
     * what an earlier process or version left, in whichever backend. Leaves rules of others alone. Where all is
     * right this reads the rules and writes none.
     *
     * @return how many segments had rules missing, wrong or too many
     * @throws FirewallException if rules could not be put right; those that stand still do
     */
    int restore(Set<Segment> segments) throws FirewallException;

    /**
     * Returns the segments that have rules, from whatever process or version, whether or not they are whole.
     *
     * @throws FirewallException if the rules cannot be read
     */
    Set<Segment> standing() throws FirewallException;
}
