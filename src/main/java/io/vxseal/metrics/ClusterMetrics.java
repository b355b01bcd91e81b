package io.vxseal.metrics;

import io.prometheus.metrics.model.snapshots.MetricSnapshot;
import io.vxseal.cluster.ClusterStatus;
import io.vxseal.cluster.ring.RingStatus;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/** Metrics of the cluster as this node sees it: members, hubs, keys and refusals. */
final class ClusterMetrics {
    private ClusterMetrics() {}

    static List<MetricSnapshot> of(Sample sample) {
        ClusterStatus cluster = sample.cluster();
        List<MetricSnapshot> metrics = new ArrayList<>();
        if (cluster.node().isPresent()) {
            metrics.add(Family.info("vxseal_node", "This node in its swarm.",
                    "node", cluster.node().get(), "swarm", cluster.swarm().orElse("")));
        }
        metrics.add(Family.gauge("vxseal_members",
                "Nodes that this one knows, itself included: on a manager all, on a worker those of its networks.",
                cluster.members().size()));
        metrics.addAll(hubs(cluster));
        cluster.ring().ifPresent(ring -> metrics.addAll(ring(ring, sample)));
        metrics.add(Family.counters("vxseal_refusals",
                "Refused connections, sessions, messages, rings and claims, by reason.", "reason", cluster.refusals(), Long::doubleValue));
        Map<String, Integer> claims = new TreeMap<>();
        cluster.refusedClaims().forEach((reason, count) -> claims.put(reason.toLowerCase(Locale.ROOT), count));
        metrics.add(Family.gauges("vxseal_refused_claims",
                "Claims of endpoints that have no effect now, by reason.", "reason", claims, Integer::doubleValue));
        return metrics;
    }

    private static List<MetricSnapshot> hubs(ClusterStatus cluster) {
        List<MetricSnapshot> metrics = new ArrayList<>(List.of(
                Family.gauge("vxseal_hubs", "Managers that this node has sessions with, as a manager itself included.",
                        cluster.hubs().size()),
                Family.gauge("vxseal_hubs_up_to_date", "Of these, those that have this node's present endpoints.",
                        (double) cluster.hubs().stream().filter(ClusterStatus.Hub::upToDate).count()),
                Family.gauge("vxseal_hub_sessions", "Nodes that have a session with this manager.", cluster.sessions().size())));
        metrics.add(Family.gauge("vxseal_hub_session_lag_nodes",
                "Nodes whose change has yet to be sent to the session that is farthest behind.",
                cluster.sessions().stream().mapToInt(ClusterStatus.Session::lag).max().orElse(0)));
        return metrics;
    }

    private static List<MetricSnapshot> ring(RingStatus ring, Sample sample) {
        List<MetricSnapshot> metrics = new ArrayList<>();
        metrics.add(Family.gauge("vxseal_ring_version", "Version of the keys in force, which grows with every change.", (double) ring.version()));
        metrics.add(Family.gauge("vxseal_ring_keys", "Keys that this node opens packets with.", ring.keys().size()));
        // The engine's keys have no time, and only the engine knows when it rotates them.
        if (ring.version() > 0 && !ring.external()) {
            Duration age = Duration.between(ring.made(), sample.now());
            metrics.add(Family.gauge("vxseal_ring_age_seconds", "Time since the keys last changed, by their maker's clock.",
                    seconds(age)));
            metrics.add(Family.gauge("vxseal_ring_next_rotation_seconds",
                    "Time until the keys are due for rotation, by this node's setting; negative if it is overdue.",
                    seconds(sample.rotation().minus(age))));
        }
        return metrics;
    }

    private static double seconds(Duration time) {
        return time.toMillis() / 1e3;
    }
}
