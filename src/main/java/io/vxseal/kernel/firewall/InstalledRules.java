package io.vxseal.kernel.firewall;

import java.util.Collections;
import java.util.Set;
import java.util.TreeSet;

/**
 * The plugin's rules that a firewall contains, from any process or version.
 *
 * @param segments those that have rules, complete or not
 * @param any whether anything of the plugin's is left, be it an empty chain
 * @param complete whether all could be listed; if not, there may be more
 */
public record InstalledRules(Set<Segment> segments, boolean any, boolean complete) {
    public InstalledRules {
        segments = Collections.unmodifiableSortedSet(new TreeSet<>(segments));
    }
}
