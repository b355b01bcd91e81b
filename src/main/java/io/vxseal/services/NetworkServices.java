package io.vxseal.services;

import io.vxseal.kernel.balancer.BalancerChange;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.netlink.NetlinkTransaction;
import io.vxseal.kernel.netns.Namespace;
import java.net.InetAddress;
import java.nio.channels.Selector;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The services of one network, and the tables in its containers here that balance connections to them. */
final class NetworkServices implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(NetworkServices.class);

    /** Pauses between looks for a namespace: the engine makes it within moments after Join, or the container does not start. */
    private static final long FIRST_LOOK = Duration.ofMillis(5).toNanos();
    private static final long LAST_LOOK = Duration.ofSeconds(1).toNanos();

    /** Pauses between looks in relation to the time since Join. */
    private static final int LOOKS_OF_TIME = 1000;

    /** Pauses between attempts in a container in which the kernel refused a table. They grow with the time that it does. */
    private static final long FIRST_RETRY = Duration.ofMillis(100).toNanos();
    private static final long LAST_RETRY = Duration.ofSeconds(10).toNanos();
    private static final int RETRY_OF_TIME = 2;

    /** Time within which a container's runtime starts, and may give it a network stack of its own. */
    private static final long START = Duration.ofMinutes(2).toNanos();

    /** Time after which a missing namespace is a problem. */
    private static final long MISSING = Duration.ofSeconds(60).toNanos();

    private final String id;
    private final Catalogue catalogue;
    private final Inquiry inquiry;
    private final Retry retry;
    private final Map<String, Attached> containers = new LinkedHashMap<>();

    private Map<InetAddress, List<InetAddress>> wanted = Map.of();

    /** Endpoints to which connections through VIPs may go: they were a service's tasks at some time. */
    private final Set<InetAddress> served = new HashSet<>();

    private boolean dirty;

    /** The last change of a table, for containers with the same content before. */
    private record Change(
            Map<InetAddress, List<InetAddress>> before, Map<InetAddress, List<InetAddress>> after, NetlinkTransaction messages) {}

    private Optional<Change> lastChange = Optional.empty();

    private static final class Attached {
        final Container container;
        final long since;
        long lookAt;
        /** Since when the kernel refuses the table. */
        Optional<Long> refusedSince = Optional.empty();
        long retryAt;
        /** The sign that the rules do not meet the container's packets. */
        Optional<String> foreignStack = Optional.empty();

        Attached(Container container, long now) {
            this.container = container;
            this.since = now;
            this.lookAt = now;
        }

        void refused(long now) {
            refusedSince = refusedSince.or(() -> Optional.of(now));
            retryAt = now + Math.clamp((now - refusedSince.get()) / RETRY_OF_TIME, FIRST_RETRY, LAST_RETRY);
        }

        void succeeded() {
            refusedSince = Optional.empty();
            container.setProblem("");
        }

        boolean mayTry(long now) {
            return container.isOpen() && (refusedSince.isEmpty() || retryAt <= now);
        }

        boolean isWaiting() {
            return container.isInherited() || refusedSince.isPresent();
        }
    }

    NetworkServices(String id, Catalogue catalogue, Selector selector, NameQuestions names) {
        this.id = id;
        this.catalogue = catalogue;
        this.inquiry = new Inquiry(catalogue, selector, names);
        this.retry = new Retry("update the services of network " + id);
    }

    Catalogue catalogue() {
        return catalogue;
    }

    /** Returns the name of the table: a container on several networks has one for each. */
    String table() {
        return table(id);
    }

    /** Returns the name of the table for a network's services. */
    static String table(String network) {
        return "vxseal-%.7s".formatted(network);
    }

    /** Returns the VIPs that containers here have rules for. */
    Set<InetAddress> vips() {
        return wanted.keySet();
    }

    /** Returns whether a container has the rules of an earlier process, so that there may be other VIPs than those known. */
    boolean isUnconfirmed() {
        return containers.values().stream().anyMatch(attached ->
                attached.container.isOpen() && attached.container.isInherited() && attached.refusedSince.isEmpty());
    }

    /** Adds a container. Its table is made before this returns, if its namespace is there. */
    void attach(String endpoint, Container container, long now) {
        Attached before = containers.put(endpoint, new Attached(container, now));
        if (before != null) {
            before.container.close();
        }
        dirty = true;
        look(now);
        apply(now);
        inquiry.hurry();
    }

    /** Removes a container and its table. */
    void detach(String endpoint) {
        Attached attached = containers.remove(endpoint);
        if (attached == null) {
            return;
        }
        inquiry.leave(endpoint);
        try (Container container = attached.container) {
            container.remove();
        } catch (KernelException failure) {
            log.warn("could not remove the rules for services from endpoint {} of network {}: {}", endpoint, id, failure.getMessage());
        }
    }

    void add(InetAddress address, String endpoint, long now) {
        catalogue.add(address, endpoint, now);
        dirty = true;
    }

    void remove(InetAddress address, long now) {
        if (catalogue.has(address)) {
            catalogue.remove(address, now);
            boolean wasServed = served.remove(address);
            containers.values().forEach(attached -> attached.container.leave(address, wasServed));
            dirty = true;
        }
    }

    /** Makes all questions about the services due: something has changed. */
    void hurry() {
        inquiry.hurry();
    }

    /** Makes the questions about endpoints without a name due. */
    void hurryNames() {
        inquiry.hurryNames();
    }

    /**
     * Does what is due, and fails for this network alone.
     *
     * @return when there is something to do next, if nothing happens before
     */
    long work(long now) {
        boolean done = retry.attempt(() -> {
            look(now);
            dirty |= inquiry.receive(now);
            inquiry.ask(namespaces(), now);
            dirty |= catalogue.forget(now);
            apply(now);
        }, now);
        return done ? nextWork(now) : retry.due(now, now);
    }

    private long nextWork(long now) {
        long next = inquiry.nextWork(!namespaces().isEmpty(), now);
        for (Attached attached : containers.values()) {
            if (!attached.container.isOpen()) {
                next = Math.min(next, attached.lookAt);
            }
            if (attached.container.isInherited()) {
                next = Math.min(next, now + LAST_LOOK);
            } else if (attached.container.isOpen() && attached.refusedSince.isPresent()) {
                next = Math.min(next, attached.retryAt);
            }
        }
        return next;
    }

    /** Returns the open namespaces by endpoint. */
    private Map<String, Namespace> namespaces() {
        Map<String, Namespace> open = new LinkedHashMap<>();
        containers.forEach((endpoint, attached) -> {
            if (attached.container.isOpen()) {
                open.put(endpoint, attached.container.namespace());
            }
        });
        return open;
    }

    /** Opens namespaces that the engine has made since the last look. */
    private void look(long now) {
        for (var attached : containers.entrySet()) {
            Container container = attached.getValue().container;
            if (container.isOpen() || attached.getValue().lookAt > now) {
                continue;
            }
            try {
                if (container.open()) {
                    attached.getValue().succeeded();
                    dirty = true;
                    inquiry.hurry();
                    continue;
                }
                if (now - attached.getValue().since > MISSING) {
                    report(attached.getKey(), container, "no network namespace at " + container.path());
                }
            } catch (KernelException failure) {
                report(attached.getKey(), container, failure.getMessage());
            }
            attached.getValue().lookAt = now
                    + Math.clamp((now - attached.getValue().since) / LOOKS_OF_TIME, FIRST_LOOK, LAST_LOOK);
        }
    }

    private void report(String endpoint, Container container, String problem) {
        if (!container.problem().equals(problem)) {
            container.setProblem(problem);
            log.error("the addresses of services do not answer in the container of endpoint {} of network {}, retrying: {}",
                    endpoint, id, problem);
        }
    }

    /** Makes all tables follow the catalogue. */
    private void apply(long now) {
        if (!dirty && containers.values().stream().noneMatch(Attached::isWaiting)) {
            return;
        }
        dirty = false;
        Map<InetAddress, List<InetAddress>> next = catalogue.backends();
        if (!next.equals(wanted)) {
            wanted = next;
        }
        wanted.values().forEach(served::addAll);
        boolean confirmed = catalogue.isConfirmed(now);
        for (var attached : containers.entrySet()) {
            Container container = attached.getValue().container;
            if (attached.getValue().mayTry(now) && (confirmed || !container.isInherited())) {
                try {
                    container.apply(wanted, this::change);
                    if (!catalogue.isPartial()) {
                        served.addAll(container.forgetAllBut(catalogue::has));
                    }
                    attached.getValue().succeeded();
                } catch (KernelException failure) {
                    attached.getValue().refused(now);
                    report(attached.getKey(), container, failure.getMessage());
                }
            }
        }
    }

    private NetlinkTransaction change(Map<InetAddress, List<InetAddress>> before, Map<InetAddress, List<InetAddress>> after) {
        if (lastChange.isEmpty() || !lastChange.get().before.equals(before) || !lastChange.get().after.equals(after)) {
            lastChange = Optional.of(new Change(before, after, BalancerChange.change(table(), before, after)));
        }
        return lastChange.get().messages;
    }

    /** Ends the time in which endpoints of other nodes may be unknown. */
    void setComplete() {
        catalogue.setPartial(false);
        dirty = true;
        containers.values().forEach(attached -> attached.container.setUncertain());
        served.removeIf(address -> !catalogue.has(address));
    }

    /**
     * Makes tables anew that somebody removed or changed, and gives up namespaces that the engine has removed: an open one does not end. A
     * container in which that fails, as its own processes may have it, is tried again after a pause, and the others are not concerned.
     *
     * @return how many tables were made anew
     */
    int repair(long now) {
        int repaired = 0;
        for (var attached : containers.entrySet()) {
            Container container = attached.getValue().container;
            if (!container.isOpen()) {
                continue;
            }
            try {
                if (container.isGone()) {
                    inquiry.leave(attached.getKey());
                    container.close();
                } else if (container.problem().isEmpty()) {
                    repaired += container.repair() ? 1 : 0;
                    lookForForeignStack(attached.getKey(), attached.getValue(), now);
                }
            } catch (KernelException failure) {
                attached.getValue().refused(now);
                report(attached.getKey(), container, failure.getMessage());
            }
        }
        return repaired;
    }

    private void lookForForeignStack(String endpoint, Attached attached, long now) throws KernelException {
        if (now - attached.since > START && attached.foreignStack.isEmpty()) {
            return;
        }
        Optional<String> sign = ForeignStack.sign(attached.container.namespace());
        if (!sign.equals(attached.foreignStack)) {
            attached.foreignStack = sign;
            sign.ifPresent(why -> log.error(
                    "the addresses of services do not answer in the container of endpoint {} of network {}: {}", endpoint, id, why));
        }
    }

    /** Returns the endpoints in whose containers services' addresses do not answer, each with the reason. */
    Collection<String> problems() {
        List<String> problems = new ArrayList<>();
        containers.forEach((endpoint, attached) -> Optional.of(attached.container.problem()).filter(problem -> !problem.isEmpty())
                .or(() -> attached.foreignStack)
                .ifPresent(problem -> problems.add("endpoint %.12s: %s".formatted(endpoint, problem))));
        return problems;
    }

    @Override
    public void close() {
        inquiry.close();
        containers.values().forEach(attached -> attached.container.close());
        containers.clear();
    }
}
