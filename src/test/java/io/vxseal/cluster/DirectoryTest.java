package io.vxseal.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.cluster.Directory.Added;
import io.vxseal.cluster.Directory.Change;
import io.vxseal.cluster.Directory.Removed;
import io.vxseal.cluster.Message.Own;
import io.vxseal.kernel.Cidr;
import io.vxseal.kernel.MacAddress;
import io.vxseal.peers.Peer;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.junit.jupiter.api.Test;

class DirectoryTest {
    private static final List<UUID> MEMBERS = List.of(new UUID(0, 1), new UUID(0, 2), new UUID(0, 3));
    private static final InetAddress VTEP = InetAddress.ofLiteral("10.0.0.1");

    @Test
    void aNodeThatComesBackBeforeItsOldSelfIsGoneIsNotTakenDownWithIt() {
        Directory directory = new Directory();
        directory.hello(MEMBERS.get(0), VTEP);
        assertThat(directory.everything(MEMBERS.get(0), 5, List.of(own(1, 0), own(2, 0)))).hasSize(2);
        directory.hello(MEMBERS.get(1), VTEP);
        assertThat(directory.everything(MEMBERS.get(1), 1, List.of(own(1, 0)))).as("the same again").isEmpty();
        assertThat(directory.gone(MEMBERS.get(0))).containsExactly(new Removed(peer(own(2, 0), VTEP)));
        assertThat(directory.peers()).containsExactly(peer(own(1, 0), VTEP));
    }

    @Test
    void anEndpointThatMovesIsRemovedWhereItWas() {
        Directory directory = new Directory();
        InetAddress elsewhere = InetAddress.ofLiteral("10.0.0.2");
        directory.hello(MEMBERS.get(0), VTEP);
        directory.hello(MEMBERS.get(1), elsewhere);
        directory.announce(MEMBERS.get(0), 2, own(1, 0));
        assertThat(directory.announce(MEMBERS.get(1), 2, own(1, 0)))
                .containsExactly(new Removed(peer(own(1, 0), VTEP)), new Added(peer(own(1, 0), elsewhere)));
        assertThat(directory.withdraw(MEMBERS.get(0), 3, own(1, 0).id())).isEmpty();
        assertThat(directory.peers()).containsExactly(peer(own(1, 0), elsewhere));
    }

    @Test
    void onlyTheNextRevisionFollows() {
        Directory directory = new Directory();
        directory.hello(MEMBERS.get(0), VTEP);
        assertThat(directory.follows(MEMBERS.get(0), 1)).isFalse();
        directory.everything(MEMBERS.get(0), 7, List.of());
        assertThat(directory.follows(MEMBERS.get(0), 8)).isTrue();
        assertThat(directory.follows(MEMBERS.get(0), 7)).isFalse();
        assertThat(directory.follows(MEMBERS.get(0), 9)).isFalse();
        assertThat(directory.follows(MEMBERS.get(1), 1)).isFalse();
    }

    private record Step(int kind, int member, int endpoint, int shape) {}

    @Provide
    Arbitrary<List<Step>> steps() {
        return Combinators.combine(Arbitraries.integers().between(0, 4), Arbitraries.integers().between(0, 2),
                Arbitraries.integers().between(1, 4), Arbitraries.integers().between(0, 1))
                .as(Step::new).list().ofMaxSize(60);
    }

    /** Whoever applies the changes in order has what the directory has, and that is what members still tell. */
    @Property(tries = 500)
    void changesAddUpToWhatMembersTell(@ForAll("steps") List<Step> steps) {
        Directory directory = new Directory();
        Map<UUID, Set<Own.Id>> told = new HashMap<>();
        Set<Peer> seen = new HashSet<>();
        for (Step step : steps) {
            UUID member = MEMBERS.get(step.member());
            Own own = own(step.endpoint(), step.shape());
            List<Change> changes = new ArrayList<>();
            if (step.kind() == 0 || !directory.knows(member)) {
                changes.addAll(directory.hello(member, InetAddress.ofLiteral("10.0.0." + (1 + step.shape()))));
                told.computeIfAbsent(member, _ -> new HashSet<>());
            }
            switch (step.kind()) {
                case 1 -> {
                    changes.addAll(directory.announce(member, 1, own));
                    told.get(member).add(own.id());
                }
                case 2 -> {
                    changes.addAll(directory.withdraw(member, 1, own.id()));
                    told.get(member).remove(own.id());
                }
                case 3 -> {
                    changes.addAll(directory.everything(member, 1, List.of(own, own(4, 0))));
                    told.put(member, new HashSet<>(List.of(own.id(), own(4, 0).id())));
                }
                case 4 -> {
                    changes.addAll(directory.gone(member));
                    told.remove(member);
                }
                default -> { }
            }
            for (Change change : changes) {
                switch (change) {
                    case Added(var peer) -> assertThat(seen.add(peer)).isTrue();
                    case Removed(var peer) -> assertThat(seen.remove(peer)).isTrue();
                }
            }
            assertThat(seen).containsExactlyInAnyOrderElementsOf(directory.peers());
            Set<Own.Id> ids = new HashSet<>();
            told.values().forEach(ids::addAll);
            assertThat(seen.stream().map(p -> new Own.Id(p.network(), p.endpoint())))
                    .containsExactlyInAnyOrderElementsOf(ids);
        }
    }

    private static Own own(int number, int shape) {
        Cidr address = Cidr.parse("10.44.%d.%d/24".formatted(shape, number));
        return new Own(new Own.Id("net", "ep" + number), address, MacAddress.of(address.address()));
    }

    private static Peer peer(Own own, InetAddress vtep) {
        return new Peer(own.id().network(), own.id().endpoint(), own.address(), own.mac(), vtep);
    }
}
