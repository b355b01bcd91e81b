package io.vxseal.cluster.ring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vxseal.StandardError;
import io.vxseal.cluster.Hosts;
import io.vxseal.cluster.message.ManualTimer;
import io.vxseal.cluster.message.RingMark;
import io.vxseal.cluster.refusal.RefusedException;
import io.vxseal.encryption.KeyRing;
import io.vxseal.swarm.NodeName;
import io.vxseal.swarm.Role;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

class RingKeeperTest {
    private static final Duration ROTATION = Duration.ofHours(12);
    private static final Duration APART = Duration.ofSeconds(60);

    private final ManualTimer timer = new ManualTimer();
    private final Set<String> managers = new HashSet<>(Set.of("m1", "m2"));
    private final List<SignedRing> signatures = SimulatedTrust.none();
    private final RingKeeper m1 = keeper("m1");
    private final RingKeeper m2 = keeper("m2");

    private RingKeeper afterLoss = m1;

    private RingKeeper keeper(String node) {
        return keeper(node, Role.MANAGER);
    }

    private RingKeeper keeper(String node, Role role) {
        return keeper(node, role, RingStore.NONE);
    }

    private RingKeeper keeper(String node, Role role, RingStore store) {
        KeyAuthority authority = new KeyAuthority(ROTATION, APART, 0, new Random(node.hashCode() + signatures.size()));
        RingKeeper keeper = new RingKeeper(authority, store, timer, managers::contains, new RingKeeper.Events() {
            @Override
            public void keys(KeyRing keys) {
                // What is in force is asked for.
            }

            @Override
            public void changed() {
                // Nobody else is there.
            }
        });
        keeper.become(new SimulatedTrust(new NodeName("swarm", role, node), signatures));
        return keeper;
    }

    private static boolean keep(RingKeeper keeper) {
        return keeper.keep(true, true, true, Duration.ofSeconds(10));
    }

    private static byte[] octets(RingKeeper of) {
        return of.newerThan(RingMark.NONE).orElseThrow().octets();
    }

    /** Makes two rings of one version: m1 made the one that counts more, and was demoted. */
    private void contest() throws RefusedException {
        keep(m1);
        m2.take(octets(m1));
        timer.pass(ROTATION);
        keep(m1);
        timer.pass(Duration.ofMillis(500));
        keep(m2);
        managers.remove("m1");
        assertThat(m1.mark().version()).isEqualTo(m2.mark().version());
        assertThat(m1.mark()).isGreaterThan(m2.mark());
        assertThatThrownBy(() -> m2.take(octets(m1))).hasMessageContaining("no manager of the swarm now");
    }

    /** Seeds 1018 and 1426: half of the swarm kept the one ring, half the other, until the next rotation. */
    @Test
    void ringIsSignedAgainWhereFormerManagersOutranksIt() throws RefusedException {
        contest();
        KeyRing keys = m2.keys();
        timer.pass(APART);
        keep(m2);
        assertThat(m2.mark()).isGreaterThan(m1.mark());
        assertThat(m2.keys()).isEqualTo(keys);
        m1.take(octets(m2));
        assertThat(m1.keys()).isEqualTo(keys);
    }

    @Test
    void formerManagerCausesOneSignaturePerInterval() throws RefusedException {
        contest();
        for (int second = 0; second < 59; second++) {
            timer.pass(Duration.ofSeconds(1));
            keep(m2);
        }
        assertThat(m2.mark().version()).isEqualTo(2);
    }

    @Test
    void ringsThatItHadAreKnownWithoutTheirSignatures() throws RefusedException {
        List<byte[]> had = new ArrayList<>();
        for (int n = 0; n <= RecentRings.MOST; n++) {
            m1.offer(Hosts.keys(n + 2, n + 1, n + 3));
            had.add(octets(m1));
        }
        assertThat(m1.has(had.getLast())).isTrue();
        assertThat(m1.hadLately(had.getLast())).as("it has this one").isFalse();
        assertThat(m1.hadLately(had.get(1))).isTrue();
        assertThat(m1.hadLately(had.getFirst())).as("one too many").isFalse();
        assertThat(m2.hadLately(had.get(1))).isFalse();
        assertThatThrownBy(() -> m1.take(had.get(1))).hasMessageContaining("which is older than");
        m1.take(had.get(RecentRings.MOST - 1));
        assertThat(m1.has(had.getLast())).isTrue();
    }

