package io.vxseal.bench;

import io.vxseal.address.Cidr;
import io.vxseal.address.MacAddress;
import io.vxseal.cluster.Cluster;
import io.vxseal.cluster.ClusterListener;
import io.vxseal.cluster.ClusterSettings;
import io.vxseal.cluster.PeerChange;
import io.vxseal.encryption.KeyRing;
import io.vxseal.peers.Peer;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * The other nodes of {@code plugin/measure}: members of the cluster at consecutive addresses, with many endpoints of one
 * network between them. Runs until its input ends.
 */
final class OtherNodes {
    private static final int PORT = 4788;

    private OtherNodes() {}

    /** @param words folder of the swarm's nodes, first address, address of a known node, endpoints, network, then nodes' names */
    static void main(String[] words) throws Exception {
        Path swarm = Path.of(words[0]);
        InetAddress first = InetAddress.ofLiteral(words[1]);
        InetAddress seed = InetAddress.ofLiteral(words[2]);
        int endpoints = Integer.parseInt(words[3]);
        String network = words[4];
        List<String> names = List.of(words).subList(5, words.length);
        for (int i = 0; i < names.size(); i++) {
            InetAddress at = plus(first, i);
            ClusterSettings settings = new ClusterSettings(
                    swarm.resolve(names.get(i), "certificates"), swarm.resolve(names.get(i), "state.json"), PORT,
                    Duration.ofHours(12), 0, Optional.empty(), Optional.empty());
            Cluster member = new Cluster(settings, new IgnoringListener());
            for (int mine = i; mine < endpoints; mine += names.size()) {
                InetAddress address = plus(InetAddress.ofLiteral("10.44.1.0"), mine);
                member.announce(new Peer(network, "%064x".formatted(mine), new Cidr(address, 16), MacAddress.of(address), at));
            }
            member.found(seed);
            member.self(at, at);
        }
        while (System.in.read() >= 0) {
            // Until the script closes the pipe.
        }
        System.exit(0);
    }

    private static InetAddress plus(InetAddress address, int number) throws Exception {
        int sum = ByteBuffer.wrap(address.getAddress()).getInt() + number;
        return InetAddress.getByAddress(ByteBuffer.allocate(4).putInt(sum).array());
    }

    /** A listener that ignores what the member learns. */
    private static final class IgnoringListener implements ClusterListener {
        @Override
        public void peersChanged(List<PeerChange> changes) {}

        @Override
        public void ring(KeyRing ring) {}
    }
}
