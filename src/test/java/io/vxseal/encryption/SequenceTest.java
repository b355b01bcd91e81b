package io.vxseal.encryption;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.address.NodeAddresses;
import io.vxseal.kernel.xfrm.SecurityAssociation;
import io.vxseal.kernel.xfrm.SecurityPolicy;
import io.vxseal.kernel.xfrm.XfrmChange;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.statistics.Statistics;

/**
 * Random sequences of what happens to a swarm's keys, nodes, addresses and kernels, over {@link HeldPlans} and {@link
 * Transition}: three hosts, each with a simulated kernel that takes the steps one at a time.
 *
 * <p>What one host holds depends on how far it is in its own steps only. So the moments of all interleavings of two
 * hosts' steps are the pairs of their moments, and <em>every</em> interleaving is checked, by checking every pair.
 *
 * <p>Shown of every action, from the ring <i>old</i> to the ring <i>new</i>, for every host on which all steps were
 * done, before and now:
 *
 * <ul>
 *   <li>in the end it holds exactly what is planned;
 *   <li>at every step a policy that seals names a state that is there, and while an encrypted network is up, the policy
 *       that blocks stands. Except: if another key takes the primary's tag, or the host another bind address behind the
 *       same advertised one, the kernel has one place for both states, and for a moment none is there; then nothing is
 *       sent;
 *   <li>it seals with the primary of <i>old</i> or that of <i>new</i>, never with another key.
 * </ul>
 *
 * And for a receiver that is up to date with a sender: it knows the sender at its present address, and holds all of
 * <i>old</i>, all of <i>new</i>, or is in its own transition between the two:
 *
 * <ul>
 *   <li>it knows all keys of both rings from its last addition until its first removal, at every moment all of
 *       <i>old</i> or all of <i>new</i>, and what they share the whole time. (Of two keys with one tag it knows one.)
 *   <li>so it knows the key that the sender uses, at every moment of both, if both rings have that key. In a rotation,
 *       where <i>new</i> has the old primary and <i>old</i> had the new one, that is any key the sender can use. In
 *       another replacement, a sender may be ahead of a receiver with a key that nobody could have told it.
 * </ul>
 *
 * A step that a kernel refuses, whether the host goes on after it or dies of it, takes the host out of these until its
 * next change or repair, which starts from what is really there and ends in what is planned.
 */
class SequenceTest {

    /** A host with a simulated kernel. */
    private static final class Host {
        private Wanted wanted;
        private final Held held = Held.nothing();
        private Map<InetAddress, NodePlan> applied = Map.of();
        private Set<SecurityPolicy> blocks = Set.of();
        private Optional<Action.Fail> fault = Optional.empty();
        private boolean whole = true;

        private Host(NodeAddresses ends) {
            wanted = new Wanted(ends, KeyRing.EMPTY, Set.of(), false);
        }

        private Change apply(Wanted next) {
            Wanted before = wanted;
            boolean wholeBefore = whole;
            List<XfrmChange> steps = steps(next);
            List<Held> moments = new ArrayList<>(List.of(held.copy()));
            int refused = fault.isPresent() && !steps.isEmpty() ? fault.get().step() % steps.size() : steps.size();
            boolean dies = fault.isPresent() && fault.get().dies();
            whole = true;
            for (int i = 0; i < steps.size(); i++) {
                if (i == refused || i > refused && dies || !take(steps.get(i))) {
                    whole = false;
                }
                moments.add(held.copy());
            }
            wanted = next;
            if (whole) {
                applied = next.plans();
                blocks = next.blocks();
            } else {
                fault = Optional.empty();
                read(Set.of(next.ends().bind()));
            }
            return new Change(before, next, moments, wholeBefore, whole);
        }

        /** Returns false if a state that a refused removal left is in the way. */
        private boolean take(XfrmChange step) {
            if (!whole && step instanceof XfrmChange.AddState add && held.taken(add.association().id())) {
                return false;
            }
            held.take(step);
            return true;
        }