    private static boolean haveCommonKeys(KeyRing one, KeyRing other) {
        return !Collections.disjoint(one.keys(), other.keys());
    }

    @Test
    void keysOfRemovedNodeAreReplacedByThreeRotationsWithTimeBetween() {
        keep(m1);
        KeyRing known = m1.keys();
        m1.onRemoval("w1");
        assertThat(m1.isRotationRequested()).isTrue();
        for (int rotation = 1; rotation <= 3; rotation++) {
            KeyRing before = m1.keys();
            timer.pass(APART.minusMillis(1));
            keep(m1);
            assertThat(m1.keys()).isEqualTo(before);
            timer.pass(Duration.ofMillis(1));
            keep(m1);
            assertThat(m1.keys().primary()).as("a key that all nodes have").contains(before.keys().getLast());
            assertThat(known.keys().contains(m1.keys().primary().orElseThrow())).isEqualTo(rotation == 1);
            assertThat(haveCommonKeys(m1.keys(), known)).isEqualTo(rotation < 3);
            assertThat(m1.isRotationRequested()).isEqualTo(rotation < 3);
        }
        KeyRing last = m1.keys();
        timer.pass(APART.multipliedBy(2));
        keep(m1);
        assertThat(m1.keys()).isEqualTo(last);
    }

    /** Has m1 make a ring, learn of a removal, and make the first ring after that. */
    private void rotateOnceAfterRemoval() {
        keep(m1);
        m1.onRemoval("w1");
        timer.pass(APART);
        keep(m1);
    }

    @Test
    void anotherManagerGoesOnReplacingKeysOfRemovedNode() throws RefusedException {
        keep(m1);
        KeyRing known = m1.keys();
        m1.onRemoval("w1");
        timer.pass(APART);
        keep(m1);
        m2.take(octets(m1));
        for (int rotation = 2; rotation <= 3; rotation++) {
            assertThat(haveCommonKeys(m2.keys(), known)).isTrue();
            timer.pass(APART);
            keep(m2);
        }
        assertThat(haveCommonKeys(m2.keys(), known)).isFalse();
    }

    /** The first manager's plugin may end before it may change the keys, for want of time or of a majority. */
    @Test
    void anotherManagerReplacesKeysThoughTheFirstEndsBeforeItsFirstRotation() throws RefusedException {
        keep(m1);
        KeyRing known = m1.keys();
        m1.onRemoval("w1");
        for (int second = 0; second < 3; second++) {
            m1.keep(true, false, false, Duration.ofSeconds(second));
        }
        assertThat(m1.keys()).isEqualTo(known);
        assertThat(m1.mark().version()).as("signed again once").isEqualTo(2);
        m2.take(octets(m1));
        for (int rotation = 1; rotation <= 3; rotation++) {
            timer.pass(APART);
            keep(m2);
        }
        assertThat(haveCommonKeys(m2.keys(), known)).isFalse();
    }

    @Test
    void removalIsLoggedOnceForTheKeysThatItRevokes() throws Exception {
        keep(m1);
        try (StandardError log = new StandardError()) {
            for (int times = 0; times < 3; times++) {
                m1.onRemoval("w1");
            }
            assertThat(log.said()).containsOnlyOnce("node w1 left the swarm");
        }
    }

    /** A manager's process that lost its ring with its host's power hears of a removal before it has the ring again. */
    @Test
    void keysOfNodeThatWasRemovedBeforeTheRingCameAreReplaced() throws RefusedException {
        keep(m1);
        removeBeforeRingComes();
    }

    /** It had made keys of its own, of which no other manager heard. */
    @Test
    void keysOfNodeThatWasRemovedBeforeTheCommonRingCameAreReplaced() throws RefusedException {
        keep(m1);
        timer.pass(ROTATION);
        keep(m1);
        timer.pass(Duration.ofSeconds(10));
        m2.keep(true, true, false, Duration.ofSeconds(10));
        removeBeforeRingComes();
    }

