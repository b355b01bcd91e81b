package io.vxseal.cluster.node;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.cluster.message.ManualTimer;
import io.vxseal.cluster.message.RecordedChannel;
import io.vxseal.swarm.Role;
import java.net.InetAddress;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

class HubSelectionTest {
    private final HubSelection selection = new HubSelection(new Random(1));

    private static InetAddress hub(int number) {
        return InetAddress.ofLiteral("10.0.0." + number);
    }

    private static Set<InetAddress> hubs(int some) {
        Set<InetAddress> all = new LinkedHashSet<>();
        for (int n = 1; n <= some; n++) {
            all.add(hub(n));
        }
        return all;
    }

    private static long at(double seconds) {
        return (long) (seconds * 1e9);
    }

    @Test
    void selectsAtMostTheAllowedNumber() {
        selection.listed(hubs(7), at(0));
        List<InetAddress> taken = selection.take(at(0), HubSelection.MOST_HUBS);
        assertThat(taken).hasSize(5).doesNotHaveDuplicates();
        assertThat(selection.take(at(1), HubSelection.MOST_HUBS)).isEmpty();
        assertThat(selection.take(at(1), Integer.MAX_VALUE)).hasSize(2).doesNotContainAnyElementsOf(taken);
    }

    @Test
    void nodesSpreadOverTheHubs() {
        Set<InetAddress> used = new HashSet<>();
        for (int seed = 0; seed < 50; seed++) {
            HubSelection each = new HubSelection(new Random(seed));
            each.listed(hubs(7), at(0));
            used.addAll(each.take(at(0), 1));
        }
        assertThat(used).hasSize(7);
    }

    @Test
    void failingHubIsTriedLessOftenAndAfterTheOthers() {
        selection.listed(hubs(1), at(0));
        double now = 0;
        double longest = 0;
        for (int n = 0; n < 8; n++) {
            double waited = now;
            while (selection.take(at(now), 1).isEmpty()) {
                now += 0.05;
            }
            longest = Math.max(longest, now - waited);
            selection.failed(hub(1), at(now));
        }
        assertThat(longest).isBetween(3.0, 4.6);
        selection.listed(hubs(2), at(now));
        now += 10;
        assertThat(selection.take(at(now), 1)).containsExactly(hub(2));
    }

    @Test
    void hubsThatFailAreTriedInTurn() {
        selection.listed(hubs(1), at(0));
        for (double now = 0; now < 100; now += 10) {
            selection.take(at(now), 1);
            selection.failed(hub(1), at(now));
        }
        // The new ones have failed less often than the first for a long time.
        selection.listed(hubs(3), at(100));
        for (double now = 110; now < 170; now += 10) {
            InetAddress tried = selection.take(at(now), 1).getFirst();
            selection.failed(tried, at(now));
            if (now >= 130) {
                assertThat(tried).as("at %s", now).isEqualTo(hub(1 + (int) (now - 130) / 10 % 3));
            }
        }
    }

    @Test
    void hubIsTriedAtOnceAfterItsSessionEnded() {
        selection.listed(hubs(1), at(0));
        selection.take(at(0), 1);
        RecordedChannel session = new RecordedChannel("m1", Role.MANAGER, new ManualTimer());
        selection.connected(hub(1), session, at(1));
        selection.closed(session, at(5));
        assertThat(selection.take(at(5), 1)).containsExactly(hub(1));
    }

    @Test
    void ownHubIsNotTriedUntilSomethingChanged() {
        selection.listed(hubs(1), at(0));
        selection.take(at(0), 1);
        selection.isSelf(hub(1));
        assertThat(selection.take(at(100), 1)).isEmpty();
        selection.retry(at(100));
        assertThat(selection.take(at(100), 1)).containsExactly(hub(1));
    }

    @Test
    void hubThatIsListedAgainKeepsItsSession() {
        selection.listed(hubs(1), at(0));
        selection.take(at(0), 5);
        RecordedChannel session = new RecordedChannel("m1", Role.MANAGER, new ManualTimer());
        selection.connected(hub(1), session, at(1));
        selection.listed(Set.of(), at(2));
        assertThat(selection.busy()).isEqualTo(1);
        selection.listed(hubs(1), at(3));
        assertThat(selection.take(at(3), 5)).isEmpty();
        selection.closed(session, at(4));
        assertThat(selection.take(at(4), 5)).containsExactly(hub(1));
    }

    @Test
    void forgetsHubThatIsNoLongerListed() {
        selection.listed(hubs(2), at(0));
        selection.take(at(0), 5);
        selection.listed(hubs(1), at(1));
        selection.failed(hub(2), at(1));
        assertThat(selection.take(at(3600), 5)).isEmpty();
    }
}
