package io.vxseal.overlay.watch;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.overlay.watch.UnansweredPaths.Look;
import io.vxseal.overlay.watch.UnansweredPaths.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Looks at a path every ten seconds, at containers a, b and c. */
class UnansweredPathsTest {
    private static final Path PLAIN = new Path("192.0.2.12", false);
    private static final Path SEALED = new Path("192.0.2.12", true);

    private final UnansweredPaths paths = new UnansweredPaths();
    private long nanos;

    private boolean isSilentAfter(Path path, String answering, String unanswered, boolean inUse) {
        nanos += Duration.ofSeconds(10).toNanos();
        paths.take(List.of(new Look(path, "net", letters(answering), letters(unanswered))), _ -> inUse, nanos);
        return !paths.silent(nanos).isEmpty();
    }

    private boolean isSilentAfter(String answering, String unanswered) {
        return isSilentAfter(PLAIN, answering, unanswered, true);
    }

    private static List<String> letters(String word) {
        return word.chars().mapToObj(Character::toString).toList();
    }

    @Test
    void pathIsSilentOnceContainerThatAnsweredDoesNotTwice() {
        assertThat(isSilentAfter("a", "")).isFalse();
        assertThat(isSilentAfter("", "a")).as("once").isFalse();
        assertThat(paths.open()).containsExactly(PLAIN);
        assertThat(isSilentAfter("", "a")).as("twice").isTrue();
        assertThat(paths.silent(nanos)).containsExactly(new Observation.Unanswered("192.0.2.12", "net", false));
        assertThat(isSilentAfter("b", "")).as("answered by another").isFalse();
        assertThat(paths.open()).isEmpty();
    }

    @Test
    void twoLooksOfOneMomentAreNoSilence() {
        paths.take(List.of(new Look(PLAIN, "net", List.of("a"), List.of())), _ -> true, 1);
        paths.take(List.of(new Look(PLAIN, "net", List.of(), List.of("a"))), _ -> true, 2);
        paths.take(List.of(new Look(PLAIN, "net", List.of(), List.of("a"))), _ -> true, 3);
        assertThat(paths.silent(3)).isEmpty();
    }

    @Test
    void singleContainerThatNeverAnsweredIsNoEvidence() {
        for (int n = 0; n < 10; n++) {
            assertThat(isSilentAfter("", "a")).isFalse();
        }
        assertThat(isSilentAfter("", "b")).as("two that never answered").isTrue();
    }

    @Test
    void containersThatDoNotAnswerWhileAnotherDoesAreNoEvidence() {
        assertThat(isSilentAfter("c", "b")).isFalse();
        assertThat(isSilentAfter("a", "")).isFalse();
        assertThat(isSilentAfter("c", "a")).as("a drops pings since").isFalse();
        for (int n = 0; n < 5; n++) {
            assertThat(isSilentAfter("", "ab")).isFalse();
        }
        assertThat(isSilentAfter("", "c")).isTrue();
    }

    @Test
    void sealedPathCountsWhilePacketsComeFromNode() {
        assertThat(isSilentAfter(SEALED, "a", "", true)).isFalse();
        assertThat(isSilentAfter(SEALED, "", "a", false)).isFalse();
        assertThat(isSilentAfter(SEALED, "", "a", false)).isFalse();
        assertThat(isSilentAfter(SEALED, "", "a", true)).isFalse();
        assertThat(isSilentAfter(SEALED, "", "a", true)).isTrue();
        for (int n = 0; n < 2 * UnansweredPaths.FORGOTTEN; n++) {
            assertThat(isSilentAfter(SEALED, "", "a", false)).as("containers have given up, and the fault is there still").isTrue();
        }
        assertThat(isSilentAfter(SEALED, "a", "", false)).isFalse();
    }

    /** What answered before is evidence again once the path is used again. */
    @Test
    void silenceIsForgottenWithoutLooks() {
        isSilentAfter(SEALED, "a", "", true);
        isSilentAfter(SEALED, "", "a", true);
        assertThat(isSilentAfter(SEALED, "", "a", true)).isTrue();
        for (int n = 1; n < UnansweredPaths.FORGOTTEN; n++) {
            paths.take(List.of(), _ -> false, nanos);
            assertThat(paths.silent(nanos)).isNotEmpty();
        }
        paths.take(List.of(), _ -> false, nanos);
        assertThat(paths.silent(nanos)).isEmpty();
        assertThat(isSilentAfter(SEALED, "", "a", true)).isFalse();
        assertThat(isSilentAfter(SEALED, "", "a", true)).isTrue();
    }

    @Test
    void forgetsPathsThatAreGone() {
        isSilentAfter("a", "");
        isSilentAfter("", "a");
        assertThat(isSilentAfter("", "a")).isTrue();
        paths.retain(SEALED::equals);
        assertThat(paths.silent(nanos)).isEmpty();
    }
}
