package io.vxseal.overlay;

import io.vxseal.address.IpAddress;
import io.vxseal.address.NodeAddresses;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.route.Link;
import io.vxseal.peers.Peer;
import java.net.InetAddress;
import java.util.Optional;
import java.util.OptionalInt;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** This node's addresses, and which peers it reaches over VXLAN. */
final class LocalNode {
    private static final Logger log = LoggerFactory.getLogger(LocalNode.class);

    private final Host host;
    private Optional<NodeAddresses> addresses = Optional.empty();

    LocalNode(Host host) {
        this.host = host;
    }

    /**
     * Sets this node's addresses. VXLAN datagrams leave from the advertised address if the host has it, as with
     * {@code --data-path-addr}. Behind NAT they leave from the address that the engine is bound to.
     *
     * @param named addresses as the engine names them
     * @return the addresses for VXLAN
     */
    NodeAddresses set(NodeAddresses named) {
        NodeAddresses now = new NodeAddresses(named.advertise(), isHosts(named.advertise()) ? named.advertise() : named.bind());
        addresses = Optional.of(now);
        return now;
    }

    /**
     * Takes the advertised address if the host has it now and had not when the engine named it: a link may come up later than the engine.
     *
     * @return the new addresses; empty if they are as before
     */
    Optional<NodeAddresses> refresh() {
        Optional<NodeAddresses> before = addresses.filter(known -> !known.bind().equals(known.advertise()));
        if (before.isEmpty() || set(before.get()).equals(before.get())) {
            return Optional.empty();
        }
        log.info("the advertised address {} is this host's now: VXLAN datagrams leave from it",
                before.get().advertise().getHostAddress());
        return addresses;
    }

    private boolean isHosts(InetAddress address) {
        try {
            return host.route().links().hasAddress(address);
        } catch (KernelException failure) {
            log.warn("cannot determine whether {} is an address of this host, using the address that the engine is bound to: {}",
                    address.getHostAddress(), failure.getMessage());
            return false;
        }
    }

    /** Returns the addresses for VXLAN; empty until the engine has named them. */
    Optional<NodeAddresses> addresses() {
        return addresses;
    }

    /** Returns the MTU of the link underneath; empty if it is not known, or not yet. */
    OptionalInt underlayMtu() {
        if (addresses.isEmpty()) {
            return OptionalInt.empty();
        }
        InetAddress bind = addresses.get().bind();
        try {
            return host.route().links().withAddress(bind).stream().mapToInt(Link::mtu).findFirst();
        } catch (KernelException failure) {
            log.warn("cannot determine the MTU of the link with {}: {}", bind.getHostAddress(), failure.getMessage());
            return OptionalInt.empty();
        }
    }

    /** Returns whether a peer is on another node whose address is of this node's IP version. */
    boolean reaches(Peer peer) {
        return addresses.isEmpty() || !peer.vtep().equals(addresses.get().advertise()) && isOfSameVersion(peer.vtep());
    }

    /** Returns whether an address is of this node's IP version. */
    boolean isOfSameVersion(InetAddress address) {
        return addresses.isEmpty() || IpAddress.haveSameVersion(address, addresses.get().bind());
    }
}
