package io.vxseal.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.address.Cidr;
import io.vxseal.address.MacAddress;
import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.message.MessageCodec;
import io.vxseal.cluster.message.RingMark;
import io.vxseal.cluster.record.EndpointRecord;
import io.vxseal.cluster.record.NetworkRecord;
import io.vxseal.cluster.record.NodeRecord;
import io.vxseal.cluster.record.RefusedClaim.Reason;
import io.vxseal.cluster.record.SubnetRecord;
import io.vxseal.cluster.refusal.Refusal;
import io.vxseal.peers.Peer;
import io.vxseal.swarm.Role;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Processes with a valid worker certificate that lie or flood. Honest nodes beside them are not affected. */
class HostileMemberTest extends Hosts {
    private static final List<SubnetRecord> SUBNETS =
            List.of(new SubnetRecord(Cidr.parse("10.44.0.0/16"), InetAddress.ofLiteral("10.44.0.1")));
    private static final int HOSTILE = 20;
    private static final int JOINS = 5;
    /** Of each node that rewrites its record without end. */
    private static final int ENDPOINTS = 200;

    /** What the scheduler of a busy machine adds to a join. */
    private static final long NOISE_MILLIS = 300;

    /** More than what is kept of three nodes with as many endpoints as one may have. */
    private static final long MOST_GROWTH = 24L << 20;

    private Host hub;
    private Host victim;
    private Host watcher;
    private final Set<Peer> honest = new HashSet<>();
    private long revision;

    @BeforeEach
    void honestSwarm() {
        hub = host(1, Role.MANAGER, HALF_A_DAY);
        victim = host(2, Role.WORKER, HALF_A_DAY);
        watcher = host(3, Role.WORKER, HALF_A_DAY);
        List.of(hub, victim, watcher).forEach(each -> each.cluster().subscribe("net", SUBNETS));
        announce("victim");
        List.of(hub, victim, watcher).forEach(each -> each.start(hub.at()));
        await("an honest swarm", () -> hub.members() == 3 && honestIsKnown() && sameRing(hub, victim, watcher));
    }

    private void announce(String endpoint) {
        Peer peer = peer("net", endpoint, victim);
        honest.add(peer);
        victim.cluster().announce(peer);
    }

    private boolean honestIsKnown() {
        return watcher.cluster().peers("net").equals(honest) && hub.cluster().peers("net").equals(honest);
    }

    private static EndpointRecord endpoint(String id, String address, MacAddress mac) {
        return new EndpointRecord(id, Cidr.parse(address), mac, 1);
    }

    private static EndpointRecord endpoint(String id, String address) {
        return endpoint(id, address, MacAddress.of(Cidr.parse(address).address()));
    }

    private Message.Announce claims(String node, InetAddress vtep, EndpointRecord... endpoints) {
        // The subnets are a lie, too: everything is within.
        List<SubnetRecord> all = List.of(new SubnetRecord(Cidr.parse("10.0.0.0/8"), InetAddress.ofLiteral("10.255.0.1")));
        return new Message.Announce(new NodeRecord(node, Role.MANAGER, 1, ++revision, vtep, 1, false, false, false,
                List.of(new NetworkRecord("net", all, List.of(endpoints)))));
    }

    private Message.Announce claim(EndpointRecord endpoint) {
        return claims("node-" + HOSTILE, address(HOSTILE), endpoint);
    }

    /** Sends a message and waits for its refusal to be counted; honest nodes still hear each other, and nothing else. */
    private void isRefused(String what, Rogue hostile, Message message, Set<String> reasons) {
        long refused = hub.cluster().status().refused();
        hostile.send(message);
        await(what + " counted", () -> hub.cluster().status().refused() > refused
                && hub.cluster().status().refusedClaims().keySet().equals(reasons)
                && hub.cluster().status().claims().stream().allMatch(claim -> claim.node().equals("node-" + HOSTILE)));
        // Ids have no spaces.
        announce("after-" + what.replace(' ', '-'));
        await("honest endpoint after " + what, this::honestIsKnown);
    }

