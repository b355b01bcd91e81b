import io.vxseal.cluster.Cluster;
import io.vxseal.cluster.ClusterListener;
import io.vxseal.cluster.ClusterSettings;
import io.vxseal.cluster.PeerChange;
import io.vxseal.encryption.KeyRing;
import io.vxseal.address.Cidr;
import io.vxseal.address.MacAddress;
import io.vxseal.peers.Peer;
import java.net.InetAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The other nodes, for {@code plugin/measure}: members of the cluster at addresses one after the other, which together
 * have many endpoints in one network. Runs until its input ends.
 */
final class Crowd {
    private static final int PORT = 4788;

    private Crowd() {}

    /** @param words folder of the swarm's nodes, first address, node to begin with, endpoints, network, then nodes' names */
    static void main(String[] words) throws Exception {
        Path swarm = Path.of(words[0]);
        InetAddress first = InetAddress.ofLiteral(words[1]);
        InetAddress seed = InetAddress.ofLiteral(words[2]);
        int endpoints = Integer.parseInt(words[3]);
        String network = words[4];
        List<String> names = List.of(words).subList(5, words.length);
        List<Cluster> members = new ArrayList<>();
        for (int i = 0; i < names.size(); i++) {
            InetAddress at = plus(first, i);
            ClusterSettings settings = new ClusterSettings(
                    swarm.resolve(names.get(i), "certificates"), swarm.resolve(names.get(i), "state.json"), PORT,
                    Duration.ofHours(12), 0, Optional.empty());
            Cluster member = new Cluster(settings, new Deaf());
            for (int mine = i; mine < endpoints; mine += names.size()) {
                InetAddress address = plus(InetAddress.ofLiteral("10.44.1.0"), mine);
                member.announce(new Peer(network, "%064x".formatted(mine), new Cidr(address, 16), MacAddress.of(address), at));
            }
            member.found(seed);
            member.self(at, at);
            members.add(member);
        }
        while (System.in.read() >= 0) {
            // until who started this goes
        }
        System.exit(0);
    }

    private static InetAddress plus(InetAddress address, int number) throws Exception {
        int sum = java.nio.ByteBuffer.wrap(address.getAddress()).getInt() + number;
        return InetAddress.getByAddress(java.nio.ByteBuffer.allocate(4).putInt(sum).array());
    }

    /** Members that only tell. */
    private static final class Deaf implements ClusterListener {
        @Override
        public void peersChanged(List<PeerChange> changes) {}

        @Override
        public void ring(KeyRing ring) {}
    }
}
