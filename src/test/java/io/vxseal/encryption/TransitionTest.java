package io.vxseal.encryption;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.kernel.SecurityAssociation;
import io.vxseal.kernel.SecurityPolicy;
import io.vxseal.kernel.XfrmChange;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Optional;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;

/** From any ring to any other: what the kernel holds at each step, and in the end. */
class TransitionTest {
    private static final int PORT = 4789;
    private static final InetAddress HERE = InetAddress.ofLiteral("10.55.0.1");
    private static final InetAddress THERE = InetAddress.ofLiteral("10.55.0.2");
    private static final Ends LOCAL = new Ends(HERE, HERE);

    /** What a kernel holds: states by id, policies by selector. */
    private static final class Held {
        private final Map<SecurityAssociation.Id, SecurityAssociation> states = new HashMap<>();
        private final Map<SecurityPolicy.Id, SecurityPolicy> policies = new HashMap<>();

        Held(NodePlan plan) {
            states.putAll(plan.receive());
            states.putAll(plan.send());
            policies.putAll(plan.policies());
        }

        void take(XfrmChange step) {
            switch (step) {
                case XfrmChange.AddState add -> assertThat(states.put(add.association().id(), add.association()))
                        .as("a state is added where none is")
                        .isNull();
                case XfrmChange.DeleteState delete -> assertThat(states.remove(delete.id())).isNotNull();
                case XfrmChange.PutPolicy put -> policies.put(put.policy().id(), put.policy());
                case XfrmChange.DeletePolicy delete -> assertThat(policies.remove(delete.id())).isNotNull();
            }
        }

        /** Every policy that seals names a state that is there. */
        boolean sends() {
            return policies.values().stream().allMatch(policy -> policy.action() instanceof SecurityPolicy.Action.Seal seal
                    && states.containsKey(new SecurityAssociation.Id(HERE, THERE, seal.spi())));
        }
    }

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
    void threeKeysAreThreeStatesToReceiveOneToSendAndOnePolicy() {
        NodePlan plan = plan(new KeyRing(List.of(KeyRingTest.key(1), KeyRingTest.key(2), KeyRingTest.key(3))));
        assertThat(plan.receive()).hasSize(3);
        assertThat(plan.send()).hasSize(1);
        assertThat(plan.policies()).hasSize(1);
    }

    @Test
    void theSpiIsOfTheAdvertisedAddressAndTheStateOfTheBoundOne() {
        InetAddress advertised = InetAddress.ofLiteral("192.0.2.1");
        NodePlan plan = NodePlan.of(new Ends(HERE, advertised), THERE, new KeyRing(List.of(KeyRingTest.key(1))), PORT);
        assertThat(plan.send().keySet())
                .containsExactly(new SecurityAssociation.Id(HERE, THERE, Spi.of(advertised, THERE, 1)));
        assertThat(plan.receive().keySet())
                .containsExactly(new SecurityAssociation.Id(THERE, HERE, Spi.of(THERE, advertised, 1)));
    }

    @Test
    void theSaltIsTheSpi() {
        NodePlan plan = plan(new KeyRing(List.of(KeyRingTest.key(1))));
        SecurityAssociation send = plan.send().values().iterator().next();
        byte[] octets = send.key().octets();
        assertThat(octets).hasSize(20);
        assertThat(java.nio.ByteBuffer.wrap(octets, 16, 4).getInt()).isEqualTo(send.id().spi());
    }

    @Test
    void theOrderOfARotationIsReceiveSendPolicyThenRemovals() {
        KeyRing ring = new KeyRing(List.of(KeyRingTest.key(1), KeyRingTest.key(2), KeyRingTest.key(3)));
        KeyRing next = ring.update(Optional.of(KeyRingTest.key(4)), OptionalInt.of(3), OptionalInt.of(2));
        List<XfrmChange> steps = new Transition().add(plan(ring), plan(next)).steps();
        assertThat(steps).extracting(step -> step.getClass().getSimpleName())
                .containsExactly("AddState", "AddState", "PutPolicy", "DeleteState", "DeleteState");
        assertThat(((XfrmChange.AddState) steps.get(0)).association().id().source()).isEqualTo(THERE);
        assertThat(((XfrmChange.AddState) steps.get(1)).association().id().source()).isEqualTo(HERE);
    }

    @Property(tries = 500)
    void itEndsInThePlanAndSendsAtEveryStep(@ForAll Random random) {
        NodePlan before = plan(ring(random));
        NodePlan after = plan(ring(random));
        Held held = new Held(before);
        for (XfrmChange step : new Transition().add(before, after).steps()) {
            held.take(step);
            assertThat(held.sends()).as("after %s", step).isTrue();
            after.receive().keySet().stream()
                    .filter(before.receive()::containsKey)
                    .forEach(kept -> assertThat(held.states).containsKey(kept));
        }
        Held planned = new Held(after);
        assertThat(held.states).isEqualTo(planned.states);
        assertThat(held.policies).isEqualTo(planned.policies);
    }

    @Property(tries = 100)
    void nothingIsDoneWhereNothingDiffers(@ForAll Random random) {
        NodePlan plan = plan(ring(random));
        assertThat(new Transition().add(plan, plan).steps()).isEmpty();
    }
}
