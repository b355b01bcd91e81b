package io.vxseal.cluster;

import io.vxseal.encryption.KeyRing;
import io.vxseal.peers.Peer;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;

/** Remembers what a listener was told, in order. */
final class Witness implements ClusterListener {
    final List<String> told = new CopyOnWriteArrayList<>();
    final List<KeyRing> rings = new CopyOnWriteArrayList<>();
    /** What else to do when endpoints are recalled. */
    volatile Consumer<List<Peer>> whenRecalled = _ -> { };

    @Override
    public void peersChanged(List<PeerChange> changes) {
        changes.forEach(change -> told.add((change instanceof PeerChange.Added ? "+" : "-")
                + change.peer().endpoint() + "@" + change.peer().vtep().getHostAddress()));
    }

    @Override
    public void recalled(List<Peer> own) {
        own.forEach(peer -> told.add("?" + peer.endpoint() + "@" + peer.vtep().getHostAddress()));
        whenRecalled.accept(own);
    }

    @Override
    public void ring(KeyRing ring) {
        rings.add(ring);
    }
}