    /** Has m2 hear of a removal, and then get m1's ring. */
    private void removeBeforeRingComes() throws RefusedException {
        KeyRing known = m1.keys();
        m2.onRemoval("w1");
        m2.take(octets(m1));
        assertThat(m2.isRotationRequested()).isTrue();
        rotateAll(m2);
        assertThat(haveCommonKeys(m2.keys(), known)).isFalse();
    }

    /** It may have had rings from there until then. */
    @Test
    void managerThatHearsLateOfRemovalReplacesTheKeysThatItHasThen() throws RefusedException {
        rotateOnceAfterRemoval();
        m2.take(octets(m1));
        KeyRing known = m2.keys();
        m2.onRemoval("w1");
        for (int rotation = 1; rotation <= 3; rotation++) {
            assertThat(m2.isRotationRequested()).isTrue();
            m1.onRotationRequest(m2.mark());
            timer.pass(APART);
            keep(m1);
            m2.take(octets(m1));
        }
        assertThat(haveCommonKeys(m2.keys(), known)).isFalse();
        assertThat(m2.isRotationRequested()).isFalse();
    }

    /** Seed 115344: a worker that did not know of it yet brought the removed manager the next ring. */
    @Test
    void keysAreNotReplacedBeforeAllNodesMayKnowOfTheRemoval() throws RefusedException {
        keep(m1);
        m2.take(octets(m1));
        timer.pass(APART.multipliedBy(2));
        KeyRing known = m1.keys();
        m2.onRemoval("m3");
        m1.onRotationRequest(m2.mark());
        m1.onRevocation(m2.revoked());
        for (int second = 0; second < 5; second++) {
            keep(m1);
            assertThat(m1.keys()).isEqualTo(known);
            timer.pass(Duration.ofSeconds(1));
        }
        keep(m1);
        assertThat(m1.keys()).isNotEqualTo(known);
    }

    /** Seed 67636: the manager that heard late ended before the next ring. The third knew neither of the keys nor their ring. */
    @Test
    void othersReplaceTheKeysThatManagerNamedWhichEnded() throws RefusedException {
        rotateOnceAfterRemoval();
        m2.take(octets(m1));
        KeyRing known = m2.keys();
        m2.onRemoval("w1");
        managers.add("m3");
        RingKeeper m3 = keeper("m3");
        m3.onRevocation(m2.revoked());
        assertThat(m3.isRotationRequested()).as("of a ring that is not there").isFalse();
        m3.take(octets(m2));
        for (int rotation = 1; rotation <= 3; rotation++) {
            assertThat(m3.isRotationRequested()).isTrue();
            timer.pass(APART);
            keep(m3);
        }
        assertThat(haveCommonKeys(m3.keys(), known)).isFalse();
        assertThat(m3.isRotationRequested()).isFalse();
    }

    @Test
    void keysThatNoRingHasAreNotReplaced() throws RefusedException {
        keep(m1);
        KeyRing known = m1.keys();
        for (int tag = 1; tag <= 1000; tag++) {
            m1.onRevocation(Set.of(-tag));
        }
        assertThat(m1.revoked()).isEmpty();
        assertThat(m1.isRotationRequested()).isFalse();
        timer.pass(APART);
        keep(m1);
        assertThat(m1.keys()).isEqualTo(known);
    }

    @Test
    void workerNamesNoRevokedKeys() throws RefusedException {
        rotateOnceAfterRemoval();
        RingKeeper worker = keeper("w2", Role.WORKER, RingStore.NONE);
        worker.take(octets(m1));
        assertThat(m1.revoked()).isNotEmpty();
        assertThat(worker.revoked()).isEmpty();
    }

