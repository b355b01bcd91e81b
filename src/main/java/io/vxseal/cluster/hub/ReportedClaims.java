package io.vxseal.cluster.hub;

import io.vxseal.cluster.record.RefusedClaim;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** The nodes' claims without effect as they were last reported. */
final class ReportedClaims {
    private final Map<String, List<RefusedClaim>> reported = new HashMap<>();

    /**
     * Replaces a node's refused claims.
     *
     * @return those that were not refused before; empty if the claims are the same
     */
    Optional<List<RefusedClaim>> replace(String node, List<RefusedClaim> now) {
        List<RefusedClaim> before = now.isEmpty() ? reported.remove(node) : reported.put(node, now);
        if (now.equals(before == null ? List.of() : before)) {
            return Optional.empty();
        }
        List<RefusedClaim> added = new ArrayList<>(now);
        added.removeAll(before == null ? Set.of() : Set.copyOf(before));
        return Optional.of(added);
    }
}
