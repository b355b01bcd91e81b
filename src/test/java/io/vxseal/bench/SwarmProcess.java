package io.vxseal.bench;

import io.vxseal.cluster.Cluster;
import io.vxseal.cluster.ClusterListener;
import io.vxseal.cluster.ClusterSettings;
import io.vxseal.cluster.PeerChange;
import io.vxseal.encryption.KeyRing;
import io.vxseal.peers.Peer;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.BooleanSupplier;

/**
 * Process that plays some nodes of a swarm, each by a {@link Cluster} of its own. Obeys the words of {@link
 * ClusterBenchmark} on its standard input, and answers each with a line; times are of {@link System#nanoTime}, which all
 * processes of a host share.
 */
final class SwarmProcess {
    private static final Duration PATIENCE = Duration.ofMinutes(5);

    private final SwarmLayout layout;
    private final List<PlayedNode> nodes = new ArrayList<>();

    private SwarmProcess(SwarmLayout layout) {
        this.layout = layout;
    }

    /** A node, and what it has heard that somebody waits for. */
    private final class PlayedNode implements ClusterListener {
        private final int number;
        private final Cluster cluster;

        /** By network. Kept here to be counted: the cluster's answer is a copy of all of them. */
        private final Map<String, Set<Peer>> peers = new ConcurrentHashMap<>();

        private final ConcurrentLinkedQueue<String> probes = new ConcurrentLinkedQueue<>();
        private volatile KeyRing ring = KeyRing.EMPTY;
        private volatile long ringAt;

        PlayedNode(int number, Path folder, int port) {
            this.number = number;
            this.cluster = new Cluster(new ClusterSettings(folder, folder.resolveSibling("state.json"), port,
                    Duration.ofHours(12), 0, Optional.empty(), Optional.of(folder)), this);
            for (int network : layout.networks(number)) {
                cluster.subscribe(SwarmLayout.id(network), List.of(SwarmLayout.subnet(network)));
                SwarmLayout.endpoints(number, network).forEach(cluster::announce);
            }
        }

        /** Returns whether it has the keys and all endpoints of others, if this many nodes have each network. */
        boolean knowsAll(int[] members) {
            return !ring.isEmpty() && layout.networks(number).stream().allMatch(network ->
                    peers.getOrDefault(SwarmLayout.id(network), Set.of()).size() >= SwarmLayout.expected(members[network]));
        }

        @Override
        public void peersChanged(List<PeerChange> changes) {
            long now = System.nanoTime();
            for (PeerChange change : changes) {
                Peer peer = change.peer();
                Set<Peer> known = peers.computeIfAbsent(peer.network(), _ -> ConcurrentHashMap.newKeySet());
                switch (change) {
                    case PeerChange.Added _ -> known.add(peer);
                    case PeerChange.Removed _ -> known.remove(peer);
                }
                if (peer.endpoint().startsWith("probe")) {
                    probes.add(peer.endpoint() + " " + now);
                }
            }
        }

        @Override
        public void ring(KeyRing now) {
            ring = now;
            ringAt = System.nanoTime();
        }
    }

    /** Takes the folder of the nodes' folders, the hubs' port, the numbers of the first and last node, and how many the swarm has. */
    public static void main(String[] args) throws Exception {
        SwarmProcess process = new SwarmProcess(new SwarmLayout(Integer.parseInt(args[4])));
        for (int number = Integer.parseInt(args[2]); number <= Integer.parseInt(args[3]); number++) {
            process.nodes.add(process.new PlayedNode(number, Path.of(args[0], "s1-node-" + number), Integer.parseInt(args[1])));
        }
        System.out.println("ready");
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            String[] words = line.split(" ");
            System.out.println(process.obey(words[0], words.length > 1 ? Integer.parseInt(words[1]) : 0));
        }
        System.exit(0);
    }

    private String obey(String word, int number) throws Exception {
        return switch (word) {
            case "start" -> {
                for (PlayedNode node : nodes) {
                    InetAddress at = SwarmLayout.address(node.number);
                    node.cluster.self(at, at);
                }
                yield "started";
            }
            case "complete" -> {
                int[] members = layout.members(number);
                yield await(() -> nodes.stream().allMatch(node -> node.knowsAll(members)));
            }
            case "announce" -> {
                PlayedNode node = nodes.getFirst();
                long now = System.nanoTime();
                node.cluster.announce(layout.probe(node.number, number));
                yield String.valueOf(now);
            }
            case "heard" -> heard(number);
            case "rotate" -> {
                nodes.getFirst().cluster.rotate();
                yield "asked";
            }
            case "ringAt" -> String.join(" ", nodes.stream().map(node -> String.valueOf(node.ringAt)).toList());
            case "figures" -> figures();
            default -> "unknown " + word;
        };
    }

    /** Waits until each node that has the probe's network has heard of it, and returns when each did. */
    private String heard(int probe) throws InterruptedException {
        List<PlayedNode> concerned = nodes.stream().filter(node -> hasNetworkOf(node, probe)).toList();
        String id = SwarmLayout.probeId(probe);
        String since = await(() -> concerned.stream().allMatch(node -> node.probes.stream().anyMatch(p -> p.contains(id))));
        return since.equals("never") ? since : String.join(" ", concerned.stream()
                .map(node -> node.probes.stream().filter(p -> p.contains(id)).findFirst().orElseThrow())
                .map(p -> p.substring(p.lastIndexOf(' ') + 1)).toList());
    }

    private boolean hasNetworkOf(PlayedNode node, int probe) {
        int teller = probe >> 8;
        return node.number != teller && layout.networks(node.number).contains(layout.networks(teller).getFirst());
    }

    private static String await(BooleanSupplier condition) throws InterruptedException {
        long end = System.nanoTime() + PATIENCE.toNanos();
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() > end) {
                return "never";
            }
            Thread.sleep(10);
        }
        return String.valueOf(System.nanoTime());
    }

    private static String figures() throws Exception {
        long cpu = ProcessHandle.current().info().totalCpuDuration().orElseThrow().toNanos();
        System.gc();
        long resident = Long.parseLong(Files.readString(Path.of("/proc/self/statm")).split(" ")[1]) * 4096;
        return resident + " " + cpu;
    }
}
