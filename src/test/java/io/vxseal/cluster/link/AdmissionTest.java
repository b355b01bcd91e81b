package io.vxseal.cluster.link;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.cluster.refusal.Refusal;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class AdmissionTest {
    private static final long SECOND = 1_000_000_000L;
    private static final InetAddress A = InetAddress.ofLiteral("192.0.2.1");
    private static final InetAddress B = InetAddress.ofLiteral("192.0.2.2");

    private final Admission admission = new Admission(new Admission.Limits(3, 6, SECOND, 15 * SECOND, 4, 10, 5, 5));

    private Admission.Entry enter(InetAddress address, long now) {
        return ((Admission.Answer.Enter) admission.enter(address, now)).entry();
    }

    private List<Admission.Entry> pending() {
        return admission.overdue(60 * SECOND, 0, 0);
    }

    @Test
    void newestConnectionOfSourceReplacesItsOldest() {
        List<Admission.Entry> entries = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            entries.add(enter(A, i));
        }
        assertThat(admission.enter(A, 3)).isInstanceOfSatisfying(Admission.Answer.Enter.class, answer ->
                assertThat(answer.displaced()).isEqualTo(Optional.of(entries.getFirst())));
        assertThat(pending()).hasSize(3);
    }

    @Test
    void displacedConnectionLeavesOnce() {
        Admission.Entry displaced = enter(A, 0);
        List<Admission.Entry> others = List.of(enter(A, 1), enter(A, 2), enter(A, 3));
        admission.leave(displaced);
        others.forEach(entry -> admission.settle(entry, "a", 3));
        enter(A, 4);
        assertThat(admission.enter(A, 5)).as("a fifth connection").isEqualTo(new Admission.Answer.Refuse(Refusal.CONNECTIONS_OF_SOURCE));
    }

    @Test
    void boundsConnectionsOfSourceSessionsIncluded() {
        for (int i = 0; i < 4; i++) {
            admission.settle(enter(A, i), "a", i);
        }
        assertThat(admission.enter(A, 4)).isEqualTo(new Admission.Answer.Refuse(Refusal.CONNECTIONS_OF_SOURCE));
        enter(B, 4);
        assertThat(pending()).hasSize(1);
    }

    @Test
    void sourceWithTheMostGivesWayToOneThatHasNone() {
        List<Admission.Entry> ofA = List.of(enter(A, 0), enter(A, 1));
        for (int i = 0; i < 4; i++) {
            enter(InetAddress.ofLiteral("192.0.2." + (10 + i)), 3);
        }
        assertThat(admission.enter(B, 4)).isInstanceOfSatisfying(Admission.Answer.Enter.class, answer ->
                assertThat(answer.displaced()).isEqualTo(Optional.of(ofA.getFirst())));
    }

    /** Else it would have others wait behind it. */
    @Test
    void sourceThatHasOneReplacesItIfAllPlacesAreTaken() {
        List<Admission.Entry> entries = new ArrayList<>();
        for (int i = 0; i < 6; i++) {
            entries.add(enter(InetAddress.ofLiteral("192.0.2." + (10 + i)), i));
        }
        assertThat(admission.enter(InetAddress.ofLiteral("192.0.2.12"), 7)).isInstanceOfSatisfying(Admission.Answer.Enter.class, answer ->
                assertThat(answer.displaced()).isEqualTo(Optional.of(entries.get(2))));
    }

    @Test
    void newcomersWaitForSourcesThatHaveOneEach() {
        List<Admission.Entry> entries = new ArrayList<>();
        for (int i = 0; i < 6; i++) {
            entries.add(enter(InetAddress.ofLiteral("192.0.2." + (10 + i)), i));
        }
        assertThat(admission.enter(B, SECOND)).isInstanceOf(Admission.Answer.Wait.class);
        assertThat(admission.enter(B, 16 * SECOND)).isInstanceOfSatisfying(Admission.Answer.Enter.class, answer ->
                assertThat(answer.displaced()).isEqualTo(Optional.of(entries.getFirst())));
        admission.leave(entries.get(1));
        assertThat(admission.enter(A, 16 * SECOND)).isInstanceOfSatisfying(Admission.Answer.Enter.class, answer ->
                assertThat(answer.displaced()).isEmpty());
    }

    @Test
    void newcomersWaitAsLongAsSessionsLatelyTook() {
        for (int i = 0; i < 50; i++) {
            Admission.Entry slow = enter(A, 0);
            admission.settle(slow, "slow", SECOND);
            admission.leave(slow);
        }
        for (int i = 0; i < 6; i++) {
            enter(InetAddress.ofLiteral("192.0.2." + (10 + i)), 0);
        }
        assertThat(admission.enter(B, 3 * SECOND)).isInstanceOf(Admission.Answer.Wait.class);
        assertThat(admission.enter(B, 5 * SECOND)).isInstanceOf(Admission.Answer.Enter.class);
    }

    @Test
    void boundsTheRateOfSource() {
        for (int i = 0; i < 5; i++) {
            assertThat(admission.attempt(A, 0)).isTrue();
        }
        assertThat(admission.attempt(A, 0)).isFalse();
        assertThat(admission.attempt(B, 0)).isTrue();
        assertThat(admission.attempt(A, SECOND)).isTrue();
    }

    @Test
    void addressesOfOnePrefixAreOneSource() {
        for (int i = 0; i < 5; i++) {
            admission.attempt(InetAddress.ofLiteral("2001:db8::" + i), 0);
        }
        assertThat(admission.attempt(InetAddress.ofLiteral("2001:db8::ffff"), 0)).isFalse();
        assertThat(admission.attempt(InetAddress.ofLiteral("2001:db8:0:1::1"), 0)).isTrue();
    }

    @Test
    void sessionsCountForTheirAddressNotForItsPrefix() {
        for (int i = 0; i < 8; i++) {
            admission.settle(enter(InetAddress.ofLiteral("2001:db8::" + i), i), "w" + i, i);
        }
        InetAddress busy = InetAddress.ofLiteral("2001:db8::1");
        admission.leave(enter(busy, 9));
        Admission other = new Admission(new Admission.Limits(3, 6, SECOND, 15 * SECOND, 4, 10, 5, 5));
        for (int i = 0; i < 4; i++) {
            other.settle(((Admission.Answer.Enter) other.enter(busy, i)).entry(), "busy", i);
        }
        assertThat(other.enter(busy, 9)).isEqualTo(new Admission.Answer.Refuse(Refusal.CONNECTIONS_OF_SOURCE));
    }

    @Test
    void findsOverdueConnections() {
        Admission.Entry first = enter(A, 0);
        Admission.Entry settled = enter(A, 0);
        enter(B, 4 * SECOND);
        admission.settle(settled, "a", 0);
        assertThat(admission.overdue(5 * SECOND, 4 * SECOND, 4 * SECOND)).containsExactly(first);
    }

    /** One that is cut off begins anew, on a busy machine never with more success. */
    @Test
    void connectionsHaveLongerWhileThereIsRoomForOthers() {
        List<Admission.Entry> entries = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            entries.add(enter(InetAddress.ofLiteral("192.0.2." + (10 + i)), 0));
        }
        assertThat(admission.overdue(5 * SECOND, 4 * SECOND, 16 * SECOND)).isEmpty();
        assertThat(admission.overdue(17 * SECOND, 4 * SECOND, 16 * SECOND)).isEqualTo(entries);
        enter(B, 0);
        assertThat(admission.overdue(5 * SECOND, 4 * SECOND, 16 * SECOND)).hasSize(6);
    }

    private final Admission wide = new Admission(new Admission.Limits(3, 8, SECOND, 15 * SECOND, 4, 20, 5, 5));

    private static InetAddress stranger(int number) {
        return InetAddress.ofLiteral("198.51.%d.%d".formatted(100 + number / 250, number % 250));
    }

    private static InetAddress member(int number) {
        return InetAddress.ofLiteral("192.0.2." + number);
    }

    private static Admission.Entry enter(Admission into, InetAddress address, long now) {
        return ((Admission.Answer.Enter) into.enter(address, now)).entry();
    }

    /** Has the address authenticate a session, which ends. */
    private static void makeKnown(Admission to, InetAddress address) {
        Admission.Entry session = enter(to, address, 0);
        to.settle(session, address.toString(), 0);
        to.leave(session);
    }

    private static Optional<Admission.Entry> displacedBy(Admission in, InetAddress address, long now) {
        return in.enter(address, now) instanceof Admission.Answer.Enter enter ? enter.displaced() : Optional.empty();
    }

    @Test
    void knownAddressTakesPlaceOfUnknownOneAndKeepsIt() {
        makeKnown(wide, A);
        List<Admission.Entry> strangers = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            strangers.add(enter(wide, stranger(i), i));
        }
        assertThat(wide.enter(A, 9)).isInstanceOfSatisfying(Admission.Answer.Enter.class, answer ->
                assertThat(answer.displaced()).isEqualTo(Optional.of(strangers.getFirst())));
        Admission.Entry second = enter(wide, A, 10);
        for (int i = 8; i < 300; i++) {
            assertThat(displacedBy(wide, stranger(i), i * SECOND)).isNotEqualTo(Optional.of(second));
        }
        assertThat(wide.overdue(300 * SECOND, 0, 0)).contains(second).hasSize(8);
        wide.settle(second, "a", 300 * SECOND);
    }

    @Test
    void newNodesKeepPlacesThatKnownAddressesDoNotTake() {
        for (int i = 0; i < 9; i++) {
            makeKnown(wide, member(i));
        }
        Admission.Entry fresh = enter(wide, stranger(0), 0);
        for (int i = 0; i < 7; i++) {
            assertThat(displacedBy(wide, member(i), 1)).isEmpty();
        }
        assertThat(wide.enter(member(7), SECOND / 2)).isInstanceOf(Admission.Answer.Wait.class);
        assertThat(wide.enter(member(8), 16 * SECOND)).isInstanceOfSatisfying(Admission.Answer.Enter.class, answer ->
                assertThat(answer.displaced()).get().isNotEqualTo(fresh));
        assertThat(wide.enter(stranger(1), SECOND / 2)).isInstanceOf(Admission.Answer.Wait.class);
        assertThat(displacedBy(wide, stranger(1), 16 * SECOND)).contains(fresh);
    }

    /** All nodes are back at once, and handshakes that share a processor take longer than the latest ones did. */
    @Test
    void knownAddressesThatGiveWayHaveTheOthersWaitLonger() {
        for (int n = 0; n < 50; n++) {
            makeKnown(wide, member(n % 30));
        }
        long now = 0;
        for (int i = 0; i < 7; i++) {
            enter(wide, member(i), now);
        }
        int displaced = 0;
        for (int second = 1; second <= 60; second++) {
            now = second * SECOND + 1;
            while (displacedBy(wide, member(7 + displaced % 20), now).isPresent()) {
                displaced++;
            }
        }
        // Without the back-off seven in each second.
        assertThat(displaced).isBetween(7, 40);
        Admission.Entry last = wide.overdue(now, 0, 0).getLast();
        wide.settle(last, "last", now);
        assertThat(wide.enter(member(28), now)).as("the place that is free").isInstanceOf(Admission.Answer.Enter.class);
        assertThat(displacedBy(wide, member(29), now + 20 * SECOND)).isPresent();
    }

    @Test
    void knownAddressWithTheMostGivesWayToKnownOneThatHasNone() {
        for (int i = 0; i < 4; i++) {
            makeKnown(wide, member(i));
        }
        List<Admission.Entry> ofFirst = List.of(
                enter(wide, member(0), 1), enter(wide, member(0), 2), enter(wide, member(0), 3));
        for (int i = 0; i < 4; i++) {
            enter(wide, member(1 + i / 2), 4);
        }
        assertThat(displacedBy(wide, member(3), 5)).contains(ofFirst.getFirst());
    }

    @Test
    void addressIsKnownUntilManyOthersWereSince() {
        makeKnown(wide, A);
        for (int i = 0; i < 8; i++) {
            enter(wide, stranger(i), 0);
        }
        assertThat(displacedBy(wide, A, 1)).isPresent();
        Admission later = new Admission(new Admission.Limits(3, 8, SECOND, 15 * SECOND, 4, 20, 5, 5));
        makeKnown(later, A);
        for (int i = 0; i < 8192; i++) {
            makeKnown(later, InetAddress.ofLiteral("10.0.%d.%d".formatted(i / 256, i % 256)));
        }
        for (int i = 0; i < 8; i++) {
            enter(later, stranger(i), 0);
        }
        assertThat(later.enter(A, 1)).isInstanceOf(Admission.Answer.Wait.class);
    }

    @Test
    void knownAddressIsSourceOfItsOwnInItsPrefix() {
        InetAddress known = InetAddress.ofLiteral("2001:db8::1");
        makeKnown(wide, known);
        for (int i = 2; i < 12; i++) {
            InetAddress neighbour = InetAddress.ofLiteral("2001:db8::" + Integer.toHexString(i));
            wide.attempt(neighbour, 0);
            wide.enter(neighbour, 0);
        }
        assertThat(wide.attempt(InetAddress.ofLiteral("2001:db8::2"), 0)).isFalse();
        assertThat(wide.attempt(known, 0)).isTrue();
        assertThat(displacedBy(wide, known, 0)).as("room for all").isEmpty();
        assertThat(wide.overdue(SECOND, 0, 0)).hasSize(4);
    }

    /** One worker, a session a second, from an address of its /64 each. */
    @Test
    void addressesOfOneNodeDoNotMakeThoseOfOthersForgotten() {
        makeKnown(wide, A);
        for (int number = 1; number <= 10_000; number++) {
            Admission.Entry entry = enter(wide, hostile(number), number * SECOND);
            wide.settle(entry, "hostile", number * SECOND);
            wide.leave(entry);
        }
        assertThat(wide.isKnown(A)).isTrue();
        assertThat(wide.isKnown(hostile(10_000))).isTrue();
        assertThat(wide.isKnown(hostile(10_000 - KnownAddresses.OF_NODE))).isFalse();
    }

    @Test
    void addressesOfOneNodeDoNotTakeAllPlacesOfKnownOnes() {
        Admission admission = new Admission(Admission.Limits.DEFAULT);
        InetAddress honest = InetAddress.ofLiteral("2001:db8:1::1");
        makeKnown(admission, honest);
        for (int number = 1; number <= 100; number++) {
            Admission.Entry entry = enter(admission, hostile(number), number * SECOND);
            admission.settle(entry, "hostile", number * SECOND);
            admission.leave(entry);
        }
        for (int number = 1; number <= 100; number++) {
            admission.enter(hostile(number), 1000 * SECOND);
        }
        assertThat(admission.enter(honest, 1000 * SECOND + 1)).isInstanceOf(Admission.Answer.Enter.class);
    }

    /** Two nodes behind one address. */
    @Test
    void addressIsKnownWhileOneNodeUsesIt() {
        KnownAddresses known = new KnownAddresses();
        known.add("a", A);
        known.add("b", A);
        for (int number = 1; number <= KnownAddresses.OF_NODE; number++) {
            known.add("a", hostile(number));
        }
        assertThat(known.contains(A)).isTrue();
        for (int number = 0; number < KnownAddresses.MOST_NODES; number++) {
            known.add("w" + number, stranger(number));
        }
        assertThat(known.contains(A)).isFalse();
        assertThat(known.contains(hostile(1))).isFalse();
    }

    private static InetAddress hostile(int number) {
        return InetAddress.ofLiteral("2001:db8::" + Integer.toHexString(number));
    }
}
