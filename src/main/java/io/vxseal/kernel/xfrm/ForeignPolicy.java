package io.vxseal.kernel.xfrm;

import io.vxseal.address.Cidr;
import java.net.InetAddress;

/**
 * An outgoing XFRM policy of another maker, as far as it tells which packets it takes: its selector, mark and priority
 * ({@code linux/xfrm.h}, xfrm_userpolicy_info). A source port or an interface that it names besides is passed over, so a
 * policy with one of these is said to take more than it does.
 *
 * @param source prefix of the sender
 * @param destination prefix of the receiver, of the same family
 * @param protocol of IP; 0 for any
 * @param port destination port
 * @param portMask bits of the port that count; 0 for any port
 * @param mark what the masked firewall mark must be
 * @param markMask bits of the firewall mark that count; 0 for any mark
 * @param priority unsigned; of two policies that take a packet the one with the lower number does
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

    /** Whether it takes UDP datagrams from an address to a port, under a mark, whatever their receiver. */
    public boolean takesFrom(InetAddress sender, int toPort, int marked) {
        return (protocol == 0 || protocol == IPPROTO_UDP)
                && ((port ^ toPort) & portMask) == 0
                && (marked & markMask) == mark
                && source.contains(sender);
    }

    /** Whether it comes before a policy of ours with this priority. Of equal ones the older does, which is not told. */
    public boolean comesBefore(int ours) {
        return Integer.compareUnsigned(priority, ours) <= 0;
    }

    @Override
    public String toString() {
        return "policy out %s -> %s priority %s".formatted(source, destination, Integer.toUnsignedString(priority));
    }
}
