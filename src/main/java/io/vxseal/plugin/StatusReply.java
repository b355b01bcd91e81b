package io.vxseal.plugin;

import io.vxseal.address.NodeAddresses;
import io.vxseal.cluster.Role;
import io.vxseal.cluster.Status;
import io.vxseal.encryption.Encryption;
import io.vxseal.overlay.Endpoint;
import io.vxseal.overlay.ErrorLog;
import io.vxseal.overlay.Overview;
import io.vxseal.peers.Peer;
import io.vxseal.services.ServiceProxy;
import java.net.InetAddress;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.SortedMap;
import org.jspecify.annotations.Nullable;

/**
 * Reply of {@code GET /status}. The components' names are documented, because other programs read them. What is not known is omitted,
 * and null here and nowhere else.
 */
record StatusReply(
        String version,
        String time,
        Node node,
        Cluster cluster,
        @Nullable Ring ring,
        List<Network> networks,
        List<Service> services,
        List<String> withoutServices,
        Ipsec ipsec,
        @Nullable String firewall,
        List<String> inTheWay,
        Overview.Repaired repairs,
        SortedMap<String, CallStats.Tally> calls,
        List<Failure> errors) {

    /** This node. The addresses are Docker's data path address and the one that it listens on. */
    record Node(@Nullable String id, @Nullable String swarm, @Nullable String address, @Nullable String bindAddress) {}

    record Cluster(@Nullable String coordinator, @Nullable String problem, long refusedMessages, List<Member> members) {}

    record Member(@Nullable String id, @Nullable String role, @Nullable String address, int endpoints, long ageSeconds) {}

    record Ring(
            long version,
            @Nullable String author,
            @Nullable String changedAt,
            @Nullable Long ageSeconds,
            boolean fromEngine,
            List<Key> keys) {}

    /** A key's tag, by which both ends name it. Never its octets. */
    record Key(long tag, boolean primary, long knownSeconds) {}

    record Network(String id, boolean encrypted, boolean up, List<Subnet> subnets, List<Attached> endpoints) {}

    record Subnet(String pool, String gateway, int vni) {}

    /** An endpoint. Of those on other nodes only the ones that have joined are known. */
    record Attached(String id, String address, String mac, boolean here, boolean joined, @Nullable String node) {}

    /** A service with its virtual addresses, and the addresses of its tasks. */
    record Service(String network, String name, List<String> addresses, List<String> tasks, List<String> draining) {}

    record Ipsec(int statesWanted, @Nullable Integer statesFound, int policiesWanted, @Nullable Integer policiesFound) {}

    record Failure(String at, long times, String where, String error) {}

    static StatusReply of(
            String version, Overview overview, Status cluster, SortedMap<String, CallStats.Tally> calls, Instant now) {
        Optional<Encryption.Tally> found = overview.found();
        return new StatusReply(
                version,
                print(now),
                new Node(
                        orNull(cluster.node()),
                        orNull(cluster.swarm()),
                        orNull(overview.addresses().map(NodeAddresses::advertise).map(InetAddress::getHostAddress)),
                        orNull(overview.addresses().map(NodeAddresses::bind).map(InetAddress::getHostAddress))),
                new Cluster(
                        orNull(cluster.coordinator()),
                        orNull(cluster.problem()),
                        cluster.refused(),
                        cluster.members().stream().map(StatusReply::member).toList()),
                orNull(cluster.ring().map(ring -> ring(ring, now))),
                overview.networks().stream().map(network -> network(network, overview.addresses())).toList(),
                overview.services().stream().map(StatusReply::service).toList(),
                overview.withoutServices(),
                new Ipsec(
                        overview.wanted().states(),
                        orNull(found.map(Encryption.Tally::states)),
                        overview.wanted().policies(),
                        orNull(found.map(Encryption.Tally::policies))),
                orNull(overview.firewall()),
                overview.inTheWay(),
                overview.repaired(),
                calls,
                overview.errors().stream().map(StatusReply::failure).toList());
    }

    private static Member member(Status.Member member) {
        return new Member(
                orNull(member.node()),
                orNull(member.role().map(Role::name).map(name -> name.toLowerCase(Locale.ROOT))),
                orNull(member.vtep().map(InetAddress::getHostAddress)),
                member.endpoints(),
                member.age().toSeconds());
    }

    private static Ring ring(Status.Ring ring, Instant now) {
        List<Key> keys = new ArrayList<>();
        for (Status.Known key : ring.keys()) {
            keys.add(new Key(Integer.toUnsignedLong(key.tag()), keys.isEmpty(), key.age().toSeconds()));
        }
        // Keys that the engine delivers to a worker are not signed, and so have no date.
        boolean dated = ring.version() > 0;
        return new Ring(
                ring.version(),
                dated ? ring.author() : null,
                dated ? print(ring.made()) : null,
                dated ? seconds(ring.made(), now) : null,
                ring.external(),
                keys);
    }

    private static Service service(ServiceProxy.Service service) {
        return new Service(
                service.network(),
                service.name(),
                print(service.addresses()),
                print(service.tasks()),
                print(service.draining()));
    }

    private static List<String> print(List<InetAddress> addresses) {
        return addresses.stream().map(InetAddress::getHostAddress).toList();
    }

    private static Network network(Overview.Attached attached, Optional<NodeAddresses> addresses) {
        List<Attached> endpoints = new ArrayList<>();
        for (Endpoint endpoint : attached.here()) {
            endpoints.add(new Attached(
                    endpoint.id(),
                    endpoint.address().toString(),
                    endpoint.mac().toString(),
                    true,
                    endpoint.joined(),
                    orNull(addresses.map(NodeAddresses::advertise).map(InetAddress::getHostAddress))));
        }
        for (Peer peer : attached.elsewhere()) {
            endpoints.add(new Attached(
                    peer.endpoint(),
                    peer.address().toString(),
                    peer.mac().toString(),
                    false,
                    true,
                    peer.vtep().getHostAddress()));
        }
        return new Network(
                attached.network().id(),
                attached.network().encrypted(),
                attached.up(),
                attached.network().subnets().stream()
                        .map(subnet -> new Subnet(subnet.pool().toString(), subnet.gateway().toString(), subnet.vni()))
                        .toList(),
                endpoints);
    }

    private static Failure failure(ErrorLog.Entry entry) {
        return new Failure(print(entry.last()), entry.times(), entry.where(), entry.what());
    }

    private static String print(Instant time) {
        return time.truncatedTo(ChronoUnit.SECONDS).toString();
    }

    /** Returns the seconds since a time, 0 if the clock that it was read from is ahead of ours. */
    private static long seconds(Instant since, Instant now) {
        return Math.max(0, Duration.between(since, now).toSeconds());
    }

    private static <T> @Nullable T orNull(Optional<T> known) {
        return known.orElse(null);
    }
}