        private List<XfrmChange> steps(Wanted next) {
            Transition transition = new Transition(1).block(blocks, next.blocks());
            Map<InetAddress, NodePlan> plans = next.plans();
            Set<InetAddress> nodes = new HashSet<>(applied.keySet());
            nodes.addAll(plans.keySet());
            nodes.forEach(node -> transition.add(
                    applied.getOrDefault(node, NodePlan.EMPTY), plans.getOrDefault(node, NodePlan.EMPTY)));
            return transition.steps();
        }

        private void read(Set<InetAddress> known) {
            HeldPlans there = HeldPlans.of(held.states().values(), held.policies().values(), known);
            applied = there.plans();
            blocks = there.blocks();
        }
    }

    /**
     * Change of one host by an action.
     *
     * @param moments what its kernel held before the first step and after each
     * @param wholeBefore whether all steps of the change before were done
     * @param wholeAfter whether all of this one were
     */
    private record Change(Wanted before, Wanted after, List<Held> moments, boolean wholeBefore, boolean wholeAfter) {
        boolean stays() {
            return before.ends().equals(after.ends());
        }

        boolean sealedThroughout(InetAddress node) {
            return before.sealedTo().contains(node) && after.sealedTo().contains(node);
        }
    }

    @Provide
    Arbitrary<List<Action>> sequences() {
        return Arbitraries.randomValue(random -> Action.draw(random, Action.HOSTS)).list().ofMinSize(5).ofMaxSize(40);
    }

    @Property(tries = 300)
    void endsInThePlanAndLosesNoKeyInUseAtAnyStep(
            @ForAll("sequences") List<Action> sequence, @ForAll boolean ipv6) {
        List<Host> hosts = IntStream.range(0, Action.HOSTS)
                .mapToObj(host -> new Host(Action.home(host, ipv6)))
                .toList();
        int rotations = 0;
        for (Action action : Stream.concat(Action.setup().stream(), sequence.stream()).toList()) {
            rotations += play(action, hosts);
        }
        for (Host host : hosts) {
            host.fault = Optional.empty();
            host.apply(host.wanted);
            assertThat(host.held.otherThan(host.wanted.held())).isEmpty();
        }
        // What no sequence came to would not be shown.
        Statistics.label("rotation between hosts that are up to date")
                .collect(rotations > 0)
                .coverage(coverage -> coverage.check(true).percentage(share -> share > 50));
    }

    /** Plays an action on all hosts, and returns how many pairs of hosts were checked in a rotation. */
    @SuppressWarnings("ReferenceEquality") // two hosts may have changed alike
    private static int play(Action action, List<Host> hosts) {
        if (action instanceof Action.Fail fail) {
            hosts.get(fail.host()).fault = Optional.of(fail);
            return 0;
        }
        if (action instanceof Action.Repair(int at)) {
            hosts.get(at).read(Set.of(hosts.get(at).wanted.ends().bind()));
        }
        if (action instanceof Action.Restart(int at)) {
            // The new process reads before the engine tells it its addresses.
            hosts.get(at).read(Set.of());
        }
        List<Change> changes = new ArrayList<>();
        for (int i = 0; i < hosts.size(); i++) {
            Host host = hosts.get(i);
            Optional<Wanted> next = asked(action, i, host.wanted);
            changes.add(next.map(host::apply).orElseGet(() -> new Change(
                    host.wanted, host.wanted, List.of(host.held.copy()), host.whole, host.whole)));
        }
        changes.forEach(SequenceTest::check);
        int rotations = 0;
        for (Change sender : changes) {
            for (Change receiver : changes) {
                rotations += sender != receiver && check(sender, receiver) ? 1 : 0;
            }
        }
        return rotations;
    }

    /** Returns what is wanted of a host after an action; empty if the action is for another host or the ring refuses it. */
    private static Optional<Wanted> asked(Action action, int host, Wanted before) {
        if (!action.concerns(host)) {
            return Optional.empty();
        }
        try {
            return Optional.of(action.asks(host, before));
        } catch (IllegalArgumentException refused) {
            return Optional.empty();
        }
    }

