package io.vxseal.overlay.watch;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.overlay.watch.LossyPaths.Path;
import java.util.Set;
import org.junit.jupiter.api.Test;

class LossyPathsTest {
    private static final Path SEALED = new Path("192.0.2.12", "sealed");
    private static final Path PLAIN = new Path("192.0.2.13", "plain");

    private final LossyPaths paths = new LossyPaths();

    @Test
    void lossLastsUntilLargePacketPasses() {
        paths.lost(SEALED, true, 1424);
        assertThat(paths.all()).containsExactly(new Observation.LostPackets("192.0.2.12", "sealed", 1424));
        assertThat(paths.contains(SEALED)).isTrue();
        assertThat(paths.answeringNodes()).containsExactly("192.0.2.12");
        paths.passed(SEALED);
        assertThat(paths.all()).isEmpty();
    }

    /** Nothing more is sent to an encrypted path that answers nothing and is not in use. */
    @Test
    void lossOnPathLeftAloneIsForgottenAfterFourLooks() {
        paths.lost(SEALED, true, 1424);
        paths.unclear(SEALED, false);
        assertThat(paths.answeringNodes()).isEmpty();
        for (int n = 2; n < LossyPaths.FORGOTTEN; n++) {
            paths.retain(_ -> false, "192.0.2.12"::equals);
            assertThat(paths.all()).hasSize(1);
        }
        paths.retain(_ -> false, "192.0.2.12"::equals);
        assertThat(paths.all()).isEmpty();
    }

    @Test
    void lossIsForgottenAfterFourUnclearLooks() {
        paths.lost(PLAIN, false, 1450);
        assertThat(paths.answeringNodes()).as("plain ones are always looked at").isEmpty();
        for (int n = 1; n < LossyPaths.FORGOTTEN; n++) {
            paths.unclear(PLAIN, true);
            paths.retain(PLAIN::equals, _ -> false);
            assertThat(paths.all()).hasSize(1);
        }
        paths.unclear(PLAIN, true);
        assertThat(paths.all()).isEmpty();
    }

    @Test
    void forgetsPathsThatAreGone() {
        paths.lost(SEALED, true, 1424);
        paths.lost(PLAIN, false, 1450);
        paths.retain(Set.of(SEALED)::contains, _ -> true);
        assertThat(paths.all()).extracting(Observation.LostPackets::network).containsExactly("sealed");
        paths.retain(_ -> false, _ -> false);
        assertThat(paths.all()).isEmpty();
    }
}
