package io.vxseal.cluster;

import io.vxseal.address.Cidr;
import io.vxseal.address.MacAddress;
import io.vxseal.cluster.record.HubView.Retention;
import io.vxseal.cluster.ring.KeyAuthority;
import io.vxseal.cluster.ring.RingStatus;
import io.vxseal.encryption.Key;
import io.vxseal.encryption.KeyRing;
import io.vxseal.peers.Peer;
import java.net.InetAddress;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * A member in a process of its own, for sockets belong to the network namespace that their process is in. It has one
 * endpoint, named after its address. It writes what it hears of others' ({@code + 10.66.0.2}, {@code - 10.66.0.2}), and
 * over and over how many members it sees and which ring it has ({@code = 3 7 node-1 [1, 0, 2]}), and each ring's tags as
 * it comes ({@code * [1, 0, 2]}). It ends with its input.
 */
final class MemberProcess {
    private MemberProcess() {}

    /**
     * Runs one member until its input ends.
     *
     * @param words folder of certificates, file of managers, folder for the ring, port, seconds a key lives, address,
     *     seconds for which a silent member is kept
     */
    public static void main(String[] words) throws Exception {
        InetAddress at = InetAddress.ofLiteral(words[5]);
        KeyAuthority authority = new KeyAuthority(
                Duration.ofSeconds(Integer.parseInt(words[4])), 0, new SecureRandom());
        ClusterSettings settings = new ClusterSettings(Path.of(words[0]), Path.of(words[1]),
                Integer.parseInt(words[3]), Duration.ofHours(12), 0, Optional.of(Path.of(words[2])), Optional.of(Path.of(words[2])));
        ClusterListener listener = new ClusterListener() {
            @Override
            public void peersChanged(List<PeerChange> changes) {
                changes.forEach(change ->
                        say((change instanceof PeerChange.Added ? "+ " : "- ") + change.peer().endpoint()));
            }

            @Override
            public void ring(KeyRing ring) {
                say("* " + ring.keys().stream().map(Key::tag).toList());
            }
        };
        Retention retention = new Retention(Duration.ofSeconds(Integer.parseInt(words[6])), ClusterProcess.RETENTION.away());
        try (Cluster cluster = new Cluster(settings, authority, retention, listener)) {
            Cidr address = new Cidr(at, 24);
            cluster.announce(new Peer("net", at.getHostAddress(), address, MacAddress.of(at), at));
            cluster.subscribe("net", List.of());
            cluster.self(at, at);
            while (System.in.available() == 0) {
                ClusterStatus status = cluster.status();
                status.ring().ifPresent(ring -> say("= %d %d %s %s".formatted(
                        status.members().size(), ring.version(), ring.author(),
                        ring.keys().stream().map(RingStatus.KnownKey::tag).toList())));
                Thread.sleep(100);
            }
        }
        System.exit(0);
    }

    private static synchronized void say(String line) {
        System.out.println(line);
    }
}
