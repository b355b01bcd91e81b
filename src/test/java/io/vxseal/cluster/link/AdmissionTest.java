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
        return admission.overdue(60 * SECOND, 0);
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
        others.forEach(entry -> admission.settle(entry, 3));
        enter(A, 4);
        assertThat(admission.enter(A, 5)).as("a fifth connection").isEqualTo(new Admission.Answer.Refuse(Refusal.CONNECTIONS_OF_SOURCE));
    }

    @Test
    void boundsConnectionsOfSourceSessionsIncluded() {
        for (int i = 0; i < 4; i++) {
            admission.settle(enter(A, i), i);
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
            admission.settle(slow, SECOND);
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
            admission.settle(enter(InetAddress.ofLiteral("2001:db8::" + i), i), i);
        }
        InetAddress busy = InetAddress.ofLiteral("2001:db8::1");
        admission.leave(enter(busy, 9));
        Admission other = new Admission(new Admission.Limits(3, 6, SECOND, 15 * SECOND, 4, 10, 5, 5));
        for (int i = 0; i < 4; i++) {
            other.settle(((Admission.Answer.Enter) other.enter(busy, i)).entry(), i);
        }
        assertThat(other.enter(busy, 9)).isEqualTo(new Admission.Answer.Refuse(Refusal.CONNECTIONS_OF_SOURCE));
    }

    @Test
    void findsOverdueConnections() {
        Admission.Entry first = enter(A, 0);
        Admission.Entry settled = enter(A, 0);
        enter(B, 4 * SECOND);
        admission.settle(settled, 0);
        assertThat(admission.overdue(5 * SECOND, 4 * SECOND)).containsExactly(first);
    }
}
