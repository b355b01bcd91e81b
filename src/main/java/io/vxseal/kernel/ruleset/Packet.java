package io.vxseal.kernel.ruleset;

import java.net.Inet6Address;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/**
 * The first packet of a flow between this host and another one. What is not named here may have any value, except that the packet
 * does not pass the loopback device.
 *
 * @param incoming whether this host receives it
 * @param ipv6 whether it is one of IPv6
 * @param protocol number of IP
 * @param port destination port of UDP or TCP
 * @param source empty for any address
 * @param destination empty for any address
 * @param untracked whether the host may not track it, by a rule that the packet may meet
 */
public record Packet(
        boolean incoming,
        boolean ipv6,
        int protocol,
        OptionalInt port,
        Optional<InetAddress> source,
        Optional<InetAddress> destination,
        boolean untracked) {
    public static final int TCP = 6;
    public static final int UDP = 17;
    public static final int ESP = 50;

    /** {@code linux/if.h}. */
    private static final int IFNAMSIZ = 16;

    /** Index of the loopback device in every namespace. */
    private static final int LOOPBACK_INDEX = 1;

    // linux/netfilter.h: hooks
    static final int NF_INET_PRE_ROUTING = 0;
    static final int NF_INET_LOCAL_IN = 1;
    static final int NF_INET_LOCAL_OUT = 3;
    static final int NF_INET_POST_ROUTING = 4;

    // linux/netfilter/nf_conntrack_common.h: NF_CT_STATE_BIT(IP_CT_NEW), NF_CT_STATE_UNTRACKED_BIT
    private static final int NEW = 8;
    private static final int UNTRACKED = 64;

    // linux/netfilter/nf_conntrack_common.h: set once it is known whether to translate an address
    private static final int IPS_SRC_NAT_DONE = 0x80;
    private static final int IPS_DST_NAT_DONE = 0x100;

    /** Returns a packet with or without a port between any hosts. */
    public static Packet of(boolean incoming, boolean ipv6, int protocol, OptionalInt port) {
        return new Packet(incoming, ipv6, protocol, port, Optional.empty(), Optional.empty(), false);
    }

    /** Returns this packet between this host and another one, of whose addresses either may be unknown. */
    public Packet between(Optional<InetAddress> here, Optional<InetAddress> there) {
        return new Packet(incoming, ipv6, protocol, port, incoming ? there : here, incoming ? here : there, untracked);
    }

    /** Returns this packet where it may not be tracked. */
    Packet maybeUntracked() {
        return new Packet(incoming, ipv6, protocol, port, source, destination, true);
    }

    /** Returns whether the packet meets a hook. */
    boolean meets(int hook) {
        return incoming
                ? hook == NF_INET_PRE_ROUTING || hook == NF_INET_LOCAL_IN
                : hook == NF_INET_LOCAL_OUT || hook == NF_INET_POST_ROUTING;
    }

    Value sourceValue() {
        return source.map(address -> Value.of(address.getAddress())).orElse(Value.UNKNOWN);
    }

    Value destinationValue() {
        return destination.map(address -> Value.of(address.getAddress())).orElse(Value.UNKNOWN);
    }

    /** Returns the destination port in the order of the network; unknown for a protocol without ports. */
    Value portValue() {
        return port.isPresent()
                ? Value.of(ByteBuffer.allocate(Short.BYTES).putShort((short) port.getAsInt()).array())
                : Value.UNKNOWN;
    }

    /** Returns the bits of the states of tracking that it may have. */
    Set<Integer> states() {
        return untracked ? Set.of(NEW, UNTRACKED) : Set.of(NEW);
    }

    Value stateValue() {
        return Value.of(states().stream().map(Packet::nativeOrder).toArray(byte[][]::new));
    }

    /** Returns the status of tracking before any answer. Nobody is expected to translate what nodes send each other. */
    static Value statusValue() {
        return Value.of(nativeOrder(0), nativeOrder(IPS_SRC_NAT_DONE), nativeOrder(IPS_DST_NAT_DONE),
                nativeOrder(IPS_SRC_NAT_DONE | IPS_DST_NAT_DONE));
    }

    /** Returns the name of a device that the packet passes. */
    static Value deviceName() {
        return Value.not(Arrays.copyOf(new byte[] {'l', 'o'}, IFNAMSIZ));
    }

    static Value deviceIndex() {
        return Value.not(nativeOrder(LOOPBACK_INDEX));
    }

    private static byte[] nativeOrder(int number) {
        return ByteBuffer.allocate(Integer.BYTES).order(ByteOrder.nativeOrder()).putInt(number).array();
    }

    /** Returns whether an address is of the packet's IP version. */
    public static boolean isIpv6(InetAddress address) {
        return address instanceof Inet6Address;
    }
}
