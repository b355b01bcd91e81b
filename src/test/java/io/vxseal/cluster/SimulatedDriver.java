package io.vxseal.cluster;

import io.vxseal.peers.Peer;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/** Driver of a simulated host's process: what the cluster told it, and which of the host's endpoints it knows. */
final class SimulatedDriver {
    private final Simulation world;
    private final SimulatedHost host;
    /** By network and address. */
    private final Map<String, Map<InetAddress, Peer>> known = new TreeMap<>();
    /** Endpoints that the driver forgot, though their links are there. */
    private final Set<String> forgotten = new HashSet<>();

    SimulatedDriver(Simulation world, SimulatedHost host) {
        this.world = world;
        this.host = host;
    }

    /** Forgets the host's endpoints. */
    void forget() {
        host.containers.values().forEach(endpoints -> forgotten.addAll(endpoints.keySet()));
    }

    /** Returns whether it knows an endpoint of the host. */
    boolean remembers(Peer peer) {
        return !forgotten.contains(peer.endpoint());
    }

    /** Returns the endpoints that are there and that it does not know. */
    Set<String> forgotten() {
        Set<String> there = new HashSet<>();
        host.containers.values().forEach(endpoints -> there.addAll(endpoints.keySet()));
        there.retainAll(forgotten);
        return there;
    }

    /** Recovers the endpoints that are there, and returns them. */
    List<Peer> recover(List<Peer> recalled) {
        List<Peer> recovered = new ArrayList<>();
        for (Peer peer : recalled) {
            if (peer.equals(host.containers.getOrDefault(peer.network(), Map.of()).get(peer.endpoint()))) {
                forgotten.remove(peer.endpoint());
                recovered.add(peer);
            }
        }
        return recovered;
    }

    /** Takes changes of other nodes' endpoints. */
    void change(List<PeerChange> changes) {
        for (PeerChange change : changes) {
            Peer peer = change.peer();
            Map<InetAddress, Peer> there = known.computeIfAbsent(peer.network(), _ -> new TreeMap<>(world.byOctets()));
            if (change instanceof PeerChange.Added) {
                world.check(there.put(peer.address().address(), peer) == null, "%s was told of %s twice", host.id, peer);
            } else {
                world.check(peer.equals(there.remove(peer.address().address())), "%s was told that %s is gone, and did not know it",
                        host.id, peer);
            }
        }
    }

    /** Returns what it was told of a network. */
    Map<InetAddress, Peer> known(String network) {
        return known.getOrDefault(network, Map.of());
    }

    /** Removes a network. */
    void remove(String network) {
        known.remove(network);
    }

    /** Returns whether it knows no endpoint of another node. */
    boolean isAlone() {
        return known.values().stream().allMatch(Map::isEmpty);
    }
}
