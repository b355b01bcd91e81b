package io.vxseal.kernel.firewall;

import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/**
 * A firewall by the distribution's iptables or ip6tables, in either variant. Its rules are in chains of their own, to which a
 * jump for each port leads from the top of INPUT and OUTPUT. A chain returns what is sealed and drops the segments' other
 * datagrams, by one rule for each segment.
 *
 * <p>In mangle's OUTPUT the rules accept sealed datagrams before rules of others, which may set a mark and so have the kernel
 * choose another route.
 *
 * <p>Over IPv6, fragments reach INPUT one by one. A first fragment without a complete UDP header cannot be classified; a chain
 * drops it, whatever its port, as the kernel itself does since 5.11.
 *
 * <p>Rules are read with iptables-save, which does not create a missing table. A table is changed in one commit that
 * replaces our chains.
 */
final class IptablesFirewall implements Firewall {
    /** Attempts at a change: between reading and writing, another program may delete a rule that is to be replaced. */
    private static final int ATTEMPTS = 3;

    private final IptablesCommand command;
    private final IptablesDiagnosis diagnosis;
    private final DropMeter meter = new DropMeter();

    /** Guards the host's rules from reading them to the change that follows from it. Held over firewall commands. */
    private final ReentrantLock lock = new ReentrantLock();

    IptablesFirewall(IptablesCommand command) {
        this.command = command;
        this.diagnosis = new IptablesDiagnosis(command);
    }

    IptablesCommand command() {
        return command;
    }

    @Override
    public void protect(Set<Segment> segments) throws FirewallException {
        lock.lock();
        try {
            Map<String, IptablesTable> before = read();
            Set<Segment> old = segments(before);
            Set<Segment> wanted = new TreeSet<>(old);
            wanted.addAll(segments);
            try {
                change("protect " + Segment.summary(segments), before, wanted);
            } catch (FirewallException refused) {
                rollBack(old, refused);
                throw refused;
            }
        } finally {
            lock.unlock();
        }
    }

    /** Removes rules that were committed to one table before the other was refused. */
    private void rollBack(Set<Segment> old, FirewallException refused) {
        try {
            change("restore the rules of before", read(), old);
        } catch (FirewallException e) {
            refused.addSuppressed(e);
        }
    }

    @Override
    public void unprotect(Set<Segment> segments) throws FirewallException {
        lock.lock();
        try {
            Map<String, IptablesTable> before = read();
            Set<Segment> old = segments(before);
            Set<Segment> wanted = new TreeSet<>(old);
            wanted.removeAll(segments);
            if (!wanted.equals(old)) {
                change("unprotect " + Segment.summary(segments), before, wanted);
            }
        } finally {
            lock.unlock();
        }
    }

    @Override
    public int restore(Set<Segment> segments) throws FirewallException {
        lock.lock();
        try {
            CommandRunner.Outcome saved = command.saveWithCounters();
            if (segments.isEmpty() && !saved.done() && !saved.denied()) {
                // Without the command or the kernel's tables there are no rules either.
                return 0;
            }
            Map<String, IptablesTable> before = read(saved);
            if (script(before, segments).isEmpty()) {
                return 0;
            }
            Set<Segment> wrong = new TreeSet<>(segments(before));
            wrong.removeAll(segments);
            segments.stream().filter(Predicate.not(segment -> isProtected(segment, before))).forEach(wrong::add);
            change("restore the rules of " + Segment.summary(wrong), before, segments);
            return Math.max(1, wrong.size());
        } finally {
            lock.unlock();
        }
    }

    @Override
    public InstalledRules installed() throws FirewallException {
        Map<String, IptablesTable> tables = read();
        return new InstalledRules(segments(tables), !script(tables, Set.of()).isEmpty(), true);
    }

    @Override
    public Drops drops() {
        return meter.total();
    }

    private static Set<Segment> segments(Map<String, IptablesTable> tables) {
        return tables.values().stream()
                .flatMap(IptablesTable::segments)
                .collect(Collectors.toCollection(TreeSet::new));
    }

    private boolean isProtected(Segment segment, Map<String, IptablesTable> tables) {
        return IptablesRules.TABLES.stream()
                .allMatch(table -> table(tables, table).includes(wanted(table, Set.of(segment))));
    }

    /** Returns the table of this name, one of those that {@link #read()} always returns. */
    private static IptablesTable table(Map<String, IptablesTable> tables, String name) {
        return Objects.requireNonNull(tables.get(name), name);
    }

    private IptablesRules wanted(String table, Set<Segment> segments) {
        return IptablesRules.of(command.transport(), table, segments);
    }

    /** Makes the rules be those of exactly these segments. */
    private void change(String what, Map<String, IptablesTable> before, Set<Segment> segments) throws FirewallException {
        Map<String, IptablesTable> found = before;
        for (int attempt = 1; ; attempt++) {
            String script = script(found, segments);
            if (script.isEmpty()) {
                return;
            }
            CommandRunner.Outcome outcome = command.restore(script);
            if (outcome.done()) {
                return;
            }
            // Another program can only have interfered if there was a rule to delete.
            if (attempt == ATTEMPTS || found.values().stream().noneMatch(IptablesTable::hasJumps)) {
                throw outcome.failed(what, diagnosis.remedy(outcome));
            }
            found = read();
        }
    }

    /** Returns the script that leads from the rules found to those of the segments; empty if they are equal. */
    private String script(Map<String, IptablesTable> found, Set<Segment> segments) {
        var script = new StringBuilder();
        for (String table : IptablesRules.TABLES) {
            IptablesRules wanted = wanted(table, segments);
            IptablesTable standing = table(found, table);
            if (!standing.isExactly(wanted)) {
                script.append('*').append(table).append('\n')
                        .append(standing.replacement(wanted))
                        .append("COMMIT\n");
            }
        }
        return script.toString();
    }

    private Map<String, IptablesTable> read() throws FirewallException {
        return read(command.saveWithCounters());
    }

    private Map<String, IptablesTable> read(CommandRunner.Outcome saved) throws FirewallException {
        if (saved.notFound() || saved.denied()) {
            throw saved.failed("read the rules", diagnosis.remedy(saved));
        }
        Optional<String> hidden = IptablesRules.TABLES.stream()
                .filter(table -> saved.hasOutput("`" + table + "' is incompatible"))
                .findFirst();
        if (hidden.isPresent()) {
            throw new UnreadableRulesException(("%s cannot list table %s: another program made rules there with nft;"
                    + " remove them, or set VXSEAL_FIREWALL=nftables").formatted(command.name(), hidden.get()));
        }
        if (!saved.done()) {
            throw new UnreadableRulesException(saved.failure(
                    "read the rules", "see what " + command.name() + "-save says, or set VXSEAL_FIREWALL=nftables"));
        }
        Map<String, IptablesTable> tables = IptablesTable.parse(command.transport(), saved.output());
        meter.read(table(tables, IptablesRules.FILTER).drops());
        return tables;
    }

    @Override
    public String toString() {
        return command.name();
    }
}
