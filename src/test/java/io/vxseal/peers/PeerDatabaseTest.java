package io.vxseal.peers;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.kernel.Cidr;
import io.vxseal.kernel.MacAddress;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;

class PeerDatabaseTest {
    static Peer peer(int endpoint, int host, int node) {
        Cidr address = Cidr.parse("10.44.0." + host + "/24");
        return new Peer(
                "net",
                "ep" + endpoint,
                address,
                MacAddress.of(address.address()),
                InetAddress.ofLiteral("10.55.0." + node));
    }

    @Test
    void theLatestClaimIsInForceAndTheOneBeforeReturnsWhenItGoes() {
        PeerDatabase peers = new PeerDatabase();
        Peer old = peer(1, 2, 1);
        Peer moved = peer(2, 2, 2);
        peers.add(old);
        assertThat(peers.add(moved)).isEqualTo(new PeerDatabase.Change(Optional.of(old), Optional.of(moved)));
        assertThat(peers.vteps()).hasSize(2);
        assertThat(peers.remove(moved).after()).contains(old);
    }

    /** A task moved to another node: the old node's withdrawal comes after the new node's claim, and must not take the entry along. */
    @Test
    void anAddressThatMovedKeepsItsNewEntryWhenTheOldClaimIsWithdrawn() {
        PeerDatabase peers = new PeerDatabase();
        Peer old = peer(1, 2, 1);
        Peer moved = peer(2, 2, 2);
        peers.add(old);
        peers.add(moved);
        assertThat(peers.remove(old).isNone()).isTrue();
        assertThat(peers.find(old.address().address())).contains(moved);
    }

    @Test
    void sayingItAgainChangesNothing() {
        PeerDatabase peers = new PeerDatabase();
        peers.add(peer(1, 2, 1));
        assertThat(peers.add(peer(1, 2, 1)).isNone()).isTrue();
        peers.remove(peer(1, 2, 1));
        assertThat(peers.walk()).isEmpty();
        assertThat(peers.vteps()).isEmpty();
        assertThat(peers.remove(peer(1, 2, 1)).isNone()).isTrue();
    }

    /** Against the plainest model: the list of claims, in the order they came. */
    @Property
    void itIsTheListOfClaims(
            @ForAll @Size(max = 40) List<@IntRange(max = 999) Integer> calls) {
        PeerDatabase peers = new PeerDatabase();
        List<Peer> claims = new ArrayList<>();
        for (int call : calls) {
            Peer peer = peer(call % 4, 1 + call / 4 % 3, 1 + call / 12 % 2);
            boolean add = call / 24 % 3 < 2;
            if (add) {
                claims.removeIf(c -> c.endpoint().equals(peer.endpoint()) && c.address().equals(peer.address()));
                claims.add(peer);
                peers.add(peer);
            } else {
                claims.remove(peer);
                peers.remove(peer);
            }
        }
        assertThat(peers.vteps()).isEqualTo(claims.stream().map(Peer::vtep).collect(Collectors.toSet()));
        assertThat(peers.walk())
                .containsExactlyInAnyOrderElementsOf(claims.stream()
                        .collect(Collectors.toMap(Peer::address, p -> p, (earlier, later) -> later))
                        .values());
    }
}
