package io.vxseal.encryption;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.kernel.xfrm.InstalledState;
import io.vxseal.kernel.xfrm.SecurityAssociation;
import io.vxseal.kernel.xfrm.SecurityAssociation.AeadKey;
import io.vxseal.kernel.xfrm.StateUsage;
import java.net.InetAddress;
import java.time.Instant;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class TrafficMeterTest {
    private static final InetAddress HERE = InetAddress.ofLiteral("192.0.2.1");
    private static final InetAddress THERE = InetAddress.ofLiteral("192.0.2.2");
    private static final InetAddress ELSEWHERE = InetAddress.ofLiteral("192.0.2.3");

    private static final Instant START = Instant.parse("2026-03-01T12:00:04Z");

    private final TrafficMeter meter = new TrafficMeter();
    private Instant now = START.minusSeconds(4);

    private static InstalledState state(InetAddress source, InetAddress destination, int spi, long bytes, long packets) {
        return new InstalledState(
                new SecurityAssociation(new SecurityAssociation.Id(source, destination, spi), new AeadKey(new byte[20])),
                0, new StateUsage(bytes, packets));
    }

    private void list(InstalledState... states) {
        now = now.plusSeconds(4);
        meter.update(List.of(states), Set.of(HERE), now);
    }

    @Test
    void addsUpStatesOfNodeByDirection() {
        list(state(HERE, THERE, 1, 100, 1), state(THERE, HERE, 2, 20, 2), state(THERE, HERE, 3, 3, 3),
                state(HERE, ELSEWHERE, 4, 7, 7));
        assertThat(meter.byNode()).containsExactlyInAnyOrder(
                new PeerTraffic(THERE, START, 100, 1, 23, 5), new PeerTraffic(ELSEWHERE, START, 7, 7, 0, 0));
    }

    @Test
    void keepsCountingWhenRotationReplacesStates() {
        list(state(HERE, THERE, 1, 100, 10), state(THERE, HERE, 2, 50, 5), state(THERE, HERE, 3, 0, 0));
        list(state(HERE, THERE, 9, 30, 3), state(THERE, HERE, 3, 10, 1), state(THERE, HERE, 8, 0, 0));
        assertThat(meter.byNode()).containsExactly(new PeerTraffic(THERE, START, 130, 13, 60, 6));
    }

    @Test
    void countsStateThatWasAddedAnewFromItsStart() {
        list(state(HERE, THERE, 1, 100, 10));
        list(state(HERE, THERE, 1, 30, 3));
        assertThat(meter.byNode()).containsExactly(new PeerTraffic(THERE, START, 130, 13, 0, 0));
    }

    @Test
    void forgetsNodeWithoutState() {
        list(state(HERE, THERE, 1, 100, 10));
        list();
        assertThat(meter.byNode()).isEmpty();
        list(state(HERE, THERE, 1, 0, 0));
        assertThat(meter.byNode()).containsExactly(new PeerTraffic(THERE, START.plusSeconds(8), 0, 0, 0, 0));
    }
}
