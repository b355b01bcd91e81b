package io.vxseal.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.address.Cidr;
import io.vxseal.address.MacAddress;
import io.vxseal.cluster.Message.Own;
import io.vxseal.cluster.PeerChange.Added;
import io.vxseal.cluster.PeerChange.Removed;
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
        directory.hello(MEMBERS.get(0), "a", VTEP);
        assertThat(directory.everything(MEMBERS.get(0), 5, List.of(own(1, 0), own(2, 0)))).hasSize(2);
        directory.hello(MEMBERS.get(1), "a", VTEP);
        assertThat(directory.everything(MEMBERS.get(1), 1, List.of(own(1, 0)))).as("the same again").isEmpty();
        assertThat(directory.gone(MEMBERS.get(0))).containsExactly(new Removed(peer(own(2, 0), VTEP)));
        assertThat(directory.peers()).containsExactly(peer(own(1, 0), VTEP));
    }

    @Test
    void anEndpointThatMovesIsRemovedWhereItWas() {
        Directory directory = new Directory();
        InetAddress elsewhere = InetAddress.ofLiteral("10.0.0.2");
        directory.hello(MEMBERS.get(0), "a", VTEP);
        directory.hello(MEMBERS.get(1), "b", elsewhere);
        directory.announce(MEMBERS.get(0), 2, own(1, 0));
        assertThat(directory.announce(MEMBERS.get(1), 2, own(1, 0)))
                .containsExactly(new Removed(peer(own(1, 0), VTEP)), new Added(peer(own(1, 0), elsewhere)));
        assertThat(directory.withdraw(MEMBERS.get(0), 3, own(1, 0).id())).isEmpty();
        assertThat(directory.peers()).containsExactly(peer(own(1, 0), elsewhere));
    }

    @Test
    void onlyTheNextRevisionFollows() {
        Directory directory = new Directory();
        directory.hello(MEMBERS.get(0), "a", VTEP);
        assertThat(directory.follows(MEMBERS.get(0), 1)).isFalse();
        directory.everything(MEMBERS.get(0), 7, List.of());
        assertThat(directory.follows(MEMBERS.get(0), 8)).isTrue();
        assertThat(directory.follows(MEMBERS.get(0), 7)).isFalse();
        assertThat(directory.follows(MEMBERS.get(0), 9)).isFalse();
        assertThat(directory.follows(MEMBERS.get(1), 1)).isFalse();
    }

    @Test
    void whatASilentMemberToldStandsUntilItIsGone() {
        Directory directory = new Directory();
        directory.hello(MEMBERS.get(0), "a", VTEP);
        directory.everything(MEMBERS.get(0), 5, List.of(own(1, 0), own(2, 0)));
        assertThat(directory.silent(MEMBERS.get(0))).isEmpty();
        assertThat(directory.peers()).hasSize(2);
        assertThat(directory.hello(MEMBERS.get(0), "a", VTEP)).as("the cut is healed").isEmpty();
        assertThat(directory.everything(MEMBERS.get(0), 9, List.of(own(2, 0))))
                .containsExactly(new Removed(peer(own(1, 0), VTEP)));
        directory.silent(MEMBERS.get(0));
        assertThat(directory.gone(MEMBERS.get(0))).containsExactly(new Removed(peer(own(2, 0), VTEP)));
    }

    @Test
    void aNodeThatComesBackChangesOnlyWhatIsOther() {
        Directory directory = new Directory();
        directory.hello(MEMBERS.get(0), "a", VTEP);
        directory.everything(MEMBERS.get(0), 5, List.of(own(1, 0), own(2, 0)));
        directory.silent(MEMBERS.get(0));
        assertThat(directory.hello(MEMBERS.get(1), "a", VTEP)).as("it may tell of the same yet").isEmpty();
        assertThat(directory.everything(MEMBERS.get(1), 1, List.of(own(2, 0), own(3, 0)))).containsExactly(
                new Removed(peer(own(1, 0), VTEP)), new Added(peer(own(3, 0), VTEP)));
        assertThat(directory.gone(MEMBERS.get(0))).as("nothing of it is left").isEmpty();
    }

    @Test
    void aNodeThatIsBackBeforeItIsMissedLeavesNothingOfItsOldSelf() {
        Directory directory = new Directory();
        directory.hello(MEMBERS.get(0), "a", VTEP);
        directory.everything(MEMBERS.get(0), 5, List.of(own(1, 0), own(2, 0)));
        directory.hello(MEMBERS.get(1), "a", VTEP);
        directory.everything(MEMBERS.get(1), 1, List.of(own(2, 0)));
        assertThat(directory.silent(MEMBERS.get(0))).containsExactly(new Removed(peer(own(1, 0), VTEP)));
        assertThat(directory.peers()).containsExactly(peer(own(2, 0), VTEP));
    }

    @Test
    void anotherNodeAtTheAddressOfASilentOneTakesItsPlace() {
        Directory directory = new Directory();
        directory.hello(MEMBERS.get(0), "a", VTEP);
        directory.everything(MEMBERS.get(0), 5, List.of(own(1, 0)));
        assertThat(directory.hello(MEMBERS.get(1), "b", VTEP)).as("the one in view speaks for itself").isEmpty();
        assertThat(directory.silent(MEMBERS.get(0))).containsExactly(new Removed(peer(own(1, 0), VTEP)));
        directory.everything(MEMBERS.get(1), 5, List.of(own(2, 0)));
        directory.silent(MEMBERS.get(1));
        assertThat(directory.hello(MEMBERS.get(2), "c", VTEP)).containsExactly(new Removed(peer(own(2, 0), VTEP)));
    }

    @Test
    void aLostNodeGoesAtOnceIfItIsSilent() {
        Directory directory = new Directory();
        directory.hello(MEMBERS.get(0), "a", VTEP);
        directory.everything(MEMBERS.get(0), 5, List.of(own(1, 0)));
        assertThat(directory.lost(VTEP)).isEmpty();
        directory.silent(MEMBERS.get(0));
        assertThat(directory.lost(VTEP)).containsExactly(new Removed(peer(own(1, 0), VTEP)));
    }

    enum Kind { HELLO, ANNOUNCE, WITHDRAW, EVERYTHING, SILENT, GONE, LOST }

    record Step(Kind kind, int member, int node, int endpoint, int shape) {}

    @Provide
    Arbitrary<List<Step>> steps() {
        return Combinators.combine(Arbitraries.of(Kind.class), Arbitraries.integers().between(0, 2),
                Arbitraries.integers().between(0, 1), Arbitraries.integers().between(1, 4),
                Arbitraries.integers().between(0, 1))
                .as(Step::new).list().ofMaxSize(60);
    }

    /** The plainest model: what every member told, by whom it is replaced looked for among all after every step. */
    private static final class Model {
        String node;
        InetAddress vtep;
        boolean silent;
        boolean complete;
        final Set<Own.Id> told = new HashSet<>();

        boolean isReplacedBy(Model other) {
            return silent && !other.silent
                    && (node.equals(other.node) ? other.complete : vtep.equals(other.vtep));
        }
    }

    /**
     * Whoever applies the changes in order has what the directory has, and that is what members still tell, or told before
     * they fell silent. Nothing that stands on both sides of a change is touched by it.
     */
    @Property(tries = 1000)
    void changesAddUpToWhatMembersTell(@ForAll("steps") List<Step> steps) {
        Directory directory = new Directory();
        Map<UUID, Model> models = new HashMap<>();
        Set<Peer> seen = new HashSet<>();
        for (Step step : steps) {
            UUID member = MEMBERS.get(step.member());
            InetAddress vtep = InetAddress.ofLiteral("10.0.0." + (1 + step.shape()));
            Own own = own(step.endpoint(), step.shape());
            boolean speaks = models.containsKey(member) && !models.get(member).silent;
            Set<Peer> before = Set.copyOf(seen);
            List<PeerChange> changes = new ArrayList<>();
            if (step.kind() == Kind.HELLO || !speaks && step.kind().compareTo(Kind.SILENT) < 0) {
                // A member is of one node all its life.
                String node = models.containsKey(member) ? models.get(member).node : "node-" + step.node();
                changes.addAll(directory.hello(member, node, vtep));
                Model model = models.computeIfAbsent(member, _ -> new Model());
                model.node = node;
                model.vtep = vtep;
                model.silent = false;
                dropReplaced(models);
            }
            Model model = models.get(member);
            switch (step.kind()) {
                case HELLO -> { }
                case ANNOUNCE -> {
                    if (directory.follows(member, 2)) {
                        changes.addAll(directory.announce(member, 1, own));
                        model.told.add(own.id());
                    }
                }
                case WITHDRAW -> {
                    if (directory.follows(member, 2)) {
                        changes.addAll(directory.withdraw(member, 1, own.id()));
                        model.told.remove(own.id());
                    }
                }
                case EVERYTHING -> {
                    changes.addAll(directory.everything(member, 1, List.of(own, own(4, 0))));
                    model.told.clear();
                    model.told.addAll(List.of(own.id(), own(4, 0).id()));
                    model.complete = true;
                }
                case SILENT -> {
                    changes.addAll(directory.silent(member));
                    if (model != null) {
                        model.silent = true;
                    }
                }
                case GONE -> {
                    changes.addAll(directory.gone(member));
                    models.remove(member);
                }
                case LOST -> {
                    changes.addAll(directory.lost(vtep));
                    models.values().removeIf(silent -> silent.silent && silent.vtep.equals(vtep));
                }
            }
            dropReplaced(models);
            for (PeerChange change : changes) {
                switch (change) {
                    case Added(var peer) -> assertThat(seen.add(peer)).isTrue();
                    case Removed(var peer) -> assertThat(seen.remove(peer)).isTrue();
                }
            }
            assertThat(seen).containsExactlyInAnyOrderElementsOf(directory.peers());
            Set<Own.Id> ids = new HashSet<>();
            models.values().forEach(each -> ids.addAll(each.told));
            assertThat(seen.stream().map(p -> new Own.Id(p.network(), p.endpoint())))
                    .containsExactlyInAnyOrderElementsOf(ids);
            if (step.kind() != Kind.HELLO && speaks) {
                // An introduction before the step may itself move what the step moves back.
                Set<Peer> stood = new HashSet<>(before);
                stood.retainAll(seen);
                assertThat(changes).extracting(PeerChange::peer).noneMatch(stood::contains);
            }
        }
    }

    private static void dropReplaced(Map<UUID, Model> models) {
        Set<Model> all = Set.copyOf(models.values());
        models.values().removeIf(old -> all.stream().anyMatch(old::isReplacedBy));
    }

    private static Own own(int number, int shape) {
        Cidr address = Cidr.parse("10.44.%d.%d/24".formatted(shape, number));
        return new Own(new Own.Id("net", "ep" + number), address, MacAddress.of(address.address()));
    }

    private static Peer peer(Own own, InetAddress vtep) {
        return new Peer(own.id().network(), own.id().endpoint(), own.address(), own.mac(), vtep);
    }
}
