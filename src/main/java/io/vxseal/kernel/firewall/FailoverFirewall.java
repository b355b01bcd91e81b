package io.vxseal.kernel.firewall;

import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.locks.ReentrantLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A firewall that makes its rules with nftables while the preferred one cannot list its own. */
final class FailoverFirewall implements Firewall {
    private static final Logger log = LoggerFactory.getLogger(FailoverFirewall.class);

    private final Firewall preferred;
    private final NftablesFirewall nftables;

    /** Guards the fields below. Held over firewall commands. */
    private final ReentrantLock lock = new ReentrantLock();

    private final EarlierRules earlier;

    /** Segments protected here: nftables needs all of them when it takes over. */
    private final Set<Segment> known = new TreeSet<>();

    /** Whether nftables makes the rules. Read without the lock by toString(). */
    private volatile boolean failedOver;

    FailoverFirewall(Firewall preferred, NftablesFirewall nftables, EarlierRules earlier) {
        this.preferred = preferred;
        this.nftables = nftables;
        this.earlier = earlier;
    }

    @Override
    public void protect(Set<Segment> segments) throws FirewallException {
        lock.lock();
        try {
            try {
                preferred.protect(segments);
            } catch (UnreadableRulesException unreadable) {
                Set<Segment> all = new TreeSet<>(known);
                all.addAll(segments);
                try {
                    nftables.protect(all);
                } catch (FirewallException neither) {
                    neither.addSuppressed(unreadable);
                    throw neither;
                }
                failOver(unreadable);
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
            if (failedOver) {
                nftables.unprotect(segments);
            }
            try {
                preferred.unprotect(segments);
            } catch (UnreadableRulesException unreadable) {
                // Its rules drop too much for now; restore() removes them once they can be read.
                failOver(unreadable);
            }
        } finally {
            lock.unlock();
        }
    }

    @Override
    public int restore(Set<Segment> segments) throws FirewallException {
        return restore(segments, Set.of());
    }

    /** Restores the rules here first, and then removes those that an earlier process left in other firewalls. */
    @Override
    public int restore(Set<Segment> segments, Set<Segment> outOfReach) throws FirewallException {
        lock.lock();
        try {
            int touched;
            try {
                touched = preferred.restore(segments);
                if (failedOver) {
                    nftables.restore(Set.of());
                    failedOver = false;
                    log.info("{} lists its rules again, using it for firewall rules", preferred);
                }
            } catch (UnreadableRulesException unreadable) {
                try {
                    touched = nftables.restore(segments);
                } catch (FirewallException neither) {
                    neither.addSuppressed(unreadable);
                    throw neither;
                }
                failOver(unreadable);
            }
            known.clear();
            known.addAll(segments);
            earlier.remove(outOfReach, firewall -> failedOver && firewall == nftables);
            return touched;
        } finally {
            lock.unlock();
        }
    }

    @Override
    public InstalledRules installed() throws FirewallException {
        lock.lock();
        try {
            InstalledRules elsewhere = earlier.installed();
            Set<Segment> found = new TreeSet<>(elsewhere.segments());
            boolean any = true;
            boolean complete = elsewhere.complete();
            try {
                InstalledRules rules = preferred.installed();
                found.addAll(rules.segments());
                any = rules.any();
            } catch (UnreadableRulesException unreadable) {
                found.addAll(known);
                found.addAll(nftables.installed().segments());
                complete = false;
            }
            return new InstalledRules(found, any || !found.isEmpty(), complete);
        } finally {
            lock.unlock();
        }
    }

    @Override
    public boolean mayHaveSurplus() {
        return failedOver;
    }

    @Override
    public Drops drops() {
        return preferred == nftables ? nftables.drops() : preferred.drops().plus(nftables.drops());
    }

    private void failOver(UnreadableRulesException unreadable) {
        if (!failedOver) {
            failedOver = true;
            log.warn("using nftables for firewall rules until iptables can list its own: {}", unreadable.getMessage());
        }
    }

    @Override
    public String toString() {
        return failedOver ? nftables + " (iptables cannot list its rules)" : preferred.toString();
    }
}
