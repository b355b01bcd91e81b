package io.vxseal.services;

import java.net.InetAddress;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;

/** Changes of the networks' VIPs since the last report of them. */
final class VipChanges {
    private final Map<String, Set<InetAddress>> last = new HashMap<>();
    private final Map<String, Set<InetAddress>> changed = new HashMap<>();

    /** Compares a network's VIPs with those that it had before. The first ones count, none included: an earlier process may have had others. */
    void observe(String network, Set<InetAddress> vips) {
        if (!vips.equals(last.get(network))) {
            Set<InetAddress> now = Set.copyOf(vips);
            last.put(network, now);
            changed.put(network, now);
        }
    }

    /** Forgets a network that has gone down. */
    void remove(String network) {
        last.remove(network);
        changed.remove(network);
    }

    /** Has the VIPs of a network reported again, which were not taken. */
    void repeat(String network) {
        Set<InetAddress> vips = last.get(network);
        if (vips != null) {
            changed.put(network, vips);
        }
    }

    /** Returns whether there is nothing to report. */
    boolean isEmpty() {
        return changed.isEmpty();
    }

    /** Returns the VIPs of the networks where they changed since the last call. */
    Map<String, Set<InetAddress>> take() {
        Map<String, Set<InetAddress>> taken = Map.copyOf(changed);
        changed.clear();
        return taken;
    }
}
