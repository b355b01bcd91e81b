package io.vxseal.encryption;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.kernel.libc.KernelException;
import io.vxseal.kernel.xfrm.SecurityAssociation;
import io.vxseal.kernel.xfrm.SecurityPolicy;
import io.vxseal.kernel.xfrm.Xfrm;
import io.vxseal.kernel.xfrm.XfrmChange;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * States and policies in a kernel, real or simulated.
 *
 * @param states by id
 * @param policies by selector
 */
record Held(
        Map<SecurityAssociation.Id, SecurityAssociation> states, Map<SecurityPolicy.Id, SecurityPolicy> policies) {

    static Held nothing() {
        return new Held(new HashMap<>(), new HashMap<>());
    }

    static Held of(NodePlan plan) {
        return nothing().with(plan);
    }

    /** Returns what the kernel lists as this plugin's. */
    static Held in(Xfrm xfrm) throws KernelException {
        Held held = nothing();
        xfrm.states().forEach(state -> held.states.put(state.id(), state));
        xfrm.policies().forEach(policy -> held.policies.put(policy.id(), policy));
        return held;
    }

    Held with(NodePlan plan) {
        plan.receive().forEach(state -> states.put(state.id(), state));
        plan.send().forEach(state -> states.put(state.id(), state));
        plan.policies().forEach(policy -> policies.put(policy.id(), policy));
        return this;
    }

    Held with(SecurityPolicy policy) {
        policies.put(policy.id(), policy);
        return this;
    }

    /** What is missing, too much, or another than planned, in words; empty if this is exactly the plan. */
    List<String> otherThan(Held planned) {
        List<String> differences = new ArrayList<>();
        differences(states, planned.states, differences);
        differences(policies, planned.policies, differences);
        return differences;
    }

    private static <K, V> void differences(Map<K, V> held, Map<K, V> planned, List<String> differences) {
        planned.forEach((id, wanted) -> {
            if (!wanted.equals(held.get(id))) {
                differences.add((held.containsKey(id) ? "differs: " : "missing: ") + wanted);
            }
        });
        held.keySet().stream()
                .filter(id -> !planned.containsKey(id))
                .map(id -> "too much: " + id)
                .forEach(differences::add);
    }

    Held copy() {
        return new Held(new HashMap<>(states), new HashMap<>(policies));
    }

    /** Returns whether there is a state with this destination and SPI. The kernel has one at most, whatever the sources. */
    boolean taken(SecurityAssociation.Id id) {
        return states.keySet().stream()
                .anyMatch(there -> there.destination().equals(id.destination()) && there.spi() == id.spi());
    }

    /** Makes one change. Stricter than a kernel: what is removed must have been there. */
    void take(XfrmChange step) {
        switch (step) {
            case XfrmChange.AddState add -> {
                assertThat(taken(add.association().id())).as("%s, where none is", step).isFalse();
                states.put(add.association().id(), add.association());
            }
            case XfrmChange.DeleteState delete -> assertThat(states.remove(delete.id())).as("%s", step).isNotNull();
            case XfrmChange.PutPolicy put -> policies.put(put.policy().id(), put.policy());
            case XfrmChange.Barrier _ -> {}
            case XfrmChange.DeletePolicy delete -> assertThat(policies.remove(delete.id())).as("%s", step).isNotNull();
        }
    }

    /** Returns whether there is a policy that seals. */
    boolean seals() {
        return policies.values().stream().anyMatch(policy -> policy.action() instanceof SecurityPolicy.Action.Seal);
    }

    /** Returns whether each policy that seals names a state that exists. */
    boolean sends() {
        return policies.values().stream()
                .filter(policy -> policy.action() instanceof SecurityPolicy.Action.Seal)
                .allMatch(policy -> states.containsKey(named(policy)));
    }

    /** The state that seals what goes from one address to another; none if no policy says so, or it names none. */
    Optional<SecurityAssociation> sealing(InetAddress source, InetAddress destination) {
        return policies.values().stream()
                .filter(policy -> policy.action() instanceof SecurityPolicy.Action.Seal)
                .map(Held::named)
                .filter(id -> id.source().equals(source) && id.destination().equals(destination))
                .findFirst()
                .map(states::get);
    }

    private static SecurityAssociation.Id named(SecurityPolicy policy) {
        return new SecurityAssociation.Id(
                policy.id().source().address(),
                policy.id().destination().address(),
                ((SecurityPolicy.Action.Seal) policy.action()).spi());
    }
}