    private void isRefused(String what, Rogue hostile, Message message, Reason reason) {
        isRefused(what, hostile, message, Set.of(reason.name()));
        assertThat(hub.cluster().status().refusals()).containsKey(reason.refusal().text());
        assertThat(hub.cluster().status().claims()).extracting(ClusterStatus.Claim::reason).containsOnly(reason.refusal().text());
        // Else the next refusal of the same reason is no news.
        hostile.send(claims("node-" + HOSTILE, address(HOSTILE)));
        await("claim withdrawn", () -> hub.cluster().status().refusedClaims().isEmpty());
    }

    @Test
    void refusesClaimsOfOthersAndReservedResources() throws Exception {
        Rogue hostile = rogue(HOSTILE, Role.WORKER, hub);
        hostile.send(new Message.Hello(RingMark.NONE, false));
        Peer theirs = peer("net", "victim", victim);
        MacAddress own = MacAddress.parse("02:42:00:00:00:01");
        isRefused("endpoint", hostile, claim(endpoint("victim", "10.44.9.9/16")), Reason.ENDPOINT_TAKEN);
        isRefused("address", hostile, claim(endpoint("x", theirs.address().toString(), own)), Reason.ADDRESS_TAKEN);
        isRefused("MAC", hostile, claim(endpoint("x", "10.44.9.9/16", theirs.mac())), Reason.MAC_TAKEN);
        isRefused("gateway", hostile, claim(endpoint("x", "10.44.0.1/16")), Reason.RESERVED_ADDRESS);
        isRefused("broadcast address", hostile, claim(endpoint("x", "10.44.255.255/16")), Reason.RESERVED_ADDRESS);
        isRefused("address outside", hostile, claim(endpoint("x", "10.45.0.7/16")), Reason.OUTSIDE_SUBNETS);
        isRefused("VTEP", hostile, claims("node-" + HOSTILE, victim.at(), endpoint("x", "10.44.9.9/16")), Reason.VTEP_TAKEN);
        isRefused("VTEP of the hub", hostile, claims("node-" + HOSTILE, hub.at(), endpoint("x", "10.44.9.9/16")), Reason.VTEP_TAKEN);
        isRefused("VTEP of a group", hostile, claims("node-" + HOSTILE, InetAddress.ofLiteral("224.0.0.1"), endpoint("x", "10.44.9.9/16")),
                Reason.BAD_VTEP);
    }

    @Test
    void refusesMessagesThatWorkersMayNotSend() throws Exception {
        Rogue hostile = rogue(HOSTILE, Role.WORKER, hub);
        hostile.send(new Message.Hello(RingMark.NONE, false));
        isRefused("record of a worker", hostile, claims("node-2", address(HOSTILE)), Set.of());
        isRefused("record of a manager", hostile, claims("node-1", address(HOSTILE)), Set.of());
        isRefused("group MAC", hostile, claim(endpoint("x", "10.44.9.9/16", new MacAddress(0x01005e000001L))), Set.of());
        isRefused("subscription to everything", hostile, new Message.Subscribe(Set.of(), true), Set.of());
        isRefused("end of others' records", hostile, new Message.Records(List.of(), List.of("node-2"), true), Set.of());
        isRefused("acknowledgement", hostile, new Message.Acknowledge(1, 1, List.of()), Set.of());
        assertThat(hub.cluster().status().refusals()).contains(
                Map.entry(Refusal.FOREIGN_RECORD.text(), 2L), Map.entry(Refusal.SENDER.text(), 3L));
        // Its own good-bye is in order, and ends no other record.
        hostile.send(new Message.Goodbye(NodeRecord.GREATEST, NodeRecord.GREATEST));
        await("answered", () -> hostile.received.contains(new Message.Acknowledge(0, 0, List.of())));
        announce("after-the-good-bye");
        await("honest endpoint after the good-bye", this::honestIsKnown);
    }

