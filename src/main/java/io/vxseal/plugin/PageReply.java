package io.vxseal.plugin;

import com.fasterxml.jackson.core.JsonProcessingException;
import io.vxseal.address.NodeAddresses;
import io.vxseal.cluster.ClusterStatus;
import io.vxseal.cluster.ring.RingStatus;
import io.vxseal.encryption.Tally;
import io.vxseal.metrics.Sample;
import io.vxseal.overlay.Overview;
import io.vxseal.services.ServiceProxy;
import java.net.InetAddress;
import java.time.Duration;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * What the page shows of this node. Anybody who reaches the listener may read it, so it has less than status: no container's address and
 * no MAC, of services the names, virtual addresses and numbers of tasks. Keys are named by their tags. Lists are cut, so its size does
 * not grow with the swarm. What is not known is omitted.
 */
public record PageReply(
        long time,
        String version,
        Node node,
        @Nullable String problem,
        Part<PeersReply.Peer> nodes,
        Part<Network> networks,
        @Nullable Ring ring,
        Part<Service> services,
        Part<String> withoutServices,
        Kernel kernel,
        Cluster cluster,
        Part<StatusReply.Condition> conditions,
        Overview.Repaired repairs,
        List<StatusReply.Failure> errors) {

    /** Entries of a list that are shown. */
    private static final int MAX_ENTRIES = 200;

    /** The first entries of a list, and how many there are in all. */
    record Part<T>(int total, List<T> entries) {
        static <T> Part<T> of(List<T> all) {
            return new Part<>(all.size(), all.subList(0, Math.min(all.size(), MAX_ENTRIES)));
        }
    }

    record Node(@Nullable String id, @Nullable String swarm, @Nullable String address) {}

    record Network(String id, boolean encrypted, boolean up, List<String> pools, int here, int elsewhere) {}

    /** Keys in force. The next rotation is overdue where its time is negative, and unknown where the engine rotates. */
    record Ring(
            long version,
            boolean fromEngine,
            @Nullable String author,
            @Nullable Long ageSeconds,
            @Nullable Long nextRotationSeconds,
            List<StatusReply.Key> keys) {}

    record Service(String network, String name, List<String> addresses, int tasks, int draining) {}

    /**
     * What the kernel holds and has dropped.
     *
     * @param dropped packets that would have entered or left an encrypted network in clear
     * @param xfrmErrors the kernel's counters that are not 0
     */
    record Kernel(
            @Nullable String firewall,
            int statesWanted,
            @Nullable Integer statesFound,
            int policiesWanted,
            @Nullable Integer policiesFound,
            Dropped dropped,
            SortedMap<String, Long> xfrmErrors) {}

    record Dropped(long incoming, long outgoing) {}

    /** This node's sessions with managers' hubs, and what it refused of others. */
    record Cluster(int hubs, int hubsUpToDate, long refused) {}

    /** Returns what a sample shows, as JSON. */
    public static byte[] json(Sample sample) {
        try {
            return Json.Own.MAPPER.writeValueAsBytes(of(sample));
        } catch (JsonProcessingException impossible) {
            throw new IllegalStateException(impossible);
        }
    }

    static PageReply of(Sample sample) {
        Overview overview = sample.overview();
        ClusterStatus cluster = sample.cluster();
        return new PageReply(
                sample.now().toEpochMilli(),
                sample.version(),
                new Node(
                        cluster.node().orElse(null),
                        cluster.swarm().orElse(null),
                        overview.addresses().map(NodeAddresses::advertise).map(InetAddress::getHostAddress).orElse(null)),
                cluster.problem().orElse(null),
                Part.of(new PeersReply(sample).peers()),
                Part.of(overview.networks().stream().map(PageReply::network).toList()),
                cluster.ring().map(ring -> ring(ring, sample)).orElse(null),
                Part.of(overview.services().stream().map(PageReply::service).toList()),
                Part.of(overview.withoutServices()),
                kernel(sample),
                new Cluster(
                        cluster.hubs().size(),
                        (int) cluster.hubs().stream().filter(ClusterStatus.Hub::upToDate).count(),
                        cluster.refused()),
                Part.of(overview.conditions().stream().map(each -> StatusReply.condition(each, sample.now())).toList()),
                overview.repaired(),
                overview.errors().stream().map(StatusReply::failure).toList());
    }

    private static Network network(Overview.Attached attached) {
        return new Network(
                attached.network().id(),
                attached.network().encrypted(),
                attached.up(),
                attached.network().subnets().stream().map(subnet -> subnet.pool().toString()).toList(),
                attached.here().size(),
                attached.elsewhere().size());
    }

    private static Ring ring(RingStatus ring, Sample sample) {
        StatusReply.Ring status = StatusReply.ring(ring, sample.now());
        Duration age = Duration.between(ring.made(), sample.now());
        boolean isRotatedByManagers = ring.version() > 0 && !ring.external();
        return new Ring(
                status.version(),
                status.fromEngine(),
                status.author(),
                status.ageSeconds(),
                isRotatedByManagers ? sample.rotation().minus(age).toSeconds() : null,
                status.keys());
    }

    private static Service service(ServiceProxy.Service service) {
        return new Service(
                service.network(),
                service.name(),
                service.addresses().stream().map(InetAddress::getHostAddress).toList(),
                service.tasks().size(),
                service.draining().size());
    }

    private static Kernel kernel(Sample sample) {
        Overview overview = sample.overview();
        SortedMap<String, Long> xfrmErrors = new TreeMap<>(sample.kernel().xfrmErrors());
        xfrmErrors.values().removeIf(count -> count == 0);
        return new Kernel(
                overview.firewall().orElse(null),
                overview.wanted().states(),
                overview.found().map(Tally::states).orElse(null),
                overview.wanted().policies(),
                overview.found().map(Tally::policies).orElse(null),
                new Dropped(sample.kernel().droppedIncoming(), sample.kernel().droppedOutgoing()),
                xfrmErrors);
    }
}
