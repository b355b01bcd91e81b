package io.vxseal.cluster;

import io.vxseal.encryption.KeyRing;
import io.vxseal.peers.Peer;
import java.util.ArrayList;
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
 * What the rest of the plugin sees of the cluster: the state to read, from any thread, and the changes, with which the listener is
 * called one at a time on a thread of its own. Written by the cluster's thread only; the state first, so that a listener is never
 * called with what cannot be read yet.
 */
final class ClusterView implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ClusterView.class);

    private final ClusterListener listener;
    private final ExecutorService thread;
    private final ConcurrentMap<String, Set<Peer>> peers = new ConcurrentHashMap<>();
    private final PendingChanges pending = new PendingChanges();
    private volatile KeyRing ring = KeyRing.EMPTY;

    ClusterView(ClusterListener listener) {
        this.listener = listener;
        this.thread = Executors.newSingleThreadExecutor(
                Thread.ofPlatform().daemon().name("vxseal-cluster-events").factory());
    }

    Set<Peer> peers(String network) {
        return Set.copyOf(peers.getOrDefault(network, Set.of()));
    }

    void change(List<PeerChange> changes) {
        if (changes.isEmpty()) {
            return;
        }
        for (PeerChange change : changes) {
            Peer peer = change.peer();
            switch (change) {
                case PeerChange.Added _ ->
                    peers.computeIfAbsent(peer.network(), _ -> ConcurrentHashMap.newKeySet()).add(peer);
                case PeerChange.Removed _ -> peers.computeIfPresent(peer.network(), (_, all) -> {
                    all.remove(peer);
                    return all.isEmpty() ? null : all;
                });
            }
        }
        if (pending.add(changes)) {
            call(() -> listener.peersChanged(pending.take()));
        }
    }

    /** Returns whether these are other keys than before, and keeps them. */
    boolean change(KeyRing now) {
        if (now.equals(ring)) {
            return false;
        }
        ring = now;
        call(() -> listener.ring(now));
        return true;
    }

    /** @param then run when the listener has dealt with it */
    void recalled(List<Peer> own, Runnable then) {
        call(() -> {
            try {
                listener.recalled(own);
            } finally {
                then.run();
            }
        });
    }

    private void call(Runnable call) {
        try {
            thread.execute(() -> {
                try {
                    if (!thread.isShutdown()) {
                        call.run();
                    }
                } catch (Throwable e) {
                    LOG.error("a change in the cluster was not dealt with", e);
                }
            });
        } catch (RejectedExecutionException _) {
            // Closed: no listener is called any more.
        }
    }

    /** Changes that the listener has not received: those that come while it is busy are one call. */
    private static final class PendingChanges {
        private List<PeerChange> changes = new ArrayList<>();

        /** @return whether these are the first since the listener took what there was */
        synchronized boolean add(List<PeerChange> more) {
            boolean first = changes.isEmpty();
            changes.addAll(more);
            return first;
        }

        synchronized List<PeerChange> take() {
            List<PeerChange> taken = changes;
            changes = new ArrayList<>();
            return taken;
        }
    }

    /** Ends the calls of the listener, after the one that it is in. */
    @Override
    public void close() {
        thread.shutdown();
    }
}
