package io.vxseal.services;

import io.vxseal.kernel.balancer.BalancerChange;
import io.vxseal.kernel.balancer.BalancerTable;
import io.vxseal.kernel.conntrack.Conntrack;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.netlink.NetlinkTransaction;
import io.vxseal.kernel.netns.Namespace;
import java.net.InetAddress;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.function.BiFunction;
import java.util.function.Predicate;

/** A container's network namespace, and the table in it that balances the connections to the services of one network. */
final class Container implements AutoCloseable {
    private static final Set<InetAddress> NONE = Set.of();

    private final Path path;
    private final String table;
    private Optional<Open> open = Optional.empty();

    /** Content of the table, as this process has made it; empty if this process has not made it yet. */
    private Optional<Map<InetAddress, List<InetAddress>>> applied = Optional.empty();

    /** Whether an earlier process may have made the table. */
    private boolean inherited;

    private OptionalInt generation = OptionalInt.empty();

    /** Why the table is not as it should be; empty if it is. */
    private String problem = "";

    private record Open(Namespace namespace, BalancerTable table, Conntrack conntrack) {}

    /**
     * @param path on which the engine mounts the namespace
     * @param inherited whether an earlier process may have made the table
     */
    Container(Path path, String table, boolean inherited) {
        this.path = path;
        this.table = table;
        this.inherited = inherited;
    }

    /**
     * Opens the namespace if it is there.
     *
     * @return whether it is open
     */
    boolean open() throws KernelException {
        if (open.isPresent()) {
            return true;
        }
        Optional<Namespace> namespace = Namespace.open(path);
        if (namespace.isEmpty()) {
            return false;
        }
        try {
            open = Optional.of(new Open(namespace.get(), BalancerTable.in(namespace.get()), Conntrack.in(namespace.get())));
            return true;
        } catch (KernelException failure) {
            namespace.get().close();
            throw failure;
        }
    }

    /** Returns whether the namespace is open. */
    boolean isOpen() {
        return open.isPresent();
    }

    Namespace namespace() {
        return open.orElseThrow().namespace;
    }

    boolean isInherited() {
        return inherited;
    }

    String problem() {
        return problem;
    }

    void setProblem(String why) {
        problem = why;
    }

    Path path() {
        return path;
    }

    /**
     * Brings the table to a content. Without a VIP there is no table.
     *
     * @param changes returns the messages from one content to another, which are the same for all containers of a network
     * @param gone addresses of endpoints that left since the last call: connections to them are reset
     */
    void apply(
            Map<InetAddress, List<InetAddress>> wanted,
            BiFunction<Map<InetAddress, List<InetAddress>>, Map<InetAddress, List<InetAddress>>, NetlinkTransaction> changes,
            Set<InetAddress> gone)
            throws KernelException {
        BalancerTable balancer = open.orElseThrow().table;
        Map<InetAddress, List<InetAddress>> before = applied.orElse(Map.of());
        if (applied.isEmpty() && wanted.isEmpty() && !inherited) {
            return;
        }
        if (applied.isEmpty()) {
            balancer.apply(BalancerChange.creation(table, wanted));
        } else if (!before.equals(wanted)) {
            try {
                balancer.apply(changes.apply(before, wanted));
            } catch (KernelException changed) {
                // Somebody changed the table.
                balancer.apply(BalancerChange.creation(table, wanted));
            }
        }
        boolean changed = applied.isEmpty() || !before.equals(wanted);
        applied = Optional.of(wanted);
        if (changed) {
            generation = balancer.generation();
        }
        forget(before, wanted, inherited ? NONE : gone);
        inherited = false;
    }

    /**
     * Forgets connections to backends that are gone, and those to a VIP that were begun before there was a rule for it or while it had no
     * backends.
     */
    private void forget(
            Map<InetAddress, List<InetAddress>> before, Map<InetAddress, List<InetAddress>> after, Set<InetAddress> gone)
            throws KernelException {
        Set<InetAddress> vips = new HashSet<>(before.keySet());
        vips.addAll(after.keySet());
        Set<InetAddress> served = new HashSet<>(after.keySet());
        served.removeIf(vip -> !before.getOrDefault(vip, List.of()).isEmpty());
        boolean lost = before.values().stream().anyMatch(backends -> backends.stream().anyMatch(gone::contains));
        if (lost || !served.isEmpty()) {
            open.orElseThrow().conntrack.delete((vip, backend) ->
                    vips.contains(vip) && gone.contains(backend)
                            || served.contains(vip) && (backend.equals(vip) || BalancerChange.isRefusing(backend)));
        }
    }

    /**
     * Makes the table anew if somebody removed or changed it.
     *
     * @return whether it was
     */
    boolean repair() throws KernelException {
        if (open.isEmpty() || applied.isEmpty()) {
            return false;
        }
        BalancerTable balancer = open.get().table;
        OptionalInt now = balancer.generation();
        if (now.isPresent() && now.equals(generation)) {
            return false;
        }
        boolean wrong = !balancer.isIntact(table, applied.get());
        if (wrong) {
            balancer.apply(BalancerChange.creation(table, applied.get()));
        }
        generation = wrong ? balancer.generation() : now;
        return wrong;
    }

    /** Forgets connections through VIPs to addresses at which no endpoint is. */
    void forgetAllBut(Predicate<InetAddress> isEndpoint) throws KernelException {
        if (open.isPresent() && applied.isPresent() && !applied.get().isEmpty()) {
            Set<InetAddress> vips = applied.get().keySet();
            open.get().conntrack.delete((vip, backend) -> vips.contains(vip) && !isEndpoint.test(backend));
        }
    }

    /** Returns whether the engine has removed the namespace. */
    boolean isGone() throws KernelException {
        Optional<Namespace> there = Namespace.open(path);
        there.ifPresent(Namespace::close);
        return there.isEmpty();
    }

    /** Makes the table anew at the next {@link #apply}. */
    void makeAnew() {
        applied = Optional.empty();
    }

    /** Removes the table, if there is one. */
    void remove() throws KernelException {
        if ((applied.isPresent() || inherited) && open()) {
            open.orElseThrow().table.remove(table);
        }
        applied = Optional.empty();
        inherited = false;
    }

    @Override
    public void close() {
        open.ifPresent(some -> {
            some.table.close();
            some.conntrack.close();
            some.namespace.close();
        });
        open = Optional.empty();
        applied = Optional.empty();
    }
}
