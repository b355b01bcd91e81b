package io.vxseal.overlay;

import io.vxseal.address.NodeAddresses;
import io.vxseal.cluster.Cluster;
import io.vxseal.cluster.ClusterStatus;
import io.vxseal.cluster.ring.RingStatus;
import io.vxseal.encryption.Encryption;
import io.vxseal.kernel.libc.KernelException;
import io.vxseal.overlay.watch.Observation;
import io.vxseal.overlay.watch.PathsInUse;
import java.net.InetAddress;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Observations of this node for its conditions.
 *
 * <p>Not safe for use by several threads at once; the driver's lock guards it.
 */
final class Observer {
    /** Time between two lookups of routes, of which there is one for each node. */
    private static final Duration ROUTE_INTERVAL = Duration.ofSeconds(15);

    private final Host host;
    private final Encryption encryption;
    private final Networks networks;
    private final LocalNode local;
    private final Cluster cluster;
    private final NetworkRefusals refusals;
    private final PathsInUse inUse;
    private final PathMtuWatch mtus;
    private final ErrorLog errors;

    private List<Observation.Route> routes = List.of();
    private Optional<Long> looked = Optional.empty();

    Observer(Host host, Encryption encryption, Networks networks, LocalNode local, Cluster cluster, NetworkRefusals refusals,
            PathsInUse inUse, PathMtuWatch mtus, ErrorLog errors) {
        this.host = host;
        this.encryption = encryption;
        this.networks = networks;
        this.local = local;
        this.cluster = cluster;
        this.refusals = refusals;
        this.inUse = inUse;
        this.mtus = mtus;
        this.errors = errors;
    }

    /** @param obstacles what keeps packets from being sealed or opened, a line each */
    Observation observe(List<String> obstacles) {
        Instant time = Instant.now();
        long nanos = System.nanoTime();
        ClusterStatus status = cluster.status();
        lookUpRoutes(nanos);
        return new Observation(
                time,
                nanos,
                local.addresses().isPresent(),
                status.hubs().size(),
                status.hubs().stream()
                        .flatMap(hub -> hub.clockAhead().map(ahead -> new Observation.Clock(hub.node(), ahead)).stream())
                        .toList(),
                networks.needProtection(),
                status.ring().filter(Observer::isRotated).map(ring -> Duration.between(ring.made(), time)),
                !encryption.ring().isEmpty(),
                cluster.rotation(),
                inUse.observe(encryption.traffic(), nanos),
                routes,
                mtus.lost(),
                mtus.unanswered(),
                host.port(),
                refusals.reasons(),
                obstacles);
    }

    /** Returns whether managers rotate the ring. The engine's keys are rotated by the engine, and have no time. */
    private static boolean isRotated(RingStatus ring) {
        return ring.version() > 0 && !ring.external();
    }

    private void lookUpRoutes(long nanos) {
        if (looked.isPresent() && nanos - looked.get() < ROUTE_INTERVAL.toNanos()) {
            return;
        }
        looked = Optional.of(nanos);
        if (local.addresses().isEmpty()) {
            return;
        }
        NodeAddresses own = local.addresses().get();
        Map<InetAddress, Integer> needed = needed(own);
        try {
            Map<InetAddress, Integer> mtus = host.route().routes().mtus(own.bind(), needed.keySet());
            routes = needed.entrySet().stream()
                    .filter(node -> mtus.containsKey(node.getKey()))
                    .map(node -> new Observation.Route(node.getKey(), mtus.getOrDefault(node.getKey(), 0), node.getValue()))
                    .toList();
        } catch (KernelException failure) {
            errors.add("watch", failure.getMessage());
        }
    }

    /** Returns the largest packets that the networks here send to each node. */
    private Map<InetAddress, Integer> needed(NodeAddresses own) {
        Map<InetAddress, Integer> needed = new HashMap<>();
        for (Attachment attachment : networks.all()) {
            if (attachment.isUp()) {
                int octets = attachment.network.underlayMtu(own.bind());
                attachment.peers.vteps().stream()
                        .filter(node -> !node.equals(own.advertise()) && !node.equals(own.bind()) && local.isOfSameVersion(node))
                        .forEach(node -> needed.merge(node, octets, Math::max));
            }
        }
        return needed;
    }
}
