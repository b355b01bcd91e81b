package io.vxseal.cluster.ring;

import static io.vxseal.cluster.ring.KeyAuthority.Duty.AWAIT_MAJORITY;
import static io.vxseal.cluster.ring.KeyAuthority.Duty.FIRST;
import static io.vxseal.cluster.ring.KeyAuthority.Duty.NOTHING;
import static io.vxseal.cluster.ring.KeyAuthority.Duty.ROTATE;
import static io.vxseal.cluster.ring.KeyAuthority.Duty.SIGN_AGAIN;
import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.cluster.ring.KeyAuthority.InForce;
import io.vxseal.cluster.ring.KeyAuthority.Situation;
import io.vxseal.encryption.Key;
import io.vxseal.encryption.KeyRing;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.IntStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

class KeyAuthorityTest {
    private static final Duration LONG = Duration.ofDays(1);
    private static final Duration SHORT = Duration.ofSeconds(1);
    private static final Duration SHORTER = KeyAuthority.SETTLE.dividedBy(2);

    private final KeyAuthority authority = new KeyAuthority(Duration.ofHours(12), 0, new SecureRandom());

    @Test
    void firstRingWaitsForRingsOfOthers() {
        assertThat(authority.duty(new Situation(true, true, true, SHORTER, Optional.empty(), false))).isEqualTo(NOTHING);
        assertThat(authority.duty(new Situation(true, true, true, KeyAuthority.SETTLE, Optional.empty(), false)))
                .isEqualTo(FIRST);
        assertThat(authority.duty(new Situation(true, false, true, KeyAuthority.SETTLE, Optional.empty(), false)))
                .isEqualTo(NOTHING);
        assertThat(authority.duty(new Situation(true, false, true, LONG, Optional.empty(), false))).isEqualTo(FIRST);
        assertThat(authority.duty(new Situation(false, true, true, LONG, Optional.empty(), false))).isEqualTo(NOTHING);
        assertThat(authority.duty(new Situation(true, true, false, LONG, Optional.empty(), false)))
                .as("without a majority too").isEqualTo(FIRST);
    }

    @Test
    void onlyTheKeyMakerWithMajorityRotatesDueRing() {
        assertThat(duty(true, true, ring(false, LONG, LONG))).isEqualTo(ROTATE);
        assertThat(duty(true, true, ring(false, SHORT, SHORT))).isEqualTo(NOTHING);
        assertThat(duty(false, true, ring(false, LONG, LONG))).isEqualTo(NOTHING);
        assertThat(duty(true, false, ring(false, LONG, LONG))).isEqualTo(AWAIT_MAJORITY);
        assertThat(duty(true, false, ring(false, SHORT, SHORT))).as("not due").isEqualTo(NOTHING);
        assertThat(duty(true, true, ring(true, LONG, LONG))).as("the engine's keys").isEqualTo(NOTHING);
    }

    @Test
    void wrongClocksNeitherSpeedUpNorStopRotation() {
        assertThat(duty(true, true, ring(false, LONG, SHORT))).as("clock set forward").isEqualTo(NOTHING);
        assertThat(duty(true, true, ring(false, LONG.negated(), LONG))).as("clock set back").isEqualTo(ROTATE);
    }

    @Test
    void signatureIsRenewedBeforeItExpires() {
        assertThat(duty(true, true, new InForce(true, false, true, LONG, false, SHORT, SHORT))).isEqualTo(SIGN_AGAIN);
        assertThat(duty(true, true, new InForce(false, true, true, SHORT, true, SHORT, SHORT))).isEqualTo(SIGN_AGAIN);
        assertThat(duty(true, false, new InForce(false, true, true, SHORT, true, LONG, LONG)))
                .as("without a majority too").isEqualTo(SIGN_AGAIN);
        assertThat(duty(true, true, new InForce(false, true, true, SHORT, false, SHORT, SHORT)))
                .as("own certificate ends no later").isEqualTo(NOTHING);
    }

