package io.vxseal.services;

import io.vxseal.address.Cidr;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.services.Question.ServiceName;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.channels.ClosedSelectorException;
import java.nio.channels.Selector;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Virtual addresses of services (VIPs), answered in the namespaces of the containers here: each new connection goes to one of the
 * service's tasks.
 *
 * <p>A thread asks the engine's name server which tasks there are, and changes the tables in the containers. The lock is taken after the
 * driver's. It is held while tables change, which is a netlink exchange per container.
 */
public final class ServiceProxy implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(ServiceProxy.class);

    /** Pauses in which a wait looks whether a question has become too old to be worth waiting for. */
    private static final long WAIT_STEP_MILLIS = 50;

    private final Path namespaces;
    private final Listener listener;
    private final Selector selector;

    /** Guards everything below, and the networks. Fair, so that calls get it while answers come without end. */
    private final ReentrantLock lock = new ReentrantLock(true);

    private final Map<String, NetworkServices> networks = new TreeMap<>();
    private final KnownServices known;
    private final VipChanges changes = new VipChanges();
    private final Condition vipsChanged = lock.newCondition();
    private final NameQuestions names = new NameQuestions();
    private final Condition answered = lock.newCondition();

    /** Reports to the listener that failed, by network. For the thread that reports. */
    private final Map<String, Retry> reports = new TreeMap<>();

    private boolean partial;
    private volatile boolean closed;

    /** Listener of changes, called without the lock and on a thread that nothing else waits for. */
    public interface Listener {
        /**
         * Takes the other VIPs that a network has.
         *
         * @param vips all of them
         */
        void vipsChanged(String network, Set<InetAddress> vips);
    }

    /**
     * A service for status.
     *
     * @param network the network's id
     * @param name as in the swarm
     * @param addresses its VIPs
     * @param tasks that take new connections
     * @param draining tasks that took new connections, do not any more, and still run
     */
    public record Service(
            String network, String name, List<InetAddress> addresses, List<InetAddress> tasks, List<InetAddress> draining) {}

    /**
     * @param namespaces folder in which the engine mounts the containers' namespaces
     * @param state file that survives the process but no reboot
     */
    public ServiceProxy(Path namespaces, Path state, Listener listener) throws IOException {
        this.namespaces = namespaces;
        this.listener = listener;
        this.known = new KnownServices(state);
        this.selector = Selector.open();
    }

    /** Returns the name of the table for a network's services in each of its containers. */
    public static String table(String network) {
        return NetworkServices.table(network);
    }

    /** Starts to ask. What an earlier process knew of networks that are not up by now is forgotten. */
    public void start() {
        // It waits in the kernel, where a virtual thread would block its carrier.
        Thread.ofPlatform().daemon().name("vxseal-services").start(this::run);
        // The driver's lock may be held for seconds. A task that drains gets new connections no longer for that.
        Thread.ofVirtual().name("vxseal-vips").start(this::reportVips);
    }

    private void run() {
        Retry retry = new Retry("update services");
        while (!closed) {
            if (!retry.attempt(this::workAndWait, System.nanoTime())) {
                pause();
            }
        }
    }

    private void workAndWait() throws IOException {
        try {
            selector.select(step());
            selector.selectedKeys().clear();
        } catch (ClosedSelectorException failure) {
            if (!closed) {
                throw failure;
            }
        }
    }

    private static void pause() {
        try {
            Thread.sleep(Duration.ofNanos(Retry.PAUSE));
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
        }
    }

    /** Does what is due, and returns the milliseconds until something is due again. */
    private long step() {
        long next;
        long now;
        lock.lock();
        try {
            if (closed) {
                return 1;
            }
            now = System.nanoTime();
            next = names.isAnyLeaving(now) ? names.end() : Long.MAX_VALUE;
            for (var network : networks.entrySet()) {
                next = Math.min(next, network.getValue().work(now));
                if (!network.getValue().isUnconfirmed()) {
                    changes.observe(network.getKey(), network.getValue().vips());
                }
            }
            if (!changes.isEmpty()) {
                vipsChanged.signal();
            }
            Map<String, List<ServiceName>> services = new TreeMap<>();
            networks.forEach((id, network) -> services.put(id, network.catalogue().names()));
            known.update(services);
            answered.signalAll();
        } finally {
            lock.unlock();
        }
        return next == Long.MAX_VALUE ? 0 : Math.max(1, Duration.ofNanos(next - now).toMillis());
    }

    private void reportVips() {
        while (!closed) {
            boolean done = true;
            for (var changed : awaitChanges().entrySet()) {
                done &= report(changed.getKey(), changed.getValue());
            }
            if (!done) {
                pause();
            }
        }
    }

    private Map<String, Set<InetAddress>> awaitChanges() {
        lock.lock();
        try {
            while (!closed && changes.isEmpty()) {
                vipsChanged.awaitUninterruptibly();
            }
            reports.keySet().retainAll(networks.keySet());
            return closed ? Map.of() : changes.take();
        } finally {
            lock.unlock();
        }
    }

    /**
     * Reports a network's VIPs to the listener, again later if that fails.
     *
     * @return whether it did not fail
     */
    private boolean report(String network, Set<InetAddress> vips) {
        Retry retry = reports.computeIfAbsent(network, id -> new Retry("report the addresses of the services of network " + id));
        if (!retry.attempt(() -> listener.vipsChanged(network, vips), System.nanoTime())) {
            locked(() -> changes.repeat(network));
            return false;
        }
        if (!retry.isFailing()) {
            reports.remove(network);
        }
        return true;
    }

    /**
     * Adds a network that has come up.
     *
     * @param pools its subnets
     * @param gateways the addresses of its bridges
     * @param endpoints ids by address, on all nodes
     */
    public void up(String network, List<Cidr> pools, Collection<InetAddress> gateways, Map<InetAddress, String> endpoints) {
        locked(() -> {
            long now = System.nanoTime();
            Catalogue catalogue = new Catalogue(pools, gateways, partial ? known.of(network) : List.of(), now);
            catalogue.setPartial(partial);
            NetworkServices added = new NetworkServices(network, catalogue, selector, names);
            endpoints.forEach((address, endpoint) -> added.add(address, endpoint, now));
            NetworkServices before = networks.put(network, added);
            if (before != null) {
                before.close();
            }
        });
    }

    /** Removes a network that goes down. */
    public void down(String network) {
        locked(() -> {
            NetworkServices removed = networks.remove(network);
            changes.remove(network);
            if (removed != null) {
                removed.close();
            }
        });
    }

    /**
     * Changes the endpoints of a network.
     *
     * @param removed addresses
     * @param added ids by address
     */
    public void change(String network, Collection<InetAddress> removed, Map<InetAddress, String> added) {
        locked(() -> Optional.ofNullable(networks.get(network)).ifPresent(services -> {
            long now = System.nanoTime();
            removed.forEach(address -> services.remove(address, now));
            added.forEach((address, endpoint) -> services.add(address, endpoint, now));
            services.hurry();
        }));
        selector.wakeup();
    }

    /** Asks at once which services the endpoints are of that are known of none: a container looks for an address that nothing has. */
    public void hurryNames() {
        locked(() -> networks.values().forEach(NetworkServices::hurryNames));
        selector.wakeup();
    }

    /**
     * Adds a container. Its rules are there before this returns, if its namespace is; otherwise as soon as it is.
     *
     * @param sandbox name of the file on which the engine mounts the namespace
     * @param inherited whether an earlier process may have made rules in it
     */
    public void attach(String network, String endpoint, String sandbox, boolean inherited) {
        locked(() -> Optional.ofNullable(networks.get(network)).ifPresent(services -> services.attach(
                endpoint, new Container(namespaces.resolve(sandbox), services.table(), inherited), System.nanoTime())));
        selector.wakeup();
    }

    /** Has the engine asked for no endpoint's name until this one has left ({@link NameQuestions}). */
    public void leaving(String endpoint) {
        locked(() -> names.leave(endpoint, System.nanoTime()));
    }

    /**
     * Waits until the engine has answered the questions about names at which it may be at work, as far as it does within a second. It goes on to
     * leave when the driver's call returns, so the time for that begins anew. Called without the driver's lock, and takes no other.
     */
    public void awaitNames(String endpoint) {
        lock.lock();
        try {
            while (!closed && names.isAnyUnderWay(System.nanoTime())) {
                answered.await(WAIT_STEP_MILLIS, TimeUnit.MILLISECONDS);
            }
            names.leave(endpoint, System.nanoTime());
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
        } finally {
            lock.unlock();
        }
    }

    /** Takes note that an endpoint's container has left: the engine deletes the endpoint, or has it join again. */
    public void left(String endpoint) {
        locked(() -> names.left(endpoint));
        selector.wakeup();
    }

    /** Removes a container and the rules in it. */
    public void detach(String network, String endpoint) {
        locked(() -> Optional.ofNullable(networks.get(network)).ifPresent(services -> services.detach(endpoint)));
    }

    /** Sets whether endpoints of other nodes may still be unknown, as after a start. */
    public void setPartial(boolean now) {
        locked(() -> {
            partial = now;
            networks.values().forEach(services -> {
                if (now) {
                    services.catalogue().setPartial(true);
                } else {
                    services.setComplete();
                }
            });
        });
        selector.wakeup();
    }

    /**
     * Makes the tables of a network's containers anew that somebody removed or changed.
     *
     * @return how many
     */
    public int repair(String network) throws KernelException {
        lock.lock();
        try {
            NetworkServices services = networks.get(network);
            return services == null ? 0 : services.repair(System.nanoTime());
        } finally {
            lock.unlock();
        }
    }

    /** Returns the services of all networks. */
    public List<Service> services() {
        List<Service> all = new ArrayList<>();
        locked(() -> networks.forEach((id, network) -> network.catalogue().entries().forEach(entry ->
                all.add(new Service(id, entry.name(), entry.addresses(), entry.tasks(), entry.draining())))));
        return all;
    }

    /** Returns the endpoints in whose containers services' addresses do not answer, each with the reason. */
    public List<String> problems() {
        List<String> all = new ArrayList<>();
        locked(() -> networks.values().forEach(network -> all.addAll(network.problems())));
        return all;
    }

    private void locked(Runnable action) {
        lock.lock();
        try {
            action.run();
        } finally {
            lock.unlock();
        }
    }

    /** Stops asking. The rules stay, so containers do not notice. */
    @Override
    public void close() {
        locked(() -> {
            closed = true;
            vipsChanged.signal();
            networks.values().forEach(NetworkServices::close);
            networks.clear();
        });
        try {
            selector.close();
        } catch (IOException failure) {
            log.debug("could not close the selector", failure);
        }
    }
}