    /** It shows a manager's certificates, which are no secret. Each takes as long to verify as a true one. */
    @Test
    void floodOfForgedRingsEndsWithTheFirst() throws Exception {
        byte[] forged = Files.readAllBytes(ringFile(hub));
        // The lowest octet of the version.
        forged[Long.BYTES] ^= 1;
        byte[] message = MessageCodec.encode(new Message.Ring(forged));
        Rogue hostile = rogue(HOSTILE, Role.WORKER, hub);
        hostile.send(new Message.Hello(RingMark.NONE, false));
        for (int times = 0; times < 200; times++) {
            hostile.offer(message);
        }
        await("session ended", hostile::hasEnded);
        announce("after-the-rings");
        await("honest endpoint after the rings", this::honestIsKnown);
        await("forged ring in status", () ->
                Long.valueOf(1).equals(hub.cluster().status().refusals().get(Refusal.RING_SIGNATURE.text())));
        assertThat(hub.cluster().status().refusals()).doesNotContainKey(Refusal.RING_RATE.text());
    }

    /** Median of the times in which new nodes join: they have the ring, and know the honest endpoints. */
    private long joinMillis(int first) {
        List<Long> all = new ArrayList<>();
        for (int number = first; number < first + JOINS; number++) {
            Host joining = host(number, Role.WORKER, HALF_A_DAY);
            long start = System.nanoTime();
            joining.start(hub.at());
            await("joined", () -> joining.cluster().peers("net").containsAll(honest) && sameRing(hub, joining));
            all.add(millisSince(start));
            joining.cluster().close();
        }
        Collections.sort(all);
        return all.get(JOINS / 2);
    }

    private static long heap() {
        System.gc();
        return ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
    }

    /** Claims as many endpoints, in as many networks, as are taken from one node; others each time. */
    private Message.Announce largeRecord(int number, Random random) {
        List<NetworkRecord> networks = new ArrayList<>();
        networks.add(new NetworkRecord("net", List.of(), IntStream.range(0, NodeRecord.MOST_ENDPOINTS)
                .mapToObj(n -> endpoint(number + "-" + random.nextInt(), "10.45.%d.%d/16".formatted(n >> 8, n & 0xff))).toList()));
        for (int n = 1; n < NodeRecord.MOST_NETWORKS; n++) {
            networks.add(new NetworkRecord("net" + random.nextInt(), List.of(), List.of()));
        }
        return new Message.Announce(new NodeRecord("node-" + number, Role.WORKER, 1, 1 + random.nextLong(1L << 60), address(number), 0,
                false, false, false, networks));
    }

    private static Message.Subscribe largeSubscription(Random random) {
        return new Message.Subscribe(IntStream.range(0, NodeRecord.MOST_NETWORKS).mapToObj(_ -> "net" + random.nextInt())
                .collect(Collectors.toSet()), false);
    }

    /** Makes a flood of a rogue's, which goes on until its thread is interrupted. */
    private interface FloodFactory {
        Runnable make(Rogue rogue, int number);
    }

    /** What is true beside floods. */
    private interface Beside {
        void check() throws Exception;
    }

    /** Runs three floods for as long as the check takes. */
    private List<Rogue> beside(boolean rotate, FloodFactory floods, Beside beside) throws Exception {
        List<Rogue> flooding = new ArrayList<>();
        for (int number = HOSTILE; number < HOSTILE + 3; number++) {
            flooding.add(rogue(number, Role.WORKER, hub));
        }
        List<Thread> threads = new ArrayList<>();
        for (int n = 0; n < flooding.size(); n++) {
            Rogue rogue = flooding.get(n);
            Runnable flood = floods.make(rogue, HOSTILE + n);
            rogue.send(new Message.Hello(RingMark.NONE, rotate));
            threads.add(Thread.ofPlatform().start(flood));
        }
        try {
            beside.check();
        } finally {
            for (Thread thread : threads) {
                thread.interrupt();
                thread.join();
            }
        }
        return flooding;
    }

