package io.vxseal.kernel.xfrm;

import static io.vxseal.kernel.packet.IpProtocol.IPPROTO_UDP;

import io.vxseal.address.Cidr;
import java.net.InetAddress;
import java.util.Collection;

/**
 * An XFRM policy of another maker, for what the host itself sends or receives, reduced to what decides which packets it takes: direction,
 * selector, mark and priority ({@code linux/xfrm.h}, xfrm_userpolicy_info). Source port and interface of the selector are ignored, so a
 * policy with one of these is taken for a wider one.
 *
 * @param direction of the packets
 * @param source prefix of the sender
 * @param destination prefix of the receiver, of the same family
 * @param protocol of IP; 0 for any
 * @param port UDP destination port
 * @param portMask bits of the port that count; 0 for any port
 * @param mark value of the masked firewall mark
 * @param markMask bits of the firewall mark that count; 0 for any mark
 * @param priority unsigned; of two policies that match a packet the one with the lower number takes it
 * @param drops whether it drops what one of this plugin's states has opened: it blocks, or it demands other states
 */
public record ForeignPolicy(
        Direction direction,
        Cidr source,
        Cidr destination,
        int protocol,
        int port,
        int portMask,
        int mark,
        int markMask,
        int priority,
        boolean drops)
        implements ListedPolicy {
    /** A direction, as iproute2 names it. */
    public enum Direction {
        OUT,
        IN
    }

    /** Returns whether it takes UDP datagrams that an address sends to a port with a firewall mark, to any or some receivers. */
    public boolean takesFrom(InetAddress sender, int toPort, int firewallMark) {
        return direction == Direction.OUT && takes(toPort, firewallMark) && source.contains(sender);
    }

    /**
     * Returns whether it takes unmarked UDP datagrams that an address receives at a port, from any or some senders. No policy of this plugin
     * is for received packets, so its priority does not matter.
     */
    public boolean takesAt(InetAddress receiver, int atPort) {
        return direction == Direction.IN && takes(atPort, 0) && destination.contains(receiver);
    }

    /**
     * Returns whether it drops what one of this plugin's states has opened of the datagrams that an address receives at a port: from each of
     * its senders, unless another policy comes before it for all of them.
     *
     * @param listed all policies of other makers, this one among them
     */
    public boolean dropsAt(InetAddress receiver, int atPort, Collection<ForeignPolicy> listed) {
        return drops
                && takesAt(receiver, atPort)
                && listed.stream().noneMatch(other -> other.takesAt(receiver, atPort) && other.precedesForAllSendersOf(this));
    }

    private boolean takes(int toPort, int firewallMark) {
        return (protocol == 0 || protocol == IPPROTO_UDP)
                && ((port ^ toPort) & portMask) == 0
                && (firewallMark & markMask) == mark;
    }

    /**
     * Returns whether it may take precedence over a policy with this priority. Of equal ones the older does, and the kernel
     * does not report their age.
     */
    public boolean mayPrecede(int otherPriority) {
        return Integer.compareUnsigned(priority, otherPriority) <= 0;
    }

    /** Returns whether it comes before another policy for each sender of that one. */
    private boolean precedesForAllSendersOf(ForeignPolicy other) {
        return Integer.compareUnsigned(priority, other.priority) < 0
                && source.prefix() <= other.source.prefix()
                && source.contains(other.source.address());
    }

    @Override
    public String toString() {
        return "policy %s %s -> %s priority %s".formatted(
                direction == Direction.IN ? "in" : "out", source, destination, Integer.toUnsignedString(priority));
    }
}
