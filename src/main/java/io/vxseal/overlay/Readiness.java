package io.vxseal.overlay;

import io.vxseal.encryption.Encryption;
import java.time.Duration;
import java.util.concurrent.locks.Condition;
import java.util.function.BooleanSupplier;

/** Conditions that a Join waits for: this node's address, and on an encrypted network the first keys. */
final class Readiness {
    private final Duration patience;
    private final LocalNode local;
    private final Encryption encryption;
    private final Condition changed;

    /** @param patience how long a Join waits for each of the two */
    Readiness(DriverLock lock, Duration patience, LocalNode local, Encryption encryption) {
        this.patience = patience;
        this.local = local;
        this.encryption = encryption;
        this.changed = lock.condition();
    }

    /** Wakes the Joins that wait. */
    void signal() {
        changed.signalAll();
    }

    /** Waits for this node's address: an engine that restarted this program may repeat a Join before it names the address. */
    void awaitAddress() {
        await(() -> local.addresses().isPresent());
    }

    /**
     * Waits for keys.
     *
     * @param network id of the network to join
     * @throws DriverException if there are none in time
     */
    void awaitKeys(String network) throws DriverException {
        await(() -> !encryption.ring().isEmpty());
        if (encryption.ring().isEmpty()) {
            throw DriverException.forbidden(("encryption key is not present: network %s is encrypted, and no manager has sent this node"
                    + " its keys within %d s (is the plugin enabled on a manager, and its cluster port open between the nodes?)")
                    .formatted(network, patience.toSeconds()));
        }
    }

    private void await(BooleanSupplier condition) {
        long left = patience.toNanos();
        try {
            while (!condition.getAsBoolean() && left > 0) {
                left = changed.awaitNanos(left);
            }
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
        }
    }
}
