package io.vxseal.kernel.firewall;

import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.locks.ReentrantLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A firewall that makes its rules with nftables while the preferred one cannot list its own. It also removes rules that an
 * earlier process left in other firewalls.
 */
final class FailoverFirewall implements Firewall {
    private static final Logger log = LoggerFactory.getLogger(FailoverFirewall.class);

    private final Firewall preferred;
    private final NftablesFirewall nftables;

    /** Guards the fields below. Held over firewall commands. */
    private final ReentrantLock lock = new ReentrantLock();

    /** Firewalls that may contain rules of an earlier process; empty once they were swept. */
    private List<Firewall> others;

    /** Segments protected here: nftables needs all of them when it takes over. */
    private final Set<Segment> known = new TreeSet<>();

    /** Whether nftables makes the rules. Read without the lock by toString(). */
    private volatile boolean failedOver;

    FailoverFirewall(Firewall preferred, NftablesFirewall nftables, List<Firewall> others) {
        this.preferred = preferred;
        this.nftables = nftables;
        this.others = List.copyOf(others);
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

    /** Restores the rules here first. The first call then removes those that an earlier process left in other firewalls. */
    @Override
    public int restore(Set<Segment> segments) throws FirewallException {
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
            sweep();
            return touched;
        } finally {
            lock.unlock();
        }
    }

    @Override
    public Set<Segment> protectedSegments() throws FirewallException {
        lock.lock();
        try {
            Set<Segment> found = new TreeSet<>();
            try {
                found.addAll(preferred.protectedSegments());
            } catch (UnreadableRulesException unreadable) {
                found.addAll(known);
                found.addAll(nftables.protectedSegments());
            }
            for (Firewall other : others) {
                try {
                    found.addAll(other.protectedSegments());
                } catch (FirewallException absent) {
                    log.debug("no rules of an earlier process in {}: {}", other, absent.getMessage());
                }
            }
            return found;
        } finally {
            lock.unlock();
        }
    }

    private void failOver(UnreadableRulesException unreadable) {
        if (!failedOver) {
            failedOver = true;
            log.warn("using nftables for firewall rules until iptables can list its own: {}", unreadable.getMessage());
        }
    }

    private void sweep() {
        for (Firewall other : others) {
            if (other == nftables && failedOver) {
                continue;
            }
            try {
                int removed = other.restore(Set.of());
                if (removed > 0) {
                    log.info("removed the rules of {} segments that an earlier process left in {}", removed, other);
                }
            } catch (FirewallException failure) {
                log.warn("rules of an earlier process may remain in {}: {}", other, failure.getMessage());
            }
        }
        others = List.of();
    }

    @Override
    public String toString() {
        return failedOver ? nftables + " (iptables cannot list its rules)" : preferred.toString();
    }
}