    /** Offers a message until the session takes it; returns whether it did before this thread was interrupted. */
    private static boolean offer(Rogue rogue, byte[] message) {
        while (!rogue.offer(message)) {
            try {
                Thread.sleep(1);
            } catch (InterruptedException _) {
                return false;
            }
        }
        return !Thread.currentThread().isInterrupted();
    }

    @Test
    void nodeJoinsBesideFloodOfRecordsAndSubscriptions() throws Exception {
        long usual = joinMillis(30);
        long before = heap();
        beside(true, this::floodOfRecordsAndSubscriptions, () -> {
            await("refused claims", () -> hub.cluster().status().refusedClaims().containsKey(Reason.OUTSIDE_SUBNETS.name()));
            long beside = joinMillis(40);
            long growth = heap() - before;
            System.out.printf("measured: a node joins in %d ms, beside a flood of records in %d ms; the heap grew by %d KiB%n",
                    usual, beside, growth >> 10);
            assertThat(beside).isLessThanOrEqualTo(2 * usual + NOISE_MILLIS);
            assertThat(growth).isLessThan(MOST_GROWTH);
            announce("beside-the-flood");
            await("honest endpoint beside the flood", this::honestIsKnown);
        });
    }

    private Runnable floodOfRecordsAndSubscriptions(Rogue rogue, int number) {
        Random random = new Random(number - HOSTILE);
        List<byte[]> messages = new ArrayList<>();
        for (int kinds = 0; kinds < 10; kinds++) {
            messages.add(MessageCodec.encode(largeRecord(number, random)));
            messages.add(MessageCodec.encode(largeSubscription(random)));
        }
        return () -> {
            for (int n = 0; offer(rogue, messages.get(n % messages.size())); n++) {
                // Until it is interrupted.
            }
        };
    }

    /** Each of its records counts, and is sent to everyone on the network. */
    @Test
    void honestEndpointsAreKnownBesideChurnOfRecords() throws Exception {
        long before = heap();
        List<Rogue> flooding = beside(false, HostileMemberTest::churn, () -> {
            await("records held back", () -> hub.cluster().status().refusals().containsKey(Refusal.RECORD_RATE.text()));
            for (int n = 0; n < JOINS; n++) {
                announce("beside-the-churn-" + n);
                await("honest endpoint beside the churn", () -> watcher.cluster().peers("net").containsAll(honest));
            }
            long growth = heap() - before;
            System.out.printf("measured: beside a churn of records the heap grew by %d KiB%n", growth >> 10);
            assertThat(growth).isLessThan(MOST_GROWTH);
        });
        flooding.forEach(Rogue::close);
        await("the newest records", () -> watcher.cluster().peers("net").size() == honest.size() + flooding.size() * ENDPOINTS);
        assertThat(sameRing(hub, victim, watcher)).isTrue();
    }

    private static Runnable churn(Rogue rogue, int number) {
        return () -> {
            for (long revision = 1; offer(rogue, churned(number, revision)); revision++) {
                // Until it is interrupted.
            }
        };
    }

    /** Returns a record of which one endpoint is another in each revision; the whole record is sent. */
    private static byte[] churned(int number, long revision) {
        String changing = number + "-" + revision;
        List<EndpointRecord> all = IntStream.range(0, ENDPOINTS).mapToObj(n ->
                endpoint(n == 0 ? changing : number + "--" + n, "10.44.%d.%d/16".formatted(200 + number - HOSTILE, 1 + n))).toList();
        return MessageCodec.encode(new Message.Announce(new NodeRecord("node-" + number, Role.WORKER, 1, revision, address(number), 0,
                false, false, false, List.of(new NetworkRecord("net", SUBNETS, all)))));
    }
}