    private static void check(Change host) {
        if (!host.wholeAfter()) {
            return;
        }
        assertThat(host.moments().getLast().otherThan(host.after().held())).isEmpty();
        if (!host.wholeBefore()) {
            return;
        }
        Optional<Key> old = host.before().ring().primary();
        Optional<Key> now = host.after().ring().primary();
        boolean sameTag = old.map(Key::tag).equals(now.map(Key::tag)) && !old.equals(now);
        boolean sameAdvertised = !host.stays()
                && host.before().ends().advertise().equals(host.after().ends().advertise());
        for (Held moment : host.moments()) {
            assertThat(moment.sends() || sameTag || sameAdvertised).as("each policy's state is there").isTrue();
            if (moment.seals()) {
                assertThat(moment.policies().values())
                        .as("what seals stands behind what blocks")
                        .anyMatch(policy -> policy.action() instanceof SecurityPolicy.Action.Block);
            }
            if (host.before().sealing() && host.after().sealing()) {
                assertThat(moment.policies()).containsValue(host.after().blocks().iterator().next());
            }
        }
    }

    /** Checks a pair of hosts, and returns whether it was a rotation between two that are up to date, both sending. */
    private static boolean check(Change sender, Change receiver) {
        InetAddress from = sender.after().ends().advertise();
        InetAddress to = receiver.after().ends().advertise();
        boolean upToDate = sender.wholeBefore() && receiver.wholeBefore() && receiver.wholeAfter()
                && sender.stays() && receiver.stays() && receiver.sealedThroughout(from);
        if (!upToDate) {
            return false;
        }
        KeyRing old = sender.before().ring();
        KeyRing now = sender.after().ring();
        NodeAddresses end = receiver.after().ends();
        KeyRing ofOld = without(old, now);
        KeyRing ofNow = without(now, old);
        KeyRing shared = new KeyRing(old.keys().stream().filter(now.keys()::contains).toList());
        assertThat(receiver.moments()).allSatisfy(moment -> assertThat(knows(moment, end, from, shared)).isTrue());
        assertThat(receiver.moments()).allMatch(moment ->
                knows(moment, end, from, ofOld) || knows(moment, end, from, ofNow));
        assertThat(receiver.moments()).anyMatch(moment ->
                knows(moment, end, from, ofOld) && knows(moment, end, from, ofNow));

        for (Held sending : sender.moments()) {
            sending.sealing(sender.after().ends().bind(), to).ifPresent(used -> {
                Key key = Stream.of(old, now)
                        .flatMap(ring -> ring.primary().stream())
                        .filter(primary -> seals(sender.after().ends(), to, primary).equals(used))
                        .findFirst()
                        .orElseThrow(() -> new AssertionError("neither primary's: " + used));
                if (shared.keys().contains(key)) {
                    assertThat(receiver.moments()).allSatisfy(receiving -> assertThat(opens(receiving, end, from, used))
                            .as("%s is known", used)
                            .isTrue());
                }
            });
        }
        return !old.primary().equals(now.primary())
                && old.primary().filter(now.keys()::contains).isPresent()
                && now.primary().filter(old.keys()::contains).isPresent()
                && sender.wholeAfter()
                && sender.sealedThroughout(to);
    }

    /** Returns the keys that share no tag with a different key of the other ring. */
    private static KeyRing without(KeyRing ring, KeyRing other) {
        return new KeyRing(ring.keys().stream()
                .filter(key -> other.byTag(key.tag()).filter(same -> !same.equals(key)).isEmpty())
                .toList());
    }

    private static boolean knows(Held receiving, NodeAddresses end, InetAddress from, KeyRing ring) {
        return receiving.states().values().containsAll(NodePlan.of(end, from, ring, Wanted.PORT).receive());
    }

    private static SecurityAssociation seals(NodeAddresses end, InetAddress to, Key key) {
        NodePlan plan = NodePlan.of(end, to, new KeyRing(List.of(key)), Wanted.PORT);
        return plan.send().getFirst();
    }

    /**
     * Returns whether a host decrypts with the right key and salt what was sealed by a state. The kernel looks its state up
     * by SPI.
     */
    private static boolean opens(Held receiving, NodeAddresses end, InetAddress from, SecurityAssociation used) {
        SecurityAssociation known = receiving.states()
                .get(new SecurityAssociation.Id(from, end.bind(), used.id().spi()));
        return known != null && known.key().equals(used.key());
    }
}
