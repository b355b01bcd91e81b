package io.vxseal.cluster;

import io.vxseal.address.Cidr;
import io.vxseal.address.MacAddress;
import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.message.MessageChannel;
import io.vxseal.cluster.message.RingMark;
import io.vxseal.cluster.record.EndpointRecord;
import io.vxseal.cluster.record.NetworkRecord;
import io.vxseal.cluster.record.NodeRecord;
import io.vxseal.cluster.record.SubnetRecord;
import io.vxseal.peers.Peer;
import io.vxseal.swarm.NodeName;
import io.vxseal.swarm.Role;
import java.net.InetAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;

/** A process that holds a worker's certificate and says what it likes. */
final class HostileWorker {
    private final Simulation world;
    private final NodeName name;
    private final InetAddress address;
    private final Random random;
    private final Map<String, MessageChannel> sessions = new LinkedHashMap<>();
    private final List<byte[]> rings = new ArrayList<>();
    private long revision = 1;
    /** Honest endpoints whose addresses it claims, and the hosts that have them. */
    final Set<InetAddress> claimed = new HashSet<>();
    final Set<String> victims = new HashSet<>();
    private final List<Peer> targets = new ArrayList<>();

    HostileWorker(Simulation world, int number, Random random) {
        this.world = world;
        this.name = new NodeName("swarm", Role.WORKER, "x" + number);
        this.address = InetAddress.ofLiteral("10.1.9." + (number + 1));
        this.random = random;
    }

    String id() {
        return name.node();
    }

    boolean isMine(Peer peer) {
        return peer.vtep().equals(address) || peer.endpoint().startsWith(id());
    }

    void begin() {
        for (SimulatedHost host : world.hosts) {
            if (host.isUp() && random.nextInt(3) == 0) {
                host.containers.values().forEach(each -> targets.addAll(each.values()));
                victims.add(host.id);
            }
        }
        targets.forEach(peer -> claimed.add(peer.address().address()));
        act();
    }

    private void act() {
        for (SimulatedHost host : world.hosts) {
            if (host.role == Role.MANAGER && host.isUp() && !sessions.containsKey(host.id)) {
                MessageChannel channel = host.openFor(name, new End(host.id));
                sessions.put(host.id, channel);
                channel.send(new Message.Hello(RingMark.NONE, random.nextBoolean()));
                channel.send(new Message.Subscribe(Set.of("net0", "net1"), false));
            }
        }
        List.copyOf(sessions.values()).forEach(channel -> channel.send(something()));
        world.network.after(Duration.ofMillis(200 + random.nextInt(4000)), this::act);
    }

    private Message something() {
        return switch (random.nextInt(10)) {
            case 0 -> new Message.Subscribe(Set.of("net0"), true);
            case 1 -> new Message.Announce(record("m01", 1L << 61, address, List.of()));
            case 2 -> new Message.Ring(rings.isEmpty() || random.nextBoolean() ? new byte[] {1, 2, 3, 4} : rings.get(random.nextInt(rings.size())));
            case 3 -> new Message.Acknowledge(1, 1, List.of());
            case 4 -> new Message.Records(List.of(), List.of("m01", "w05"), true);
            // Another's VTEP, and with it whatever is sent there.
            case 5 -> new Message.Announce(record(id(), 7, world.hosts.get(random.nextInt(world.hosts.size())).address, claims()));
            case 6 -> new Message.Announce(record(id(), 7, InetAddress.ofLiteral("224.0.0.1"), claims()));
            case 7 -> new Message.Heartbeat(world.signatures.isEmpty() ? RingMark.NONE
                    : world.signatures.get(random.nextInt(world.signatures.size())).mark(), true);
            default -> new Message.Announce(record(id(), 7, address, claims()));
        };
    }

    private NodeRecord record(String node, long incarnation, InetAddress vtep, List<NetworkRecord> networks) {
        return new NodeRecord(node, Role.MANAGER, incarnation, ++revision, vtep, 1, false, false, false, networks);
    }

    /** Only what others have, or nobody may have: what is free anybody may have. */
    private List<NetworkRecord> claims() {
        Map<String, List<EndpointRecord>> all = new HashMap<>();
        for (Peer peer : targets) {
            if (random.nextBoolean()) {
                String endpoint = random.nextInt(3) == 0 ? peer.endpoint() : id() + "-" + random.nextInt(5) + "-" + peer.endpoint();
                all.computeIfAbsent(peer.network(), _ -> new ArrayList<>())
                        .add(new EndpointRecord(endpoint, peer.address(), peer.mac(), 1));
            }
        }
        for (String net : List.of("net0", "net1")) {
            List<EndpointRecord> there = all.computeIfAbsent(net, _ -> new ArrayList<>());
            int number = Integer.parseInt(net.substring(3));
            for (String wrong : List.of("10.44.%d.1/24", "10.44.%d.255/24", "10.44.%d.0/24", "10.99.%d.7/24")) {
                if (random.nextInt(3) == 0) {
                    Cidr cidr = Cidr.parse(wrong.formatted(number));
                    there.add(new EndpointRecord(id() + "-" + wrong, cidr, MacAddress.of(cidr.address()), 1));
                }
            }
        }
        List<NetworkRecord> networks = new ArrayList<>();
        all.forEach((net, endpoints) -> networks.add(new NetworkRecord(net,
                random.nextBoolean() ? List.of() : List.of(new SubnetRecord(Cidr.parse("10.0.0.0/8"), InetAddress.ofLiteral("10.0.0.1"))),
                endpoints)));
        return networks;
    }

    /** Keeps the rings that it is sent, and answers recalls at once, with lies. */
    private final class End implements VirtualNetwork.End {
        private final String hub;

        End(String hub) {
            this.hub = hub;
        }

        @Override
        public void received(MessageChannel channel, Message message) {
            switch (message) {
                case Message.Ring(var octets) -> rings.add(octets);
                case Message.RecallRequest() -> channel.send(new Message.RecallReply(claims()));
                default -> { }
            }
        }

        @Override
        public void drained(MessageChannel channel) {}

        @Override
        public void closed(MessageChannel channel) {
            sessions.remove(hub);
        }

        @Override
        public boolean isAlive() {
            return true;
        }
    }
}
