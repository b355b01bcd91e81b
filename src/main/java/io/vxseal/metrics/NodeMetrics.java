package io.vxseal.metrics;

import io.prometheus.metrics.model.snapshots.CounterSnapshot;
import io.prometheus.metrics.model.snapshots.CounterSnapshot.CounterDataPointSnapshot;
import io.prometheus.metrics.model.snapshots.Labels;
import io.prometheus.metrics.model.snapshots.MetricSnapshot;
import io.vxseal.encryption.PeerTraffic;
import io.vxseal.encryption.Tally;
import io.vxseal.kernel.firewall.Drops;
import io.vxseal.overlay.KernelCounters;
import io.vxseal.overlay.Overview;
import io.vxseal.overlay.watch.Condition;
import io.vxseal.services.ServiceProxy;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.stream.Collectors;

/** Metrics of this node: its networks, what the kernel holds for them, and what was repaired. */
final class NodeMetrics {
    private NodeMetrics() {}

    static List<MetricSnapshot> of(Sample sample) {
        Overview overview = sample.overview();
        List<MetricSnapshot> metrics = new ArrayList<>();
        metrics.add(Family.info("vxseal_build", "The program.", "version", sample.version()));
        metrics.addAll(networks(overview));
        metrics.addAll(xfrm(overview));
        metrics.addAll(traffic(overview));
        metrics.add(Family.counters("vxseal_xfrm_errors",
                "Packets that the kernel's XFRM dropped, for all users of IPsec on this host, by the kernel's reason.",
                "reason", sample.kernel().xfrmErrors(), Long::doubleValue));
        metrics.add(drops(sample.kernel()));
        metrics.addAll(services(overview));
        metrics.add(conditions(overview));
        metrics.add(Family.counters("vxseal_repairs",
                "Things in the kernel that were missing or changed and were put back.",
                "kind", repairs(overview.repaired()), Long::doubleValue));
        return metrics;
    }

    private static List<MetricSnapshot> networks(Overview overview) {
        Map<String, Long> networks = new TreeMap<>(Map.of("true", 0L, "false", 0L));
        Map<String, Long> up = new TreeMap<>(networks);
        long local = 0;
        long remote = 0;
        for (Overview.Attached attached : overview.networks()) {
            String encrypted = String.valueOf(attached.network().encrypted());
            networks.merge(encrypted, 1L, Long::sum);
            up.merge(encrypted, attached.up() ? 1L : 0L, Long::sum);
            local += attached.here().size();
            remote += attached.elsewhere().size();
        }
        return List.of(
                Family.gauges("vxseal_networks", "Networks that this node knows.", "encrypted", networks, Long::doubleValue),
                Family.gauges("vxseal_networks_up", "Networks that have links on this node.", "encrypted", up, Long::doubleValue),
                Family.gauges("vxseal_endpoints", "Endpoints of these networks, on this node and on others.",
                        "where", new TreeMap<>(Map.of("local", local, "remote", remote)), Long::doubleValue));
    }

    private static List<MetricSnapshot> xfrm(Overview overview) {
        List<MetricSnapshot> metrics = new ArrayList<>(List.of(
                Family.gauge("vxseal_xfrm_states_wanted", "IPsec states that the kernel should hold.", overview.wanted().states()),
                Family.gauge("vxseal_xfrm_policies_wanted", "IPsec policies that the kernel should hold.",
                        overview.wanted().policies())));
        if (overview.found().isPresent()) {
            Tally found = overview.found().get();
            metrics.add(Family.gauge("vxseal_xfrm_states_found", "IPsec states of the plugin that the kernel holds.", found.states()));
            metrics.add(Family.gauge("vxseal_xfrm_policies_found", "IPsec policies of the plugin that the kernel holds.",
                    found.policies()));
        }
        metrics.add(Family.gauge("vxseal_obstacles",
                "Things that keep packets from being sealed or opened, which vxseal status names.", overview.inTheWay().size()));
        return metrics;
    }

    private static MetricSnapshot drops(KernelCounters kernel) {
        CounterSnapshot.Builder family = CounterSnapshot.builder()
                .name("vxseal_cleartext_dropped_packets")
                .help("Packets that were dropped because they would have entered or left an encrypted network in clear,"
                        + " or could not be judged, by the barrier that dropped them.");
        Map<String, Drops> barriers = new TreeMap<>(Map.of("rules", kernel.rules(), "priority", kernel.priority()));
        barriers.values().removeIf(drops -> !drops.known());
        barriers.forEach((barrier, drops) ->
                Map.of("in", drops.incoming(), "out", drops.outgoing()).forEach((direction, packets) ->
                        family.dataPoint(CounterDataPointSnapshot.builder()
                                .labels(Labels.of("direction", direction, "barrier", barrier))
                                .value(packets)
                                .build())));
        return family.build();
    }

    private static List<MetricSnapshot> services(Overview overview) {
        Map<String, Long> backends = new TreeMap<>(Map.of("active", 0L, "draining", 0L));
        List<ServiceProxy.Service> withAddress = overview.services().stream().filter(service -> !service.addresses().isEmpty()).toList();
        withAddress.forEach(service -> {
            backends.merge("active", (long) service.tasks().size(), Long::sum);
            backends.merge("draining", (long) service.draining().size(), Long::sum);
        });
        return List.of(
                Family.gauge("vxseal_services", "Services with a virtual address on a network that is up here.",
                        withAddress.size()),
                Family.gauges("vxseal_service_backends",
                        "Tasks of these services: active ones get new connections, draining ones have only earlier ones.",
                        "state", backends, Long::doubleValue),
                Family.gauge("vxseal_endpoints_without_services",
                        "Endpoints in whose containers services' addresses do not answer, which vxseal status names.",
                        overview.withoutServices().size()));
    }

    private static MetricSnapshot conditions(Overview overview) {
        Map<String, Long> byKind = new TreeMap<>();
        for (Condition.Kind kind : Condition.Kind.values()) {
            byKind.put(kind.id(), 0L);
        }
        overview.conditions().forEach(condition -> byKind.merge(condition.kind().id(), 1L, Long::sum));
        return Family.gauges("vxseal_conditions", "Trouble that lasts, which vxseal status describes, by kind.",
                "kind", byKind, Long::doubleValue);
    }

    private static List<MetricSnapshot> traffic(Overview overview) {
        Map<String, PeerTraffic> byNode = overview.traffic().stream().collect(Collectors.toMap(
                peer -> peer.node().getHostAddress(), Function.identity(), (one, _) -> one, TreeMap::new));
        return List.of(
                Family.counters("vxseal_peer_sealed_bytes", "Bytes that this node sealed for another, without ESP.",
                        "node", byNode, PeerTraffic::sealedBytes),
                Family.counters("vxseal_peer_sealed_packets", "Packets that this node sealed for another.",
                        "node", byNode, PeerTraffic::sealedPackets),
                Family.counters("vxseal_peer_opened_bytes", "Bytes from another node that this one opened, without ESP.",
                        "node", byNode, PeerTraffic::openedBytes),
                Family.counters("vxseal_peer_opened_packets", "Packets from another node that this one opened.",
                        "node", byNode, PeerTraffic::openedPackets));
    }

    private static Map<String, Long> repairs(Overview.Repaired repaired) {
        return new TreeMap<>(Map.of(
                "rules", repaired.rules(),
                "states_and_policies", repaired.statesAndPolicies(),
                "links", repaired.links(),
                "entries", repaired.entries()));
    }
}