    /** All nodes lost their rings with their power, but one that had been cut off for so long. */
    private KeyRing meetRingFromBeforeLoss(Duration since, boolean majority) throws RefusedException {
        for (int version = 1; version <= 3; version++) {
            timer.pass(APART);
            m1.requestRotation();
            keep(m1);
        }
        byte[] kept = octets(m1);
        timer.pass(since);
        RingKeeper first = keeper("m1");
        first.keep(true, true, majority, Duration.ofSeconds(10));
        first.keep(true, true, majority, Duration.ofSeconds(11));
        assertThat(first.mark().version()).isEqualTo(1);
        first.take(kept);
        assertThat(first.keys()).isEqualTo(m1.keys());
        afterLoss = first;
        return m1.keys();
    }

    private void assertReplacedByThreeRotations(KeyRing old) {
        for (int rotation = 1; rotation <= 3; rotation++) {
            timer.pass(APART);
            keep(afterLoss);
        }
        assertThat(haveCommonKeys(afterLoss.keys(), old)).isFalse();
    }

    @Test
    void ringThatOutlivedItsTimeIsReplacedByThreeRotations() throws RefusedException {
        assertReplacedByThreeRotations(meetRingFromBeforeLoss(ROTATION.plus(APART), false));
    }

    @Test
    void ringThatIsOlderThanThatOfMostManagersIsReplacedByThreeRotations() throws RefusedException {
        assertReplacedByThreeRotations(meetRingFromBeforeLoss(Duration.ofHours(1), true));
    }

    /** Else it would take keys back that are in use: the others have rotated them meanwhile, and it has yet to hear of that. */
    @Test
    void ringInStoreIsNotSignedAgainForItsAge() {
        keep(m1);
        SignedRing kept = signatures.getLast();
        timer.pass(ROTATION.plus(ROTATION));
        RingKeeper restarted = keeper("m1", Role.MANAGER, new RingStore() {
            @Override
            public Optional<SignedRing> read(RingTrust trust) {
                return Optional.of(kept);
            }

            @Override
            public void write(SignedRing ring) {
                throw new AssertionError("another ring: " + ring);
            }
        });
        restarted.keep(true, false, false, Duration.ofMinutes(1));
        assertThat(restarted.mark()).isEqualTo(kept.mark());
    }

    /** Seed 16628: the process that heard of the removal ended, and the next one read the removed manager's ring back. */
    @Test
    void ringOfManagerThatIsNoneAnyMoreIsReplacedByThreeRotations() {
        keep(m1);
        SignedRing kept = signatures.getLast();
        managers.remove("m1");
        afterLoss = keeper("m2", Role.MANAGER, new RingStore() {
            @Override
            public Optional<SignedRing> read(RingTrust trust) {
                return Optional.of(kept);
            }

            @Override
            public void write(SignedRing ring) {
                // It is kept no longer than this test.
            }
        });
        keep(afterLoss);
        assertThat(afterLoss.keys()).as("signed again").isEqualTo(m1.keys());
        assertReplacedByThreeRotations(m1.keys());
    }

    /** A manager that was alone for its first seconds made a ring of its own. */
    @Test
    void ringInUseIsNotReplacedForOneThatNobodyElseHad() throws RefusedException {
        KeyRing inUse = meetRingFromBeforeLoss(Duration.ofHours(1), false);
        timer.pass(APART);
        keep(afterLoss);
        assertThat(afterLoss.keys()).isEqualTo(inUse);
    }

    @Test
    void ringThatFollowsIsNotReplacedWhateverItsAuthorsClockSays() throws RefusedException {
        keep(m1);
        m2.take(octets(m1));
        RingTrust author = new SimulatedTrust(new NodeName("swarm", Role.MANAGER, "m1"), signatures);
        KeyRing next = new KeyAuthority(ROTATION, APART, 0, new Random(7)).rotate(m1.keys());
        m2.keep(false, true, true, Duration.ofSeconds(10));
        m2.take(author.sign(2, timer.wallTime().minus(Duration.ofDays(2)), false, next, Set.of()).octets());
        assertThat(m2.keys()).isEqualTo(next);
        assertThat(m2.isRotationRequested()).isFalse();
    }

    @Test
    void workerDoesNotRevokeKeysForTheirAge() throws RefusedException {
        keep(m1);
        timer.pass(ROTATION.multipliedBy(2));
        RingKeeper worker = keeper("w1", Role.WORKER);
        worker.take(octets(m1));
        assertThat(worker.isRotationRequested()).isFalse();
    }

