package io.vxseal.encryption;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.address.NodeAddresses;
import io.vxseal.kernel.xfrm.SecurityAssociation;
import io.vxseal.kernel.xfrm.SecurityPolicy;
import io.vxseal.kernel.xfrm.XfrmChange;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Random;
import java.util.Set;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;

/** From any ring to any other: what the kernel holds at each step, and in the end. */
class TransitionTest {
    private static final int PORT = 4789;
    private static final InetAddress HERE = InetAddress.ofLiteral("10.55.0.1");
    private static final InetAddress THERE = InetAddress.ofLiteral("10.55.0.2");
    private static final NodeAddresses LOCAL = new NodeAddresses(HERE, HERE);

    private static KeyRing ring(Random random) {
        List<Integer> tags = new ArrayList<>(List.of(1, 2, 3, 4, 5, 6));
        Collections.shuffle(tags, random);
        return new KeyRing(
                tags.subList(0, random.nextInt(4)).stream().map(KeyRingTest::key).toList());
    }

    private static NodePlan plan(KeyRing ring) {
        return NodePlan.of(LOCAL, THERE, ring, PORT);
    }

    @Test
    void threeKeysNeedThreeReceiveStatesOneSendStateAndOnePolicy() {
        NodePlan plan = plan(new KeyRing(List.of(KeyRingTest.key(1), KeyRingTest.key(2), KeyRingTest.key(3))));
        assertThat(plan.receive()).hasSize(3);
        assertThat(plan.send()).hasSize(1);
        assertThat(plan.policies()).hasSize(1);
    }

    @Test
    void spiUsesTheAdvertisedAddressAndTheStateTheBindAddress() {
        InetAddress advertised = InetAddress.ofLiteral("192.0.2.1");
        NodePlan plan = NodePlan.of(new NodeAddresses(advertised, HERE), THERE, new KeyRing(List.of(KeyRingTest.key(1))), PORT);
        assertThat(plan.send())
                .extracting(SecurityAssociation::id)
                .containsExactly(new SecurityAssociation.Id(HERE, THERE, Spi.of(advertised, THERE, 1)));
        assertThat(plan.receive())
                .extracting(SecurityAssociation::id)
                .containsExactly(new SecurityAssociation.Id(THERE, HERE, Spi.of(THERE, advertised, 1)));
    }

    @Test
    void saltIsTheSpi() {
        NodePlan plan = plan(new KeyRing(List.of(KeyRingTest.key(1))));
        SecurityAssociation send = plan.send().getFirst();
        byte[] octets = send.key().octets();
        assertThat(octets).hasSize(20);
        assertThat(java.nio.ByteBuffer.wrap(octets, 16, 4).getInt()).isEqualTo(send.id().spi());
    }

    @Test
    void statesHaveTheReplayWindowOfTheirKey() {
        Key guarded = new Key(KeyRingTest.key(1).octets(), 1, 64);
        NodePlan plan = plan(new KeyRing(List.of(guarded, KeyRingTest.key(2))));
        assertThat(plan.send()).extracting(SecurityAssociation::replayWindow).containsExactly(64);
        assertThat(plan.receive()).extracting(SecurityAssociation::replayWindow).containsExactly(64, 0);
    }

    /** The two addresses have the same SPIs, see {@link SpiTest}. */
    @Test
    void keepsASharedReceiveStateWhenItsOwnNodeLeaves() {
        InetAddress other = InetAddress.ofLiteral("192.168.21.147");
        KeyRing ring = new KeyRing(List.of(KeyRingTest.key(1), KeyRingTest.key(2)));
        NodePlan goes = NodePlan.of(LOCAL, InetAddress.ofLiteral("10.28.72.182"), ring, PORT);
        NodePlan stays = NodePlan.of(LOCAL, other, ring, PORT);

        List<XfrmChange> steps = new Transition(2)
                .add(goes, NodePlan.EMPTY)
                .add(stays.withoutReceiving(), stays)
                .steps();
        assertThat(steps).containsExactly(
                new XfrmChange.DeletePolicy(goes.policies().getFirst().id()),
                new XfrmChange.DeleteState(goes.send().getFirst().id()));

        NodePlan otherKeys = NodePlan.of(LOCAL, other, new KeyRing(List.of(new Key(KeyRingTest.key(7).octets(), 1))), PORT);
        assertThat(new Transition(2).add(goes, NodePlan.EMPTY).add(stays.withoutReceiving(), otherKeys).steps())
                .as("under another key it is another state")
                .containsSubsequence(
                        new XfrmChange.DeleteState(goes.receive().getFirst().id()),
                        new XfrmChange.AddState(otherKeys.receive().getFirst()));
    }

