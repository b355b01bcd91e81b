package io.vxseal.overlay;

import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The only lock of the driver.
 *
 * <p>Guards all state of this package and of {@link io.vxseal.encryption.Encryption}: networks, endpoints, peers, VNIs, this node's
 * addresses, keys, and the state files. It also puts changes to the kernel and to the firewall in order, so each step sees the result
 * of the one before.
 *
 * <p>Held over everything that a call does: netlink exchanges (under a millisecond each), firewall commands (tens of milliseconds,
 * seconds on a loaded host) and the sync of the state file. A Join that waits for an address or for keys releases it meanwhile
 * ({@link Readiness}).
 *
 * <p>Taken by these threads:
 *
 * <ul>
 *   <li>the main thread, which recovers from the previous run before anything else is served;
 *   <li>the plugin server's, one per request of the engine or of an operator;
 *   <li>the metrics server's, and the page's streams, for what they show;
 *   <li>{@code vxseal-cluster-events}, with changes of peers and keys;
 *   <li>{@code vxseal-path-check}, for the ways to check, not for the checks;
 *   <li>{@code vxseal-path-mtu}, likewise;
 *   <li>{@code vxseal-vips}, with other virtual addresses;
 *   <li>{@code vxseal-repair} and {@code vxseal-linger};
 *   <li>the timer of {@link Rekeying};
 *   <li>the shutdown hook.
 * </ul>
 *
 * <p>Reentrant. {@link io.vxseal.services.ServiceProxy}, {@link ErrorLog} and the firewall have locks of their own, which are taken
 * after this one. The cluster's methods return at once, so they may be called with it held.
 */
final class DriverLock {
    private final ReentrantLock lock = new ReentrantLock();

    /**
     * A call that returns a value.
     *
     * @param <T> type of the value
     * @param <E> what it may throw
     */
    interface Call<T, E extends Exception> {
        T call() throws E;
    }

    /**
     * A call that returns nothing.
     *
     * @param <E> what it may throw
     */
    interface Action<E extends Exception> {
        void run() throws E;
    }

    /** Makes a call with the lock held, and returns its value. */
    <T, E extends Exception> T locked(Call<T, E> call) throws E {
        lock.lock();
        try {
            return call.call();
        } finally {
            lock.unlock();
        }
    }

    /** Runs an action with the lock held. */
    <E extends Exception> void runLocked(Action<E> action) throws E {
        lock.lock();
        try {
            action.run();
        } finally {
            lock.unlock();
        }
    }

    /** Returns a condition to wait for, which releases the lock meanwhile. */
    Condition condition() {
        return lock.newCondition();
    }
}
