package io.vxseal.peers;

import java.net.InetAddress;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Endpoints of one network on all nodes, by address (moby, {@code peerdb.go}).
 *
 * <p>When an address moves from one endpoint to another, both claim it for a moment. The latest claim is in force. When it is withdrawn
 * the claim before it is in force again.
 */
public final class PeerDatabase {
    private final Map<InetAddress, List<Peer>> claims = new HashMap<>();
    private final Map<InetAddress, Integer> vteps = new HashMap<>();

    /**
     * Effect of a claim or its withdrawal on the entry in force for an address.
     *
     * @param before the entry until now
     * @param after the entry from now on
     */
    public record Change(Optional<Peer> before, Optional<Peer> after) {
        /** Returns whether the same entry is in force as before. */
        public boolean isNone() {
            return before.equals(after);
        }

        /** Returns this change and a later one of the same address as one change. */
        public Change then(Change next) {
            return new Change(before, next.after);
        }
    }

    /** Adds an endpoint's claim of its address, in place of its previous claim. */
    public Change add(Peer peer) {
        List<Peer> claimants = claims.computeIfAbsent(peer.address().address(), a -> new ArrayList<>(1));
        Optional<Peer> before = inForce(claimants);
        for (Peer claim : List.copyOf(claimants)) {
            if (claim.endpoint().equals(peer.endpoint())) {
                drop(claimants, claim);
            }
        }
        claimants.add(peer);
        vteps.merge(peer.vtep(), 1, Integer::sum);
        return new Change(before, inForce(claimants));
    }

    /** Removes an endpoint's claim of an address. One that is not known changes nothing. */
    public Change remove(Peer peer) {
        InetAddress address = peer.address().address();
        List<Peer> claimants = claims.getOrDefault(address, new ArrayList<>(0));
        Optional<Peer> before = inForce(claimants);
        for (Peer claim : List.copyOf(claimants)) {
            if (claim.endpoint().equals(peer.endpoint()) && claim.vtep().equals(peer.vtep())) {
                drop(claimants, claim);
            }
        }
        if (claimants.isEmpty()) {
            claims.remove(address);
        }
        return new Change(before, inForce(claimants));
    }

    /** Returns the entry in force for an address. */
    public Optional<Peer> find(InetAddress address) {
        return inForce(claims.getOrDefault(address, List.of()));
    }

    /** Returns the entries in force. */
    public Collection<Peer> walk() {
        return claims.values().stream().map(List::getLast).toList();
    }

    /** Returns the nodes with a claim, in force or not: their packets may still arrive. */
    public Set<InetAddress> vteps() {
        return Collections.unmodifiableSet(vteps.keySet());
    }

    private void drop(List<Peer> claimants, Peer claim) {
        claimants.remove(claim);
        vteps.computeIfPresent(claim.vtep(), (vtep, n) -> n == 1 ? null : n - 1);
    }

    private static Optional<Peer> inForce(List<Peer> claimants) {
        return claimants.isEmpty() ? Optional.empty() : Optional.of(claimants.getLast());
    }
}
