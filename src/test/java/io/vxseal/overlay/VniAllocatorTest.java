package io.vxseal.overlay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.function.IntPredicate;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class VniAllocatorTest {
    private static final IntPredicate NOWHERE = vni -> false;
    private static final int FIRST = 8388608;
    private static final int LAST = 16777215;

    private static VniAllocator none() {
        return new VniAllocator(Map.of(), 0);
    }

    /** The built-in driver counts from 4096 and does not come here. */
    @Test
    void allocatesFromTwoToThe23Up() throws DriverException {
        VniAllocator vnis = none();
        assertThat(vnis.allocate("a", List.of(), 2, NOWHERE)).containsExactly(FIRST, FIRST + 1);
        assertThat(vnis.allocate("b", List.of(), 1, NOWHERE)).containsExactly(FIRST + 2);
    }

    /** Containers of a removed network may still be stopping when the next one is made. */
    @Test
    void reusesFreedVniOnlyAfterTheWholeRange() throws DriverException {
        VniAllocator vnis = none();
        assertThat(vnis.allocate("a", List.of(), 1, NOWHERE)).containsExactly(FIRST);
        vnis.free("a");
        assertThat(vnis.allocate("b", List.of(), 1, NOWHERE)).containsExactly(FIRST + 1);
        VniAllocator later = new VniAllocator(vnis.given(), LAST);
        assertThat(later.allocate("c", List.of(), 3, NOWHERE)).containsExactly(LAST, FIRST, FIRST + 2);
    }

    @Test
    void continuesSearchAfterRestart() throws DriverException {
        VniAllocator vnis = none();
        vnis.allocate("a", List.of(), 1, NOWHERE);
        vnis.free("a");
        assertThat(new VniAllocator(vnis.given(), vnis.next()).allocate("b", List.of(), 1, NOWHERE)).containsExactly(FIRST + 1);
    }

    /** A new leader hears the VNIs of all networks and goes on behind them. */
    @Test
    void continuesSearchAfterVnisOfTheSwarm() throws DriverException {
        VniAllocator vnis = none();
        vnis.allocate("a", List.of(FIRST + 10), 1, NOWHERE);
        vnis.free("a");
        assertThat(vnis.allocate("b", List.of(), 1, NOWHERE)).containsExactly(FIRST + 11);
    }

    @Test
    void skipsVniInUseElsewhere() throws DriverException {
        assertThat(none().allocate("a", List.of(), 1, vni -> vni == FIRST)).containsExactly(FIRST + 1);
    }

    /** After an engine's restart AllocateNetwork comes again, with what it was answered before. */
    @Test
    void returnsSameVnisWhenAskedAgain() throws DriverException {
        VniAllocator vnis = new VniAllocator(Map.of("a", List.of(4097)), 0);
        assertThat(vnis.allocate("a", List.of(4097), 1, NOWHERE)).containsExactly(4097);
        assertThat(vnis.allocate("a", List.of(), 1, NOWHERE)).containsExactly(4097);
    }

    @Test
    void refusesVniConfirmedInThisTerm() throws DriverException {
        VniAllocator vnis = none();
        vnis.allocate("a", List.of(5000), 1, NOWHERE);
        assertThatThrownBy(() -> vnis.allocate("b", List.of(5000), 1, NOWHERE))
                .hasMessageContaining("5000")
                .hasMessageContaining("network a");
        assertThat(vnis.given()).isEqualTo(Map.of("a", List.of(5000)));
    }

    /** The other leader removed network a and gave its VNI to network b. */
    @Test
    void replacesAllocationOfEarlierTerm() throws DriverException {
        VniAllocator vnis = none();
        vnis.allocate("a", List.of(), 1, NOWHERE);
        vnis.beginTerm();
        assertThat(vnis.allocate("b", List.of(FIRST), 1, NOWHERE)).containsExactly(FIRST);
        assertThat(vnis.given()).isEqualTo(Map.of("b", List.of(FIRST)));
    }

    @Property
    void allocatesEachVniOnce(@ForAll @Size(max = 30) List<@IntRange(min = 1, max = 3) Integer> sizes)
            throws DriverException {
        VniAllocator vnis = none();
        Set<Integer> seen = new HashSet<>();
        for (int i = 0; i < sizes.size(); i++) {
            for (int vni : vnis.allocate("n" + i, List.of(), sizes.get(i), NOWHERE)) {
                assertThat(seen.add(vni)).isTrue();
            }
        }
    }

    /** Three managers lead in turn; each hears all networks at the start of its term and only its own changes. */
    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void acceptsAndAvoidsVnisOfTheSwarmInEveryTerm(long seed) throws DriverException {
        Random random = new Random(seed);
        List<VniAllocator> managers = List.of(none(), none(), none());
        Map<String, List<Integer>> swarm = new HashMap<>();
        for (int term = 0, made = 0; term < 40; term++) {
            VniAllocator leader = managers.get(random.nextInt(3));
            leader.beginTerm();
            for (var network : swarm.entrySet()) {
                assertThat(leader.allocate(network.getKey(), network.getValue(), 1, NOWHERE)).isEqualTo(network.getValue());
            }
            for (int change = 0; change < 5; change++) {
                if (swarm.isEmpty() || random.nextInt(3) > 0) {
                    List<Integer> vnis = leader.allocate("n" + made, List.of(), 1, NOWHERE);
                    assertThat(swarm.values()).as("seed %d, term %d", seed, term).doesNotContain(vnis);
                    swarm.put("n" + made++, vnis);
                } else {
                    String gone = List.copyOf(swarm.keySet()).get(random.nextInt(swarm.size()));
                    swarm.remove(gone);
                    leader.free(gone);
                }
            }
        }
    }
}
