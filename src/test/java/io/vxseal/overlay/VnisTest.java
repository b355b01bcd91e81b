package io.vxseal.overlay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.IntPredicate;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;

class VnisTest {
    private static final IntPredicate NOWHERE = vni -> false;

    @Test
    void freeOnesComeFrom4097Up() throws DriverException {
        Vnis vnis = new Vnis(Map.of());
        assertThat(vnis.allocate("a", List.of(), 2, NOWHERE)).containsExactly(4097, 4098);
        assertThat(vnis.allocate("b", List.of(), 1, NOWHERE)).containsExactly(4099);
        vnis.free("a");
        assertThat(vnis.allocate("c", List.of(), 1, NOWHERE)).containsExactly(4097);
    }

    @Test
    void oneInUseElsewhereIsPassedOver() throws DriverException {
        assertThat(new Vnis(Map.of()).allocate("a", List.of(), 1, vni -> vni == 4097)).containsExactly(4098);
    }

    /** After an engine's restart AllocateNetwork comes again, with what it was answered before. */
    @Test
    void askingAgainGivesTheSame() throws DriverException {
        Vnis vnis = new Vnis(Map.of("a", List.of(4097)));
        assertThat(vnis.allocate("a", List.of(4097), 1, NOWHERE)).containsExactly(4097);
        assertThat(vnis.allocate("a", List.of(), 1, NOWHERE)).containsExactly(4097);
    }

    @Test
    void aClashIsRefusedAndChangesNothing() {
        Vnis vnis = new Vnis(Map.of("a", List.of(5000)));
        assertThatThrownBy(() -> vnis.allocate("b", List.of(5000), 1, NOWHERE))
                .hasMessageContaining("5000")
                .hasMessageContaining("network a");
        assertThat(vnis.given()).isEqualTo(Map.of("a", List.of(5000)));
    }

    @Property
    void noTwoNetworksShareOne(@ForAll @Size(max = 30) List<@IntRange(min = 1, max = 3) Integer> sizes)
            throws DriverException {
        Vnis vnis = new Vnis(Map.of());
        Set<Integer> seen = new HashSet<>();
        for (int i = 0; i < sizes.size(); i++) {
            for (int vni : vnis.allocate("n" + i, List.of(), sizes.get(i), NOWHERE)) {
                assertThat(seen.add(vni)).isTrue();
            }
        }
    }
}
