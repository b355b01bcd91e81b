package io.vxseal.plugin;

import io.vxseal.address.NodeAddresses;
import io.vxseal.cluster.ClusterStatus;
import io.vxseal.cluster.ring.RingStatus;
import io.vxseal.encryption.Tally;
import io.vxseal.metrics.CallStats;
import io.vxseal.overlay.Endpoint;
import io.vxseal.overlay.ErrorLog;
import io.vxseal.overlay.Overview;
import io.vxseal.peers.Peer;
import io.vxseal.services.ServiceProxy;
import io.vxseal.swarm.Role;
import java.net.InetAddress;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
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
        List<Condition> conditions,
        Overview.Repaired repairs,
        SortedMap<String, CallStats.Tally> calls,
        List<Failure> errors) {

    /** This node. The addresses are Docker's data path address and the one that it listens on. */
    record Node(@Nullable String id, @Nullable String swarm, @Nullable String address, @Nullable String bindAddress) {}

    record Cluster(
            @Nullable String problem,
            long refusedMessages,
            SortedMap<String, Long> rejections,
            SortedMap<String, Integer> refusedClaims,
            List<ClusterStatus.Claim> claims,
            List<Hub> hubs,
            List<Session> sessions,
            List<Member> members) {}

    /** A hub that this node has a session with; whether the hub has this node's present endpoints. */
    record Hub(
            String id, @Nullable String address, long ageSeconds, boolean upToDate, @Nullable Long clockAheadSeconds) {}

    /** A node's session with this hub; the lag counts the nodes whose change has yet to be sent to it. */
    record Session(String id, String role, long ageSeconds, int lag) {}

    record Member(String id, @Nullable String role, @Nullable String address, int endpoints, long ageSeconds) {}

    record Ring(
            long version,
            @Nullable String author,
            @Nullable String changedAt,
            @Nullable Long ageSeconds,
            boolean fromEngine,
            List<Key> keys) {}

    /** A key's tag, by which both ends name it. Never its octets. */
    record Key(long tag, boolean primary, long knownSeconds) {}

    /** A network; without a name unless the plugin has the engine's socket. */
    record Network(String id, @Nullable String name, boolean encrypted, boolean up, List<Subnet> subnets, List<Attached> endpoints) {}

    record Subnet(String pool, String gateway, int vni) {}

    /** An endpoint. Of those on other nodes only the ones that have joined are known. */
    record Attached(String id, String address, String mac, boolean here, boolean joined, @Nullable String node) {}

    /** A service with its virtual addresses, and the addresses of its tasks. */
    record Service(String network, String name, List<String> addresses, List<String> tasks, List<String> draining) {}

    record Ipsec(int statesWanted, @Nullable Integer statesFound, int policiesWanted, @Nullable Integer policiesFound) {}

    /** Trouble that lasts. */
    record Condition(String kind, String subject, String since, long ageSeconds, String text) {}

    record Failure(String at, long times, String where, String error) {}

    static StatusReply of(
            String version,
            Overview overview,
            ClusterStatus cluster,
            Map<String, String> networkNames,
            SortedMap<String, CallStats.Tally> calls,
            Instant now) {
        Optional<Tally> found = overview.found();
        return new StatusReply(
                version,
                print(now),
                new Node(
                        orNull(cluster.node()),
                        orNull(cluster.swarm()),
                        orNull(overview.addresses().map(NodeAddresses::advertise).map(InetAddress::getHostAddress)),
                        orNull(overview.addresses().map(NodeAddresses::bind).map(InetAddress::getHostAddress))),
                new Cluster(
                        orNull(cluster.problem()),
                        cluster.refused(),
                        new TreeMap<>(cluster.refusals()),
                        new TreeMap<>(cluster.refusedClaims()),
                        cluster.claims(),
                        cluster.hubs().stream().map(StatusReply::hub).toList(),
                        cluster.sessions().stream().map(StatusReply::session).toList(),
                        cluster.members().stream().map(StatusReply::member).toList()),
                orNull(cluster.ring().map(ring -> ring(ring, now))),
                overview.networks().stream()
                        .map(network -> network(network, networkNames.get(network.network().id()), overview.addresses()))
                        .toList(),
                overview.services().stream().map(StatusReply::service).toList(),
                overview.withoutServices(),
                new Ipsec(
                        overview.wanted().states(),
                        orNull(found.map(Tally::states)),
                        overview.wanted().policies(),
                        orNull(found.map(Tally::policies))),
                orNull(overview.firewall()),
                overview.inTheWay(),
                overview.conditions().stream().map(condition -> condition(condition, now)).toList(),
                overview.repaired(),
                calls,
                overview.errors().stream().map(StatusReply::failure).toList());
    }

    private static Hub hub(ClusterStatus.Hub hub) {
        return new Hub(hub.node(), orNull(hub.address().map(InetAddress::getHostAddress)), hub.age().toSeconds(), hub.upToDate(),
                orNull(hub.clockAhead().map(Duration::toSeconds)));
    }

    private static Session session(ClusterStatus.Session session) {
        return new Session(session.node(), print(session.role()), session.age().toSeconds(), session.lag());
    }

    private static String print(Role role) {
        return role.name().toLowerCase(Locale.ROOT);
    }

    private static Member member(ClusterStatus.Member member) {
        return new Member(
                member.node(),
                orNull(member.role().map(StatusReply::print)),
                orNull(member.vtep().map(InetAddress::getHostAddress)),
                member.endpoints(),
                member.age().toSeconds());
    }

    static Ring ring(RingStatus ring, Instant now) {
        List<Key> keys = new ArrayList<>();
        for (RingStatus.KnownKey key : ring.keys()) {
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

    private static Network network(Overview.Attached attached, @Nullable String name, Optional<NodeAddresses> addresses) {
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
                name,
                attached.network().encrypted(),
                attached.up(),
                attached.network().subnets().stream()
                        .map(subnet -> new Subnet(subnet.pool().toString(), subnet.gateway().toString(), subnet.vni()))
                        .toList(),
                endpoints);
    }

    static Condition condition(io.vxseal.overlay.watch.Condition lasting, Instant now) {
        return new Condition(lasting.kind().id(), lasting.subject(), print(lasting.since()), seconds(lasting.since(), now),
                lasting.text());
    }

    static Failure failure(ErrorLog.Entry entry) {
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
