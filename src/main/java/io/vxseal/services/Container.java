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
    private final Path path;
    private final String table;
    private Optional<Open> open = Optional.empty();

    /** Content of the table, as this process has made it; empty if this process has not made it yet. */
    private Optional<Map<InetAddress, List<InetAddress>>> applied = Optional.empty();

    /** Whether an earlier process may have made the table. */
    private boolean inherited;

    /** Whether this or an earlier process may have made the table, and none has removed it since. */
    private boolean mayHaveTable;

    /** Addresses of endpoints that left, connections to which have not been reset yet. */
    private final Set<InetAddress> gone = new HashSet<>();

    /** VIPs that have a rule or backends since a moment ago, connections begun before that have not been forgotten yet. */
    private final Set<InetAddress> begun = new HashSet<>();

    /** Whether connections may go to addresses at which no endpoint is, without a report that one left. */
    private boolean uncertain;

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
        this.mayHaveTable = inherited;
        this.uncertain = inherited;
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
     * Takes note of an endpoint that left. The next {@link #apply} that succeeds resets the connections to it.
     *
     * @param served whether it was a service's task in this process's time. If not, there is nothing to reset, and the kernel's
     *     connections are not listed, unless they may be an earlier process's
     */
    void leave(InetAddress address, boolean served) {
        if (served || uncertain) {
            gone.add(address);
        }
    }

    /**
     * Brings the table to a content. Without a VIP there is no table. What fails is made up for by the next one that succeeds.
     *
     * @param changes returns the messages from one content to another, which are the same for all containers of a network
     */
    void apply(
            Map<InetAddress, List<InetAddress>> wanted,
            BiFunction<Map<InetAddress, List<InetAddress>>, Map<InetAddress, List<InetAddress>>, NetlinkTransaction> changes)
            throws KernelException {
        BalancerTable balancer = open.orElseThrow().table;
        if (!wanted.isEmpty() || mayHaveTable) {
            mayHaveTable = true;
            if (applied.isEmpty()) {
                make(balancer, wanted);
            } else if (!applied.get().equals(wanted)) {
                change(balancer, applied.get(), wanted, changes);
            }
            inherited = false;
        }
        forget();
    }

    private void change(
            BalancerTable balancer,
            Map<InetAddress, List<InetAddress>> before,
            Map<InetAddress, List<InetAddress>> after,
            BiFunction<Map<InetAddress, List<InetAddress>>, Map<InetAddress, List<InetAddress>>, NetlinkTransaction> changes)
            throws KernelException {
        boolean isIntact = balancer.generation().equals(generation);
        try {
            balancer.apply(changes.apply(before, after));
        } catch (KernelException changed) {
            // Somebody changed the table.
            make(balancer, after);
            return;
        }
        made(before, after);
        // What another program changed stays changed, and the next repair has to look.
        generation = isIntact ? balancer.generation() : OptionalInt.empty();
    }

    /** Makes the table anew. If that fails, its content is unknown. */
    private void make(BalancerTable balancer, Map<InetAddress, List<InetAddress>> content) throws KernelException {
        Map<InetAddress, List<InetAddress>> before = applied.orElse(Map.of());
        applied = Optional.empty();
        balancer.apply(BalancerChange.creation(table, content));
        made(before, content);
        generation = balancer.generation();
    }

    /** Takes note of the table's content, and of the VIPs that had no rule or no backends before. */
    private void made(Map<InetAddress, List<InetAddress>> before, Map<InetAddress, List<InetAddress>> after) {
        applied = Optional.of(after);
        after.forEach((vip, backends) -> {
            if (!before.containsKey(vip) || before.get(vip).isEmpty() && !backends.isEmpty()) {
                begun.add(vip);
            }
        });
    }

    /**
     * Forgets connections to endpoints that are gone, and those to a VIP that were begun before there was a rule for it or while it had
     * no backends. A task drains before it is gone, so the table need not have had it of late.
     */
    private void forget() throws KernelException {
        if (!gone.isEmpty() || !begun.isEmpty()) {
            open.orElseThrow().conntrack.delete((vip, backend) ->
                    gone.contains(backend) && !backend.equals(vip)
                            || begun.contains(vip) && (backend.equals(vip) || BalancerChange.isRefusing(backend)));
        }
        gone.clear();
        begun.clear();
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
        Map<InetAddress, List<InetAddress>> content = applied.get();
        // Unknown until it has been read.
        applied = Optional.empty();
        OptionalInt now = balancer.generation();
        boolean wrong = !(now.isPresent() && now.equals(generation)) && !balancer.isIntact(table, content);
        applied = Optional.of(content);
        if (wrong) {
            make(balancer, content);
        } else {
            generation = now;
        }
        return wrong;
    }

    /** Takes note that connections may go to addresses at which no endpoint is. */
    void setUncertain() {
        uncertain = true;
    }

    /**
     * Forgets connections through VIPs to addresses at which no endpoint is, if there may be some.
     *
     * @return the addresses to which connections stay, as far as they were listed
     */
    Set<InetAddress> forgetAllBut(Predicate<InetAddress> isEndpoint) throws KernelException {
        Set<InetAddress> staying = new HashSet<>();
        if (uncertain && applied.isPresent()) {
            Set<InetAddress> vips = applied.get().keySet();
            open.orElseThrow().conntrack.delete((vip, backend) -> {
                boolean through = vips.contains(vip) && !backend.equals(vip);
                if (through && isEndpoint.test(backend)) {
                    staying.add(backend);
                }
                return through && !isEndpoint.test(backend);
            });
        }
        uncertain = false;
        return staying;
    }

    /** Returns whether the engine has removed the namespace. */
    boolean isGone() throws KernelException {
        Optional<Namespace> there = Namespace.open(path);
        there.ifPresent(Namespace::close);
        return there.isEmpty();
    }

    /** Removes the table, if there is one. */
    void remove() throws KernelException {
        if (mayHaveTable && open()) {
            open.orElseThrow().table.remove(table);
        }
        applied = Optional.empty();
        inherited = false;
        mayHaveTable = false;
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
