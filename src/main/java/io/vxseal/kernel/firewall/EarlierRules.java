package io.vxseal.kernel.firewall;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Rules that an earlier process left in firewalls that this one does not use.
 *
 * <p>Not thread-safe; guarded by the lock of {@link FailoverFirewall}.
 */
final class EarlierRules {
    private static final Logger log = LoggerFactory.getLogger(EarlierRules.class);

    /** Firewalls that may contain such rules; one that was found empty is not asked again. */
    private final List<Firewall> firewalls;

    EarlierRules(List<Firewall> firewalls) {
        this.firewalls = new ArrayList<>(firewalls);
    }

    /** Returns the segments that have such rules. */
    Set<Segment> segments() {
        Set<Segment> found = new TreeSet<>();
        for (Firewall firewall : List.copyOf(firewalls)) {
            try {
                InstalledRules rules = firewall.installed();
                found.addAll(rules.segments());
                if (!rules.any()) {
                    firewalls.remove(firewall);
                }
            } catch (FirewallException absent) {
                log.debug("no rules of an earlier process in {}: {}", firewall, absent.getMessage());
            }
        }
        return found;
    }

    /**
     * Removes the rules. Firewalls are not looked into again after that.
     *
     * @param inUse a firewall whose rules are this process's
     */
    void remove(Predicate<Firewall> inUse) {
        for (Firewall firewall : firewalls) {
            if (inUse.test(firewall)) {
                continue;
            }
            try {
                int removed = firewall.restore(Set.of());
                if (removed > 0) {
                    log.info("removed the rules of {} segments that an earlier process left in {}", removed, firewall);
                }
            } catch (FirewallException failure) {
                log.warn("rules of an earlier process may remain in {}: {}", firewall, failure.getMessage());
            }
        }
        firewalls.clear();
    }
}
