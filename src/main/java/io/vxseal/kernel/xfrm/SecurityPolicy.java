package io.vxseal.kernel.xfrm;

import io.vxseal.address.Cidr;

/**
 * An outgoing XFRM policy ({@code linux/xfrm.h}, xfrm_userpolicy_info) for marked UDP datagrams to the VXLAN port.
 *
 * @param id the packets that the policy selects
 * @param action what happens to a selected packet
 */
public record SecurityPolicy(Id id, Action action) implements ListedPolicy {
    /** Reqid of all states and of all policies that seal, in the built-in driver and here. */
    public static final int REQID = 0xD0C4E3;

    /**
     * Firewall mark that selects packets for IPsec. The built-in driver's is 0xD0C4E3 ({@code mark} in moby). Ours has the same
     * low 24 bits and a high byte of its own ('v'), so that neither driver's policies select the other's packets.
     */
    public static final int MARK = 0x76D0C4E3;

    /**
     * Label of this plugin's states and policies in the selector's {@code user} field: "vxse" in ASCII. Any value but 0 would
     * do, which is what all others leave there.
     */
    public static final int LABEL = 0x76787365;

    /**
     * The selector: prefixes, UDP destination port and firewall mark (mask 0xffffffff).
     *
     * @param source prefix of the sender
     * @param destination prefix of the receiver, of the same family
     * @param port UDP destination port, 1 to 65535
     * @param mark firewall mark
     */
    public record Id(Cidr source, Cidr destination, int port, int mark) {
        @Override
        public String toString() {
            return "policy out %s -> %s udp port %d mark 0x%x".formatted(source, destination, port, mark);
        }
    }

    /** Action on a packet that the policy selects. */
    public sealed interface Action {
        /**
         * Sealing with ESP in transport mode by the state with this SPI. The template's addresses are the selector's.
         *
         * @param spi SPI of the state to this destination
         */
        record Seal(int spi) implements Action {
            /** The built-in driver's priority, and the highest. */
            public static final int PRIORITY = 0;
        }

        /** Drop of the packet, unless a policy that seals selects it, too. */
        record Block() implements Action {
            /** The kernel applies the policy with the lowest number. */
            public static final int PRIORITY = 1000;
        }
    }

    @Override
    public String toString() {
        return switch (action) {
            case Action.Seal seal -> "%s seal spi 0x%08x".formatted(id, seal.spi());
            case Action.Block block -> id + " block";
        };
    }
}
