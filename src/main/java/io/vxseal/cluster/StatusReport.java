package io.vxseal.cluster;

import io.vxseal.cluster.hub.Hub;
import io.vxseal.cluster.node.ClusterNode;
import io.vxseal.cluster.record.NodeRecord;
import io.vxseal.cluster.record.RefusedClaim;
import io.vxseal.cluster.refusal.Refusals;
import io.vxseal.swarm.NodeName;
import io.vxseal.swarm.Role;
import java.net.InetAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/** Makes the {@link ClusterStatus} of a member, on the cluster's thread. */
final class StatusReport {
    private final ClusterMember member;
    /** Time at which each node was first in a record. */
    private final Map<String, Long> since = new HashMap<>();

    StatusReport(ClusterMember member) {
        this.member = member;
    }

    ClusterStatus make(
            Optional<NodeName> self, Optional<InetAddress> vtep, Optional<String> problem, Refusals refusals) {
        ClusterNode node = member.node();
        List<ClusterStatus.Hub> hubs = node.hubs().stream()
                .map(hub -> new ClusterStatus.Hub(hub.node(), hub.address(), hub.age(), hub.upToDate(), hub.clockAhead())).toList();
        List<ClusterStatus.Session> sessions = member.hub().map(hub -> hub.sessions().stream()
                .map(each -> new ClusterStatus.Session(each.node(), each.role(), each.age(), each.lag())).toList()).orElse(List.of());
        SortedMap<String, List<RefusedClaim>> refused = member.hub().map(Hub::refusedClaims)
                .orElseGet(() -> new TreeMap<>(Map.of(self.map(NodeName::node).orElse(""), node.refused())));
        Map<String, Long> reasons = new TreeMap<>();
        refusals.counts().forEach((reason, count) -> reasons.put(reason.text(), count));
        return new ClusterStatus(self.map(NodeName::swarm), self.map(NodeName::node), problem,
                self.isPresent() && node.isReached() ? members(self.get(), vtep) : List.of(), hubs, sessions, member.rings().status(),
                reasons, counts(refused), refused.entrySet().stream()
                        .flatMap(each -> each.getValue().stream().map(claim -> new ClusterStatus.Claim(
                                each.getKey(), claim.network(), claim.endpoint(), claim.reason().refusal().text())))
                        .limit(ClusterStatus.MOST_CLAIMS).toList());
    }

    private List<ClusterStatus.Member> members(NodeName self, Optional<InetAddress> vtep) {
        Map<String, ClusterStatus.Member> members = new LinkedHashMap<>();
        members.put(self.node(), new ClusterStatus.Member(
                self.node(), Optional.of(self.role()), vtep, member.node().ownEndpoints(), age(self.node())));
        member.node().hubs().forEach(hub -> members.putIfAbsent(hub.node(), new ClusterStatus.Member(
                hub.node(), Optional.of(Role.MANAGER), hub.address(), 0, age(hub.node()))));
        Collection<NodeRecord> records = member.hub().map(hub -> hub.nodes()).orElseGet(member.node()::nodes);
        for (NodeRecord record : records) {
            if (!record.node().equals(self.node()) && !record.silent()) {
                members.put(record.node(), new ClusterStatus.Member(record.node(), Optional.of(record.role()),
                        Optional.of(record.vtep()), record.endpoints(), age(record.node())));
            }
        }
        since.keySet().retainAll(members.keySet());
        return new ArrayList<>(members.values());
    }

    private Duration age(String node) {
        return Duration.ofNanos(System.nanoTime() - since.computeIfAbsent(node, _ -> System.nanoTime()));
    }

    private Map<String, Integer> counts(SortedMap<String, List<RefusedClaim>> refused) {
        Map<String, Integer> claims = new TreeMap<>();
        refused.values().forEach(each -> each.forEach(claim -> claims.merge(claim.reason().name(), 1, Integer::sum)));
        if (member.node().contradictions() > 0) {
            claims.put("CONTRADICTS_ENGINE", member.node().contradictions());
        }
        return claims;
    }
}
