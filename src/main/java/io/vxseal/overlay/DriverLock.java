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
 * <p>Taken by the server's threads (one per request of the engine), the cluster's event thread, the two threads of the
 * housekeeper, the timer of {@link Rekeying}, and the shutdown hook. Reentrant. {@link ErrorLog} and the firewall have locks of their
 * own, which are taken after this one. The cluster's methods return at once, so they may be called with it held.
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
