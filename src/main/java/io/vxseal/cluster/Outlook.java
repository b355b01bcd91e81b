package io.vxseal.cluster;

import io.vxseal.cluster.Cluster.Listener;
import io.vxseal.encryption.KeyRing;
import io.vxseal.peers.Peer;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What the rest of the plugin sees of the cluster: the state to read, from any thread, and the changes as the listener
 * hears them, one at a time on a thread of its own. Written by the cluster's thread only; the state first, so that a
 * listener never hears of what cannot be read yet.
 */
final class Outlook implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Outlook.class);

    private final Listener listener;
    private final ExecutorService thread;
    private final ConcurrentMap<String, Set<Peer>> peers = new ConcurrentHashMap<>();
    private volatile KeyRing ring = KeyRing.EMPTY;

    Outlook(Listener listener) {
        this.listener = listener;
        this.thread = Executors.newSingleThreadExecutor(
                Thread.ofPlatform().daemon().name("vxseal-cluster-events").factory());
    }

    KeyRing ring() {
        return ring;
    }

    Set<Peer> peers(String network) {
        return Set.copyOf(peers.getOrDefault(network, Set.of()));
    }

    void change(List<Directory.Change> changes) {
        for (Directory.Change change : changes) {
            switch (change) {
                case Directory.Added(var peer) -> {
                    peers.computeIfAbsent(peer.network(), _ -> ConcurrentHashMap.newKeySet()).add(peer);
                    tell(() -> listener.peerAdded(peer));
                }
                case Directory.Removed(var peer) -> {
                    peers.computeIfPresent(peer.network(), (_, all) -> {
                        all.remove(peer);
                        return all.isEmpty() ? null : all;
                    });
                    tell(() -> listener.peerRemoved(peer));
                }
            }
        }
    }

    /** @return whether these are other keys than before */
    boolean change(KeyRing now) {
        if (now.equals(ring)) {
            return false;
        }
        ring = now;
        tell(() -> listener.ring(now));
        return true;
    }

    /** @param then run when the listener has dealt with it */
    void recalled(List<Peer> own, Runnable then) {
        tell(() -> {
            listener.recalled(own);
            then.run();
        });
    }

    private void tell(Runnable call) {
        try {
            thread.execute(() -> {
                try {
                    if (!thread.isShutdown()) {
                        call.run();
                    }
                } catch (RuntimeException e) {
                    LOG.error("a change in the cluster was not dealt with", e);
                }
            });
        } catch (RejectedExecutionException _) {
            // Closed: no listener is called any more.
        }
    }

    /** What the listener is in the middle of, it finishes; it hears nothing more. */
    @Override
    public void close() {
        thread.shutdown();
    }
}