    @Test
    void ignoresFormerManagersRingThatIsFarAhead() throws RefusedException {
        keep(m1);
        m2.take(octets(m1));
        managers.remove("m1");
        refuseFormerManagersRing(UnlistedRing.LONGEST_CONTEST + 1);
        timer.pass(APART);
        keep(m2);
        assertThat(m2.mark().version()).isEqualTo(2);
    }

    @Test
    void outdoesFormerManagersRingThatCameAfterOneFarAhead() throws RefusedException {
        keep(m1);
        m2.take(octets(m1));
        managers.remove("m1");
        refuseFormerManagersRing(UnlistedRing.LONGEST_CONTEST + 1);
        refuseFormerManagersRing(3);
        timer.pass(APART);
        keep(m2);
        assertThat(m2.mark().version()).isEqualTo(5);
    }

    /** @param ahead versions by which m1's ring is ahead of m2's */
    private void refuseFormerManagersRing(long ahead) {
        SimulatedTrust former = new SimulatedTrust(new NodeName("swarm", Role.MANAGER, "m1"), signatures);
        byte[] ring = former.sign(m2.mark().version() + ahead, timer.wallTime(), false, m1.keys(), Set.of()).octets();
        assertThatThrownBy(() -> m2.take(ring)).hasMessageContaining("no manager of the swarm now");
    }

    /** Its old certificate signs, and it brings them as a worker. A node that was off for a day takes the ring. */
    @Test
    void formerManagerMovesVersionsSlowly() throws RefusedException {
        keep(m1);
        m2.take(octets(m1));
        RingKeeper off = keeper("w1", Role.WORKER);
        off.take(octets(m1));
        managers.remove("m1");
        for (int minute = 0; minute < 24 * 60; minute++) {
            refuseFormerManagersRing(UnlistedRing.LONGEST_CONTEST);
            timer.pass(APART);
            keep(m2);
        }
        assertThat(m2.mark().version()).isBetween(UnlistedRing.BURST * UnlistedRing.LONGEST_CONTEST, RingKeeper.LONGEST_STEP / 5);
        off.take(octets(m2));
        assertThat(off.keys()).isEqualTo(m2.keys());
    }

    /** m3 knows which keys of a ring that is yet to come are revoked, and then hears of the removal itself. */
    @Test
    void ownRemovalDoesNotForgetWhatAnotherManagerNamed() throws RefusedException {
        RingKeeper m3 = managerBehind();
        keep(m1);
        m2.take(octets(m1));
        KeyRing known = m2.keys();
        m2.onRemoval("w1");
        m3.onRevocation(m2.revoked());
        m3.onRemoval("w1");
        m3.take(octets(m2));
        rotateAll(m3);
        assertThat(haveCommonKeys(m3.keys(), known)).isFalse();
    }

    @Test
    void ringBetweenDoesNotForgetWhatAnotherManagerNamed() throws RefusedException {
        RingKeeper m3 = managerBehind();
        timer.pass(ROTATION);
        keep(m1);
        byte[] between = octets(m1);
        timer.pass(ROTATION);
        keep(m1);
        m2.take(octets(m1));
        KeyRing known = m2.keys();
        m2.onRemoval("w1");
        m3.onRevocation(m2.revoked());
        m3.take(between);
        m3.take(octets(m2));
        rotateAll(m3);
        assertThat(haveCommonKeys(m3.keys(), known)).isFalse();
    }

    /** Returns a third manager, which has the first ring and misses the next ones. */
    private RingKeeper managerBehind() throws RefusedException {
        managers.add("m3");
        RingKeeper m3 = keeper("m3", Role.MANAGER);
        keep(m1);
        m3.take(octets(m1));
        m1.onRemoval("w1");
        timer.pass(APART);
        return m3;
    }

    /** Lets it make as many rings as it takes until no key is revoked. */
    private void rotateAll(RingKeeper keeper) {
        for (int rotation = 1; rotation <= 6; rotation++) {
            timer.pass(APART);
            keep(keeper);
        }
        assertThat(keeper.isRotationRequested()).isFalse();
    }
}
