package io.vxseal.kernel.xfrm;

import io.vxseal.address.Cidr;
import java.net.InetAddress;

/**
 * An outgoing XFRM policy of another maker, reduced to what decides which packets it takes: selector, mark and priority
 * ({@code linux/xfrm.h}, xfrm_userpolicy_info). Source port and interface of the selector are ignored, so a policy with one
 * of these is taken for a wider one.
 *
 * @param source prefix of the sender
 * @param destination prefix of the receiver, of the same family
 * @param protocol of IP; 0 for any
 * @param port UDP destination port
 * @param portMask bits of the port that count; 0 for any port
 * @param mark value of the masked firewall mark
 * @param markMask bits of the firewall mark that count; 0 for any mark
 * @param priority unsigned; of two policies that match a packet the one with the lower number takes it
 */
public record ForeignPolicy(
        Cidr source,
        Cidr destination,
        int protocol,
        int port,
        int portMask,
        int mark,
        int markMask,
        int priority)
        implements OutgoingPolicy {
    private static final int IPPROTO_UDP = 17;

    /** Returns whether it takes UDP datagrams from an address to a port with a firewall mark, to any or some receivers. */
    public boolean takesFrom(InetAddress sender, int toPort, int firewallMark) {
        return (protocol == 0 || protocol == IPPROTO_UDP)
                && ((port ^ toPort) & portMask) == 0
                && (firewallMark & markMask) == mark
                && source.contains(sender);
    }

    /**
     * Returns whether it may take precedence over a policy with this priority. Of equal ones the older does, and the kernel
     * does not tell their age.
     */
    public boolean mayPrecede(int otherPriority) {
        return Integer.compareUnsigned(priority, otherPriority) <= 0;
    }

    @Override
    public String toString() {
        return "policy out %s -> %s priority %s".formatted(source, destination, Integer.toUnsignedString(priority));
    }
}
