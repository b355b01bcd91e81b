package io.vxseal.page;

import io.vxseal.address.Cidr;
import io.vxseal.address.MacAddress;
import io.vxseal.address.NodeAddresses;
import io.vxseal.cluster.ClusterStatus;
import io.vxseal.cluster.ring.RingStatus;
import io.vxseal.encryption.PeerTraffic;
import io.vxseal.encryption.Tally;
import io.vxseal.journal.Event;
import io.vxseal.journal.Journal;
import io.vxseal.kernel.firewall.Drops;
import io.vxseal.metrics.CallStats;
import io.vxseal.metrics.Sample;
import io.vxseal.overlay.Endpoint;
import io.vxseal.overlay.ErrorLog;
import io.vxseal.overlay.KernelCounters;
import io.vxseal.overlay.Network;
import io.vxseal.overlay.Overview;
import io.vxseal.overlay.Subnet;
import io.vxseal.overlay.watch.Condition;
import io.vxseal.peers.Peer;
import io.vxseal.plugin.PageReply;
import io.vxseal.services.ServiceProxy;
import io.vxseal.swarm.Role;
import java.net.InetAddress;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;

/** A node in a swarm of some nodes, whose kernel seals: what this machine's cannot show, because it may lack ESP. */
final class SampleSwarm {
    private static final InetAddress HERE = address(11);
    private static final String NETWORK = "q5n1u1b7x0w3v9k2d8s4m6c0e";

    /** Names that would be markup if they were not shown as text. */
    static final String HOSTILE = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">";

    final Journal journal = new Journal();
    private final Instant start = Instant.now();
    private final int nodes;

    /** Bytes that were sealed for each node. */
    final AtomicLong sealed = new AtomicLong(1_234_567);

    volatile List<Condition> conditions = List.of();
    volatile List<String> inTheWay = List.of();
    volatile String service = "shop_web";

    SampleSwarm(int nodes) {
        this.nodes = nodes;
        journal.add(Event.Kind.STARTED, "", "vxseal 0.1.0 is up");
        journal.add(Event.Kind.HUB_REACHED, id(1), "session with the hub of manager %s (%s) began".formatted(id(1), text(12)));
        journal.add(Event.Kind.KEYS, "", "ring 12 by node %s is in force".formatted(id(1)));
        journal.add(Event.Kind.NETWORK_UP, NETWORK, "network %s is up".formatted(NETWORK));
        journal.add(Event.Kind.PEERS, NETWORK, "network %s: 14 endpoints came and 0 went, on %s".formatted(NETWORK, text(12)));
        journal.add(Event.Kind.REPAIRED, "this host", "repaired 4 IPsec states and policies that were missing or changed");
    }

    private static InetAddress address(int host) {
        return InetAddress.ofLiteral(text(host));
    }

    static String text(int host) {
        return "10.20.%d.%d".formatted(host / 250, host % 250);
    }

    private static String id(int node) {
        return "%05dk7m2w9x4q8v5t1r6p3nz".formatted(node);
    }

    static Condition silence(int host) {
        return new Condition(Condition.Kind.PATH_SILENT, text(host), ("node %s: packets are sealed for it and none comes back:"
                + " is IP protocol 50 (ESP) open between the nodes, in both directions?").formatted(text(host)), Instant.now().minusSeconds(95));
    }

    /** Returns what the page shows, as the plugin makes it. */
    byte[] state() {
        Instant now = Instant.now();
        long bytes = sealed.get();
        List<ClusterStatus.Member> members = new ArrayList<>();
        List<PeerTraffic> traffic = new ArrayList<>();
        List<Peer> elsewhere = new ArrayList<>();
        for (int node = 0; node < nodes; node++) {
            members.add(new ClusterStatus.Member(id(node), Optional.of(node < 3 ? Role.MANAGER : Role.WORKER),
                    Optional.of(address(11 + node)), 2 * node, Duration.ofHours(30).plusMinutes(node)));
            if (node > 0 && node % 7 != 6) {
                traffic.add(new PeerTraffic(address(11 + node), start.minus(Duration.ofMinutes(200 + 17L * node)),
                        bytes * node, bytes / 900 * node, bytes * node * 3, bytes / 600 * node));
                elsewhere.add(new Peer(NETWORK, "ep" + node, Cidr.parse("10.0.1.%d/24".formatted(50 + node % 200)),
                        MacAddress.parse("02:42:0a:00:01:03"), address(11 + node)));
            }
        }
        Network sealedNetwork = network(NETWORK, true, "10.0.1.0/24", 8_388_608);
        Network plain = network("m3t0a9b4c8d2e6f1g5h7i0j3k", false, "10.0.2.0/24", 8_388_609);
        Overview overview = new Overview(
                Optional.of(new NodeAddresses(HERE, HERE)),
                List.of(new Overview.Attached(sealedNetwork, true, List.of(endpoint(NETWORK, "10.0.1.2/24"), endpoint(NETWORK, "10.0.1.7/24")), elsewhere),
                        new Overview.Attached(plain, false, List.of(), List.of())),
                List.of(new ServiceProxy.Service(NETWORK, service, List.of(InetAddress.ofLiteral("10.0.1.9")),
                                List.of(HERE, HERE, HERE), List.of(HERE)),
                        new ServiceProxy.Service(NETWORK, "shop_db", List.of(InetAddress.ofLiteral("10.0.1.10")), List.of(HERE), List.of())),
                List.of(),
                Optional.of("nftables"),
                new Tally(4 * traffic.size(), traffic.size() + 1),
                Optional.of(new Tally(4 * traffic.size(), traffic.size() + 1)),
                traffic,
                inTheWay,
                conditions,
                new Overview.Repaired(0, 4, 0, 0),
                List.of(new ErrorLog.Entry(now.minus(Duration.ofHours(3)), 2, "/NetworkDriver.Join",
                        "this node's address is not known yet")));
        ClusterStatus cluster = new ClusterStatus(Optional.of("w8y2swarm5v1q9z"), Optional.of(id(0)), Optional.empty(), members,
                List.of(new ClusterStatus.Hub(id(0), Optional.empty(), Duration.ofHours(30), true, Optional.of(Duration.ZERO)),
                        new ClusterStatus.Hub(id(1), Optional.of(address(12)), Duration.ofHours(30), true, Optional.of(Duration.ZERO)),
                        new ClusterStatus.Hub(id(2), Optional.of(address(13)), Duration.ofHours(30), true, Optional.of(Duration.ZERO))),
                List.of(),
                Optional.of(new RingStatus(
                        List.of(new RingStatus.KnownKey(1041, Duration.ofHours(15)), new RingStatus.KnownKey(1040, Duration.ofHours(27)),
                                new RingStatus.KnownKey(1042, Duration.ofHours(3))),
                        12, id(1), now.minus(Duration.ofHours(3)), false)),
                Map.of(), Map.of(), List.of());
        return PageReply.json(new Sample("0.1.0", overview,
                new KernelCounters(Map.of("XfrmInNoStates", 3L, "XfrmInError", 0L), new Drops(2, 0), Drops.NONE),
                cluster, Duration.ofHours(12), new CallStats(), now));
    }

    private static Network network(String id, boolean encrypted, String pool, int vni) {
        return new Network(id, encrypted, 1424, List.of(new Subnet(Cidr.parse(pool), Cidr.parse(pool.replace(".0/", ".1/")), vni)));
    }

    private static Endpoint endpoint(String network, String address) {
        return new Endpoint("here" + address, network, Cidr.parse(address), MacAddress.parse("02:42:0a:00:01:02"), true, "");
    }
}