    @Test
    void requestedRotationWaitsUntilAllHaveTheRing() {
        assertThat(wished(true, true, ring(false, SHORT, KeyAuthority.LEARN))).isEqualTo(ROTATE);
        assertThat(wished(true, true, ring(false, SHORT, KeyAuthority.LEARN.minusMillis(1)))).isEqualTo(NOTHING);
        assertThat(wished(false, true, ring(false, LONG, LONG))).isEqualTo(NOTHING);
        assertThat(wished(true, false, ring(false, LONG, LONG))).as("without a majority")
                .isEqualTo(AWAIT_MAJORITY);
        assertThat(wished(true, true, ring(true, LONG, LONG))).as("the engine's keys").isEqualTo(NOTHING);
        assertThat(wished(true, true, new InForce(false, false, true, LONG, false, LONG, LONG))).isEqualTo(SIGN_AGAIN);
    }

    @Test
    void ringIsSignedAgainForRevokedKeysUnlessAnotherIsDue() {
        InForce due = new InForce(false, true, false, LONG, false, LONG, LONG);
        assertThat(wished(true, true, due)).isEqualTo(ROTATE);
        assertThat(wished(true, false, due)).as("without a majority").isEqualTo(SIGN_AGAIN);
        assertThat(wished(true, true, new InForce(false, true, false, LONG, false, SHORT, SHORT))).as("too early").isEqualTo(SIGN_AGAIN);
    }

    @Test
    void newReplayWindowAppliesToNewKeysOnly() {
        KeyAuthority guarded = new KeyAuthority(Duration.ofHours(12), 128, new SecureRandom());
        assertThat(guarded.first().keys()).extracting(Key::replayWindow).containsExactly(128, 128, 128);
        KeyRing switched = guarded.rotate(authority.first());
        assertThat(switched.keys()).extracting(Key::replayWindow).containsExactly(0, 0, 128);
        assertThat(guarded.rotate(switched).keys()).extracting(Key::replayWindow).containsExactly(128, 0, 128);
    }

    @Property(tries = 50)
    void rotationsMakeTheNextKeyPrimaryAndTagsOnlyGrow(@ForAll @IntRange(min = 1, max = 20) int rotations) {
        KeyRing ring = authority.first();
        Set<Key> all = new HashSet<>(ring.keys());
        for (int i = 0; i < rotations; i++) {
            KeyRing after = authority.rotate(ring);
            assertThat(after.keys()).hasSize(3).startsWith(ring.keys().get(2), ring.keys().get(0));
            Key fresh = after.keys().get(2);
            assertThat(all.stream().map(Key::tag)).allMatch(tag -> Integer.compareUnsigned(tag, fresh.tag()) < 0);
            assertThat(fresh.octets()).hasSize(16);
            assertThat(all.add(fresh)).isTrue();
            ring = after;
        }
    }

    @Property(tries = 50)
    void deliveredRingBecomesOneOfThreeKeys(@ForAll @IntRange(min = 1, max = 8) int size) {
        List<Key> keys = IntStream.range(0, size).mapToObj(i -> new Key(new byte[16], 100 + i)).toList();
        KeyRing after = authority.rotate(new KeyRing(keys));
        assertThat(after.keys()).hasSize(3);
        assertThat(after.keys().get(1).tag()).as("the current key is still accepted").isEqualTo(100);
        assertThat(List.of(after.keys().get(0), after.keys().get(2))).doesNotContain(after.keys().get(1));
    }

    private KeyAuthority.Duty duty(boolean keyMaker, boolean majority, InForce ring) {
        return authority.duty(new Situation(keyMaker, true, majority, LONG, Optional.of(ring), false));
    }

    private KeyAuthority.Duty wished(boolean keyMaker, boolean majority, InForce ring) {
        return authority.duty(new Situation(keyMaker, true, majority, LONG, Optional.of(ring), true));
    }

    private static InForce ring(boolean external, Duration age, Duration known) {
        return new InForce(external, true, true, LONG, true, age, known);
    }
}
