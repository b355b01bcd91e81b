package io.vxseal.check.host;

import java.net.InetAddress;
import java.util.Optional;
import java.util.Set;

/**
 * This node as a running plugin knows it.
 *
 * @param address of its VXLAN datagrams; empty if it is not known
 * @param others addresses of other nodes
 * @param vnis of the networks here
 */
public record Node(Optional<InetAddress> address, Set<InetAddress> others, Set<Integer> vnis) {
    /** What is known without a running plugin. */
    public static final Node UNKNOWN = new Node(Optional.empty(), Set.of(), Set.of());

    /** Returns whether a plugin runs here that has an address. */
    boolean isKnown() {
        return address.isPresent();
    }
}