    @Test
    void replacesAStateWithAnotherReplayWindow() {
        Key guarded = new Key(KeyRingTest.key(1).octets(), 1, 64);
        List<XfrmChange> steps = new Transition(1)
                .add(plan(new KeyRing(List.of(KeyRingTest.key(1)))), plan(new KeyRing(List.of(guarded))))
                .steps();
        assertThat(steps).extracting(step -> step.getClass().getSimpleName())
                .containsExactly("DeleteState", "DeleteState", "AddState", "AddState");
    }

    @Test
    void retainsOnlySendStatesWithAReplayWindowUnderThePrimary() {
        Key guarded = new Key(KeyRingTest.key(1).octets(), 1, 64);
        NodePlan held = plan(new KeyRing(List.of(guarded, KeyRingTest.key(2))));
        NodePlan rest = held.retained(held);
        assertThat(rest).isEqualTo(new NodePlan(List.of(), held.send(), List.of()));
        assertThat(held.retained(rest)).as("still").isEqualTo(rest);
        assertThat(held.retained(NodePlan.EMPTY)).as("nothing is made for it").isEqualTo(NodePlan.EMPTY);
        assertThat(plan(new KeyRing(List.of(KeyRingTest.key(2), guarded))).retained(rest)).isEqualTo(NodePlan.EMPTY);
        NodePlan open = plan(new KeyRing(List.of(KeyRingTest.key(2))));
        assertThat(open.retained(open)).isEqualTo(NodePlan.EMPTY);
    }

    @Test
    void rotatesReceiveThenSendThenPolicyThenRemovals() {
        KeyRing ring = new KeyRing(List.of(KeyRingTest.key(1), KeyRingTest.key(2), KeyRingTest.key(3)));
        KeyRing next = ring.update(Optional.of(KeyRingTest.key(4)), OptionalInt.of(3), OptionalInt.of(2));
        List<XfrmChange> steps = new Transition(1).add(plan(ring), plan(next)).steps();
        assertThat(steps).extracting(step -> step.getClass().getSimpleName())
                .containsExactly("AddState", "AddState", "PutPolicy", "BeginGracePeriod", "DeleteState", "EndGracePeriod", "DeleteState");
        assertThat(((XfrmChange.AddState) steps.get(0)).association().id().source()).isEqualTo(THERE);
        assertThat(((XfrmChange.AddState) steps.get(1)).association().id().source()).isEqualTo(HERE);
    }

    /**
     * moby/swarmkit #1954: managers that fail over rotate twice before a worker hears of it, and two keys of its ring
     * have changed at once.
     */
    @Test
    void changesSeveralKeysAtOnceAndKeepsSharedOnes() {
        KeyRing ring = new KeyRing(List.of(KeyRingTest.key(1), KeyRingTest.key(2), KeyRingTest.key(3)));
        KeyRing once = ring.update(Optional.of(KeyRingTest.key(4)), OptionalInt.of(3), OptionalInt.of(2));
        KeyRing twice = once.update(Optional.of(KeyRingTest.key(5)), OptionalInt.of(4), OptionalInt.of(1));
        assertThat(twice.keys()).containsExactlyInAnyOrder(KeyRingTest.key(4), KeyRingTest.key(3), KeyRingTest.key(5));

        List<XfrmChange> steps = new Transition(1).add(plan(ring), plan(twice)).steps();

        assertThat(steps).extracting(XfrmChange::toString).containsExactly(
                add(THERE, HERE, 4), add(THERE, HERE, 5), add(HERE, THERE, 4),
                new XfrmChange.PutPolicy(plan(twice).policies().getFirst()).toString(),
                new XfrmChange.BeginGracePeriod().toString(),
                delete(THERE, HERE, 1), delete(THERE, HERE, 2),
                new XfrmChange.EndGracePeriod().toString(),
                delete(HERE, THERE, 1));
    }

