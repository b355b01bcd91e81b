package io.vxseal.kernel.firewall;

import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
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

    /** Firewalls that have not been listed yet. */
    private final Set<Firewall> unlisted;

    /** Firewalls that may contain such rules, with the segments found there. */
    private final Map<Firewall, Set<Segment>> found = new LinkedHashMap<>();

    private boolean asked;

    /** Firewalls of which a failure was logged. */
    private final Set<Firewall> failing = new HashSet<>();

    EarlierRules(List<Firewall> firewalls) {
        firewalls.forEach(firewall -> found.put(firewall, Set.of()));
        unlisted = new HashSet<>(firewalls);
    }

    /** Returns the rules, of those firewalls that could not be listed before as they are now. */
    InstalledRules installed() {
        asked = true;
        for (Firewall firewall : List.copyOf(unlisted)) {
            try {
                InstalledRules rules = firewall.installed();
                unlisted.remove(firewall);
                if (rules.any()) {
                    found.put(firewall, rules.segments());
                } else {
                    found.remove(firewall);
                }
            } catch (UnreadableRulesException unreadable) {
                log.debug("cannot list the rules of an earlier process in {}: {}", firewall, unreadable.getMessage());
            } catch (FirewallException absent) {
                log.debug("no rules of an earlier process in {}: {}", firewall, absent.getMessage());
                unlisted.remove(firewall);
            }
        }
        Set<Segment> segments = new TreeSet<>();
        found.values().forEach(segments::addAll);
        return new InstalledRules(segments, !segments.isEmpty(), unlisted.isEmpty());
    }

    /**
     * Removes the rules that were listed, and tries again with the next call where that fails.
     *
     * @param kept segments whose rules are restored instead, where they were found
     * @param inUse a firewall whose rules are this process's
     */
    void remove(Set<Segment> kept, Predicate<Firewall> inUse) {
        if (!asked) {
            installed();
        }
        for (Map.Entry<Firewall, Set<Segment>> entry : List.copyOf(found.entrySet())) {
            Firewall firewall = entry.getKey();
            if (inUse.test(firewall) || unlisted.contains(firewall)) {
                continue;
            }
            Set<Segment> left = new TreeSet<>(entry.getValue());
            left.retainAll(kept);
            try {
                if (!entry.getValue().isEmpty()) {
                    // A firewall that cannot list its rules any more counts as one without rules in the next step.
                    firewall.installed();
                }
                int changed = firewall.restore(left);
                if (left.isEmpty()) {
                    found.remove(firewall);
                }
                if (changed > 0) {
                    log.info("removed or restored the rules of {} segments that an earlier process left in {}", changed, firewall);
                }
                failing.remove(firewall);
            } catch (FirewallException failure) {
                if (failing.add(firewall)) {
                    log.warn("cannot remove rules of an earlier process from {}, retrying: {}", firewall, failure.getMessage());
                }
            }
        }
    }
}
