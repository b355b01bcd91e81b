package io.vxseal.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.Set;
import org.junit.jupiter.api.Test;

class FormerManagersTest {
    private static final long GRACE = Duration.ofMinutes(10).toNanos();

    private final FormerManagers former = new FormerManagers(Duration.ofNanos(GRACE));

    private boolean look(Set<String> unlisted, long now) {
        return former.look(unlisted, unlisted, node -> !unlisted.contains(node), now);
    }

    @Test
    void refusesManagersCertificateThatIsOffTheListForLong() {
        assertThat(look(Set.of("m2"), 0)).isFalse();
        assertThat(look(Set.of("m2"), GRACE - 1)).isFalse();
        assertThat(former.refused()).isEmpty();
        assertThat(look(Set.of("m2"), GRACE)).isTrue();
        assertThat(former.refused()).containsExactly("m2");
    }

    @Test
    void renewalOfCertificateStartsTimeAnew() {
        look(Set.of("m2"), 0);
        former.look(Set.of("m2"), Set.of(), _ -> false, 1);
        look(Set.of("m2"), 2);
        assertThat(look(Set.of("m2"), GRACE)).isFalse();
    }

    @Test
    void timeGoesOnWithoutSession() {
        look(Set.of("m2"), 0);
        former.look(Set.of(), Set.of(), _ -> false, 1);
        look(Set.of("m2"), 2);
        assertThat(look(Set.of("m2"), GRACE)).isTrue();
    }

    @Test
    void staysRefusedWithoutSessionUntilListedAgain() {
        look(Set.of("m2"), 0);
        look(Set.of("m2"), GRACE);
        assertThat(former.look(Set.of(), Set.of(), _ -> false, GRACE + Duration.ofDays(1).toNanos())).isFalse();
        assertThat(former.refused()).containsExactly("m2");
        assertThat(former.look(Set.of(), Set.of(), _ -> true, GRACE + Duration.ofDays(2).toNanos())).isTrue();
        assertThat(former.refused()).isEmpty();
    }
}
