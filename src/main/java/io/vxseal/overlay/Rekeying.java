package io.vxseal.overlay;

import io.vxseal.cluster.Cluster;
import io.vxseal.encryption.Encryption;
import io.vxseal.encryption.Handover;
import io.vxseal.encryption.Key;
import io.vxseal.encryption.KeyRing;
import io.vxseal.kernel.libc.KernelException;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/** Changes of the key ring, from the cluster or from the engine, in one step or in several ({@link Handover}). */
final class Rekeying {
    private final DriverLock lock;
    private final Encryption encryption;
    private final DataPath dataPath;
    private final Readiness readiness;
    private final Cluster cluster;
    private final RepairLog repairs;
    private final KeysInForce kept;
    private final Handover handover = new Handover();

    /** The ring in force, or the one that a handover leads to. */
    private KeyRing ring = KeyRing.EMPTY;

    private boolean closed;

    Rekeying(
            DriverLock lock,
            Encryption encryption,
            DataPath dataPath,
            Readiness readiness,
            Cluster cluster,
            RepairLog repairs,
            KeysInForce kept) {
        this.lock = lock;
        this.encryption = encryption;
        this.dataPath = dataPath;
        this.readiness = readiness;
        this.cluster = cluster;
        this.repairs = repairs;
        this.kept = kept;
    }

    /** Changes to another ring. Joins that wait for keys are woken even if the kernel refuses some of its states. */
    void change(KeyRing now) throws KernelException {
        if (closed) {
            return;
        }
        ring = now;
        try {
            // With no node to exchange packets with, for example after a long partition, there is nothing to hand over.
            KeyRing before = dataPath.sealedNodes().isEmpty() ? KeyRing.EMPTY : inForce();
            apply(handover.start(before, now, System.nanoTime()));
            // A repair would take the next step as well, but seconds late, and until then packets of a node that was cut off are lost.
            handover.dueIn(System.nanoTime()).ifPresent(due ->
                    CompletableFuture.delayedExecutor(due.toNanos(), TimeUnit.NANOSECONDS).execute(() -> lock.runLocked(this::advance)));
        } finally {
            readiness.signal();
        }
    }

    /** Returns the ring in force; before this process's first change the one that the process before it left in the kernel. */
    private KeyRing inForce() {
        return encryption.ring().isEmpty() ? kept.read() : encryption.ring();
    }

    private void apply(KeyRing step) throws KernelException {
        kept.write(step);
        encryption.ring(step);
    }

    /** Takes the next step of a handover if it is due. */
    void advance() {
        if (closed) {
            return;
        }
        Optional<KeyRing> next = handover.advance(System.nanoTime());
        if (next.isPresent()) {
            repairs.tryOnce("change all nodes to the next keys", () -> apply(next.get()));
        }
    }

    /**
     * Changes to keys that the engine delivers (moby, {@code setKeys}).
     *
     * @param keys the primary first
     */
    void setKeys(List<Key> keys) throws DriverException {
        deliver(new KeyRing(keys));
    }

    /**
     * Applies an update of the ring that the engine delivers (moby, {@code updateKeys}).
     *
     * @param added new key
     * @param primary tag of the key to send with from now on
     * @param prune tag of the key to remove
     */
    void updateKeys(Optional<Key> added, OptionalInt primary, OptionalInt prune) throws DriverException {
        KeyRing updated;
        try {
            updated = ring.update(added, primary, prune);
        } catch (IllegalArgumentException refused) {
            throw DriverException.invalid("key update", "tags only", refused.getMessage());
        }
        deliver(updated);
    }

    private void deliver(KeyRing now) throws DriverException {
        try {
            change(now);
        } catch (KernelException failure) {
            throw DriverException.system("could not program the new keys for all nodes", failure);
        }
        cluster.offer(now);
    }

    /** Changes nothing more, whatever is still under way. */
    void close() {
        closed = true;
    }
}
