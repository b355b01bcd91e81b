package io.vxseal.peers;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.address.Cidr;
import io.vxseal.address.MacAddress;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
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
    void latestClaimIsInForceUntilWithdrawn() {
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
    void movedAddressKeepsEntryWhenOldClaimIsWithdrawn() {
        PeerDatabase peers = new PeerDatabase();
        Peer old = peer(1, 2, 1);
        Peer moved = peer(2, 2, 2);
        peers.add(old);
        peers.add(moved);
        assertThat(peers.remove(old).isNone()).isTrue();
        assertThat(inForce(peers, old.address().address())).contains(moved);
    }

    @Test
    void repeatedClaimChangesNothing() {
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
    void agreesWithListOfClaims(
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

    /**
     * An address goes from node to node, and the nodes' claims and withdrawals come mixed in any way in which each
     * endpoint claims before it withdraws: at every moment the latest claim that stands is in force, and in the end the
     * one that was not withdrawn.
     */
    @Property
    void remainingClaimOfMovingAddressIsInForceInAnyOrder(
            @ForAll @Size(min = 2, max = 6) List<@IntRange(min = 1, max = 2) Integer> nodes,
            @ForAll boolean stays,
            @ForAll Random mix) {
        PeerDatabase peers = new PeerDatabase();
        List<Peer> moves = IntStream.range(0, nodes.size())
                .mapToObj(endpoint -> peer(endpoint, 2, nodes.get(endpoint)))
                .toList();
        Peer last = moves.getLast();
        List<Peer> calls = new ArrayList<>(moves);
        calls.addAll(stays ? moves.subList(0, moves.size() - 1) : moves);
        Collections.shuffle(calls, mix);

        List<Peer> standing = new ArrayList<>();
        Set<Peer> claimed = new HashSet<>();
        for (Peer peer : calls) {
            // Of the two calls for an endpoint the first is the claim.
            if (claimed.add(peer)) {
                standing.add(peer);
                assertThat(peers.add(peer).after()).contains(peer);
            } else {
                standing.remove(peer);
                peers.remove(peer);
            }
            assertThat(inForce(peers, last.address().address()))
                    .isEqualTo(standing.isEmpty() ? Optional.empty() : Optional.of(standing.getLast()));
        }
        assertThat(inForce(peers, last.address().address())).isEqualTo(stays ? Optional.of(last) : Optional.empty());
        assertThat(peers.vteps()).isEqualTo(stays ? Set.of(last.vtep()) : Set.of());
    }

    /** Many endpoints come and go over few nodes: a node is there from its first one until its last one goes. */
    @Property
    void vtepRemainsUntilItsLastEndpointIsRemoved(
            @ForAll @Size(max = 60) List<@IntRange(max = 11) Integer> calls) {
        PeerDatabase peers = new PeerDatabase();
        Set<Integer> there = new HashSet<>();
        for (int endpoint : calls) {
            Peer peer = peer(endpoint, 1 + endpoint, 1 + endpoint % 3);
            if (there.add(endpoint)) {
                peers.add(peer);
            } else {
                there.remove(endpoint);
                peers.remove(peer);
            }
            for (int node = 0; node < 3; node++) {
                int on = node;
                assertThat(peers.vteps().contains(InetAddress.ofLiteral("10.55.0." + (1 + node))))
                        .isEqualTo(there.stream().anyMatch(e -> e % 3 == on));
            }
        }
    }

    private static Optional<Peer> inForce(PeerDatabase peers, InetAddress address) {
        return peers.walk().stream().filter(peer -> peer.address().address().equals(address)).findFirst();
    }
}
