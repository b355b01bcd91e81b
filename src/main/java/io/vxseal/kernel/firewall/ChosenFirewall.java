package io.vxseal.kernel.firewall;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.locks.ReentrantLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The firewall that makes the rules, the table that stands in for it while it cannot list its own, and those firewalls in
 * which an earlier choice may have left some.
 */
final class ChosenFirewall implements Firewall {
    private static final Logger log = LoggerFactory.getLogger(ChosenFirewall.class);

    private final Firewall chosen;
    private final NftablesFirewall nftables;

    /** All that is below. */
    private final ReentrantLock lock = new ReentrantLock();

    /** Firewalls that may have rules from before; none once they have been looked through. */
    private List<Firewall> others;

    /** What was protected here, for the table that has to know all of it at once. */
    private final Set<Segment> known = new TreeSet<>();

    /** Whether the table stands in. Read without the lock, for status. */
    private volatile boolean standIn;

    private ChosenFirewall(Firewall chosen, NftablesFirewall nftables, List<Firewall> others) {
        this.chosen = chosen;
        this.nftables = nftables;
        this.others = others;
    }

    static ChosenFirewall choose(Backend backend, Transport transport, CommandRunner tools) throws FirewallException {
        var nftables = new NftablesFirewall(tools);
        Firewall chosen = switch (backend) {
            case IPTABLES -> IptablesFirewall.detect(transport, tools);
            case NFTABLES -> nftables;
            case AUTO -> nftables.holdsTheEnginesRules() && !IptablesFirewall.holdsTheEnginesRules(tools)
                    ? nftables
                    : IptablesFirewall.detect(transport, tools);
        };
        var others = new ArrayList<Firewall>();
        if (chosen != nftables) {
            others.add(nftables);
        }
        for (Transport either : Transport.values()) {
            for (String command : IptablesFirewall.variants(either)) {
                // A plain command, taken where there were no variants to tell apart, is one of them.
                if (!(chosen instanceof IptablesFirewall own && command.startsWith(own.command()))) {
                    others.add(IptablesFirewall.using(either, tools, command));
                }
            }
        }
        log.info("firewall rules are made by {}", chosen);
        return new ChosenFirewall(chosen, nftables, List.copyOf(others));
    }

    @Override
    public void protect(Set<Segment> segments) throws FirewallException {
        lock.lock();
        try {
            try {
                chosen.protect(segments);
            } catch (UnreadableRulesException unreadable) {
                Set<Segment> all = new TreeSet<>(known);
                all.addAll(segments);
                try {
                    nftables.protect(all);
                } catch (FirewallException neither) {
                    neither.addSuppressed(unreadable);
                    throw neither;
                }
                standIn(unreadable);
            }
            known.addAll(segments);
        } finally {
            lock.unlock();
        }
    }

    @Override
    public void unprotect(Set<Segment> segments) throws FirewallException {
        lock.lock();
        try {
            known.removeAll(segments);
            if (standIn) {
                nftables.unprotect(segments);
            }
            try {
                chosen.unprotect(segments);
            } catch (UnreadableRulesException unreadable) {
                // What stands drops too much for now; restore takes it away once it can be read.
                standIn(unreadable);
            }
        } finally {
            lock.unlock();
        }
    }

    /** Once all segments have their rules here, the firewalls used before are looked through, once per process. */
    @Override
    public int restore(Set<Segment> segments) throws FirewallException {
        lock.lock();
        try {
            int touched;
            try {
                touched = chosen.restore(segments);
                if (standIn) {
                    nftables.restore(Set.of());
                    standIn = false;
                    log.info("{} lists its rules again, and makes them from now on", chosen);
                }
            } catch (UnreadableRulesException unreadable) {
                try {
                    touched = nftables.restore(segments);
                } catch (FirewallException neither) {
                    neither.addSuppressed(unreadable);
                    throw neither;
                }
                standIn(unreadable);
            }
            known.clear();
            known.addAll(segments);
            sweep();
            return touched;
        } finally {
            lock.unlock();
        }
    }

    @Override
    public Set<Segment> standing() throws FirewallException {
        lock.lock();
        try {
            Set<Segment> standing = new TreeSet<>();
            try {
                standing.addAll(chosen.standing());
            } catch (UnreadableRulesException unreadable) {
                standing.addAll(known);
                standing.addAll(nftables.standing());
            }
            for (Firewall other : others) {
                try {
                    standing.addAll(other.standing());
                } catch (FirewallException notHere) {
                    log.debug("no rules of {} from before: {}", other, notHere.getMessage());
                }
            }
            return standing;
        } finally {
            lock.unlock();
        }
    }

    private void standIn(UnreadableRulesException unreadable) {
        if (!standIn) {
            standIn = true;
            log.warn("rules are made by nftables for now: {}", unreadable.getMessage());
        }
    }

    private void sweep() {
        for (Firewall other : others) {
            if (other == nftables && standIn) {
                continue;
            }
            try {
                int left = other.restore(Set.of());
                if (left > 0) {
                    log.info("took away the rules of {} segments that {} had from before", left, other);
                }
            } catch (FirewallException failure) {
                log.warn("rules from before may be left in {}: {}", other, failure.getMessage());
            }
        }
        others = List.of();
    }

    @Override
    public String toString() {
        return standIn ? nftables + " (iptables cannot list its rules)" : chosen.toString();
    }
}