    private static String add(InetAddress from, InetAddress to, int tag) {
        return "AddState[association=%s]".formatted(new SecurityAssociation.Id(from, to, Spi.of(from, to, tag)));
    }

    private static String delete(InetAddress from, InetAddress to, int tag) {
        return new XfrmChange.DeleteState(new SecurityAssociation.Id(from, to, Spi.of(from, to, tag))).toString();
    }

    /** What this node sent with is then what it receives with: the same state, which must not be taken away. */
    @Test
    void keepsStatesThatServeTheOtherDirectionAfterAnExchange() {
        KeyRing ring = new KeyRing(List.of(KeyRingTest.key(1)));
        NodePlan before = NodePlan.of(LOCAL, THERE, ring, PORT);
        NodePlan after = NodePlan.of(new NodeAddresses(THERE, THERE), HERE, ring, PORT);
        Held held = Held.of(before);

        new Transition(1).add(before, NodePlan.EMPTY).add(NodePlan.EMPTY, after).steps().forEach(held::take);

        assertThat(held.otherThan(Held.of(after))).isEmpty();
    }

    @Test
    void replacesTheSendStateWhenOnlyTheBindAddressChanges() {
        KeyRing ring = new KeyRing(List.of(KeyRingTest.key(1)));
        NodePlan before = NodePlan.of(LOCAL, THERE, ring, PORT);
        NodePlan after = NodePlan.of(new NodeAddresses(HERE, InetAddress.ofLiteral("10.55.0.3")), THERE, ring, PORT);
        Held held = Held.of(before);

        new Transition(1).add(before, after).steps().forEach(held::take);

        assertThat(held.otherThan(Held.of(after))).isEmpty();
    }

    @Property(tries = 500)
    void endsInThePlanAndCanSendAtEveryStep(@ForAll Random random) {
        NodePlan before = plan(ring(random));
        NodePlan after = plan(ring(random));
        Held held = Held.of(before);
        for (XfrmChange step : new Transition(1).add(before, after).steps()) {
            held.take(step);
            assertThat(held.sends()).as("after %s", step).isTrue();
            after.receive().stream()
                    .filter(before.receive()::contains)
                    .forEach(kept -> assertThat(held.states()).containsValue(kept));
        }
        assertThat(held.otherThan(Held.of(after))).isEmpty();
    }

    @Property(tries = 500)
    void removesASendStateOnlyAfterTheGracePeriod(@ForAll Random random) {
        NodePlan before = plan(ring(random));
        NodePlan after = plan(ring(random));
        List<XfrmChange> steps = new Transition(1).add(before, after).steps();
        int begun = steps.indexOf(new XfrmChange.BeginGracePeriod());
        int passed = steps.indexOf(new XfrmChange.EndGracePeriod());
        for (SecurityAssociation chosen : before.send()) {
            int removal = steps.indexOf(new XfrmChange.DeleteState(chosen.id()));
            if (removal >= 0 && !after.isEmpty()) {
                int chosenAnew = steps.indexOf(new XfrmChange.PutPolicy(after.policies().getFirst()));
                assertThat(List.of(chosenAnew, begun, passed, removal)).isSorted().doesNotContain(-1);
            }
        }
    }

    @Property(tries = 100)
    void equalPlansNeedNoStep(@ForAll Random random) {
        NodePlan plan = plan(ring(random));
        assertThat(new Transition(1).add(plan, plan).steps()).isEmpty();
    }

    private static SecurityPolicy block(int port) {
        return NodePlan.block(HERE, port);
    }

    @Test
    void blocksFirstAndUnblocksLast() {
        KeyRing ring = new KeyRing(List.of(KeyRingTest.key(1)));
        KeyRing next = new KeyRing(List.of(KeyRingTest.key(2)));
        List<XfrmChange> steps = new Transition(1)
                .add(plan(ring), plan(next))
                .block(Set.of(block(PORT), block(PORT + 1)), Set.of(block(PORT), block(PORT + 2)))
                .steps();
        assertThat(steps).startsWith(new XfrmChange.PutPolicy(block(PORT + 2)))
                .endsWith(new XfrmChange.DeletePolicy(block(PORT + 1).id()))
                .doesNotContain(new XfrmChange.PutPolicy(block(PORT)), new XfrmChange.DeletePolicy(block(PORT).id()));
    }
}
