package io.vxseal.encryption;

import io.vxseal.kernel.xfrm.InstalledState;
import io.vxseal.kernel.xfrm.SecurityAssociation;
import io.vxseal.kernel.xfrm.StateUsage;
import java.net.InetAddress;
import java.time.Instant;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Traffic with each remote node. The kernel counts by state, and a rotation replaces the states; so the differences from one listing to
 * the next are added up. What a state counts between the last listing and its removal is lost.
 */
final class TrafficMeter {
    private Map<SecurityAssociation.Id, StateUsage> last = Map.of();
    private Map<InetAddress, PeerTraffic> byNode = Map.of();

    /**
     * Adds what the states have counted since the last listing. A node without a state is forgotten.
     *
     * @param states all states of this plugin
     * @param own addresses of this node
     * @param now time of the listing
     */
    void update(Collection<InstalledState> states, Set<InetAddress> own, Instant now) {
        Map<SecurityAssociation.Id, StateUsage> listed = new HashMap<>();
        Map<InetAddress, PeerTraffic> counted = new HashMap<>();
        for (InstalledState state : states) {
            SecurityAssociation.Id id = state.association().id();
            StateUsage usage = state.usage();
            StateUsage before = last.getOrDefault(id, StateUsage.NONE);
            if (usage.packets() < before.packets()) {
                // Removed and added anew since.
                before = StateUsage.NONE;
            }
            long bytes = usage.bytes() - before.bytes();
            long packets = usage.packets() - before.packets();
            listed.put(id, usage);
            InetAddress node = RemoteEnd.of(id, own);
            PeerTraffic traffic = counted.computeIfAbsent(
                    node, _ -> byNode.getOrDefault(node, PeerTraffic.none(node, now)));
            counted.put(node, own.contains(id.source())
                    ? traffic.withSealed(bytes, packets)
                    : traffic.withOpened(bytes, packets));
        }
        last = listed;
        byNode = counted;
    }

    /** Returns the traffic with each node that has states, since the first listing that had one. */
    List<PeerTraffic> byNode() {
        return List.copyOf(byNode.values());
    }
}
