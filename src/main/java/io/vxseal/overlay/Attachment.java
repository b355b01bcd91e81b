package io.vxseal.overlay;

import io.vxseal.kernel.libc.KernelException;
import io.vxseal.peers.PeerDatabase;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/** A network on this node: its definition, its endpoints and, while a container here is on it, its namespace in the kernel. */
final class Attachment {
    final Network network;

    /** Endpoints on this node, by id. */
    final Map<String, Endpoint> endpoints = new HashMap<>();

    /** Endpoints on any node. */
    final PeerDatabase peers = new PeerDatabase();

    Optional<NetworkNamespace> namespace = Optional.empty();

    /** Whether a removal of the namespace failed half-way. */
    boolean incomplete;

    Attachment(Network network) {
        this.network = network;
    }

    /** Returns the network's id. */
    String id() {
        return network.id();
    }

    /** Returns whether the network has a namespace here. */
    boolean isUp() {
        return namespace.isPresent();
    }

    /** Returns whether the network is encrypted and may have a VXLAN device here. */
    boolean needsProtection() {
        return isUp() && network.encrypted();
    }

    /** Returns whether an endpoint that is known to this process has joined. */
    boolean hasJoined() {
        return endpoints.values().stream().anyMatch(Endpoint::joined);
    }

    /**
     * Returns whether a container here is on the network. A container that is unknown to this process counts as well: after the loss
     * of a state file its link is still there.
     */
    boolean isInUse() throws KernelException {
        return hasJoined() || isUp() && namespace.get().hasUnknownEndpoints(endpoints.values());
    }
}
