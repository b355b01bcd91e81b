package io.vxseal.swarm;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.InetAddress;
import java.util.Set;
import org.junit.jupiter.api.Test;

class ManagersTest {
    private static final InetAddress A = InetAddress.ofLiteral("10.0.0.1");
    private static final InetAddress B = InetAddress.ofLiteral("10.0.0.2");

    private final Managers managers = new Managers();

    @Test
    void aManagerThatKnowsOfNoOtherIsTheMajority() {
        assertThat(managers.isMajority(Set.of("a"))).isTrue();
        managers.listed(Set.of("a"));
        assertThat(managers.isMajority(Set.of("a"))).isTrue();
        assertThat(managers.isMajority(Set.of())).isFalse();
    }

    @Test
    void halfIsNoMajority() {
        managers.listed(Set.of("a", "b"));
        assertThat(managers.isMajority(Set.of("a"))).isFalse();
        managers.listed(Set.of("a", "b", "c"));
        assertThat(managers.isMajority(Set.of("a"))).isFalse();
        assertThat(managers.isMajority(Set.of("a", "c"))).isTrue();
        managers.listed(Set.of("a", "b", "c", "d"));
        assertThat(managers.isMajority(Set.of("a", "c"))).isFalse();
    }

    @Test
    void oneThatWasMetCountsWhileItIsOutOfView() {
        meet("b", Role.MANAGER, B);
        assertThat(managers.isMajority(Set.of("a"))).isFalse();
        managers.listed(Set.of("a", "b"));
        managers.listed(Set.of());
        assertThat(managers.isMajority(Set.of("a"))).as("an empty list says nothing").isFalse();
        managers.listed(Set.of("a", "b"));
        managers.listed(Set.of("a"));
        assertThat(managers.isMajority(Set.of("a"))).as("removed or demoted").isTrue();
    }

    /** A manager that was demoted while this node had no list yet. */
    @Test
    void firstListForgetsManagersThatItDoesNotHave() {
        meet("b", Role.MANAGER, B);
        managers.listed(Set.of("a", "c"), true);
        assertThat(managers.count(Set.of("a"))).as("a list that does not have all ids yet").isEqualTo(3);
        managers.listed(Set.of());
        managers.listed(Set.of("a", "c"));
        assertThat(managers.count(Set.of("a"))).isEqualTo(2);
    }

    @Test
    void oneThatBecameAWorkerDoesNotCount() {
        meet("b", Role.MANAGER, B);
        meet("b", Role.WORKER, B);
        assertThat(managers.isMajority(Set.of("a"))).isTrue();
    }

    /** Docker calls lost what its gossip lost sight of, too: in a cut, each side hears it of the other. */
    @Test
    void oneThatDockerLostIsForgottenUnlessTheSwarmCountsOnIt() {
        meet("b", Role.MANAGER, B);
        managers.lost(A);
        assertThat(managers.isMajority(Set.of("a"))).isFalse();
        managers.lost(B);
        assertThat(managers.isMajority(Set.of("a"))).isTrue();
        meet("b", Role.MANAGER, B);
        managers.listed(Set.of("a", "b"));
        managers.lost(B);
        assertThat(managers.isMajority(Set.of("a"))).isFalse();
    }

    private void meet(String node, Role role, InetAddress at) {
        managers.met(new NodeName("swarm", role, node), at);
    }
}
