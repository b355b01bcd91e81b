package io.vxseal.kernel.xfrm;

import io.vxseal.address.Cidr;

/**
 * An outgoing XFRM policy ({@code linux/xfrm.h}, xfrm_userpolicy_info) for marked UDP datagrams to the VXLAN port.
 *
 * @param id what the policy selects
 * @param action what is done to a packet selected
 */
public record SecurityPolicy(Id id, Action action) implements OutgoingPolicy {

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

    /** What a policy does. */
    public sealed interface Action {
        /**
         * Seal with ESP in transport mode by the state with this SPI; priority {@value #PRIORITY}. The template's ends are
         * the selector's addresses.
         *
         * @param spi of the forward state
         */
        record Seal(int spi) implements Action {
            /** The built-in driver's, and the first that there can be. */
            public static final int PRIORITY = 0;
        }

        /** Drop. Priority {@value #PRIORITY}, so that any policy that seals goes first. */
        record Block() implements Action {
            /** Lower goes first in the kernel. */
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
