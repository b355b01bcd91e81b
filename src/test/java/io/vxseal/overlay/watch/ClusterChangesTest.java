package io.vxseal.overlay.watch;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.cluster.ClusterStatus;
import io.vxseal.cluster.ring.RingStatus;
import io.vxseal.journal.Event;
import io.vxseal.swarm.Role;
import java.net.InetAddress;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class ClusterChangesTest {
    private static final InetAddress ADDRESS = InetAddress.ofLiteral("192.0.2.1");

    private final ClusterChanges changes = new ClusterChanges();

    private static RingStatus ring(long version, int... tags) {
        return new RingStatus(
                Arrays.stream(tags).mapToObj(tag -> new RingStatus.KnownKey(tag, Duration.ZERO)).toList(),
                version, "m1", Instant.EPOCH, version == 0);
    }

    private List<Event.Kind> observe(List<String> members, List<String> hubs, Optional<RingStatus> ring) {
        return changes.observe(new ClusterStatus(Optional.of("swarm"), Optional.of("me"), Optional.empty(),
                        members.stream().map(node -> new ClusterStatus.Member(
                                node, Optional.of(Role.WORKER), Optional.of(ADDRESS), 0, Duration.ZERO)).toList(),
                        hubs.stream().map(hub -> new ClusterStatus.Hub(hub, Optional.of(ADDRESS), Duration.ZERO, true, Optional.empty())).toList(),
                        List.of(), ring, Map.of(), Map.of(), List.of()))
                .stream().map(ClusterChanges.Change::kind).toList();
    }

    @Test
    void tellsEachChangeOnce() {
        assertThat(observe(List.of("me", "m1"), List.of("m1"), Optional.of(ring(1, 7, 6, 8)))).containsExactlyInAnyOrder(
                Event.Kind.HUB_REACHED, Event.Kind.NODE_JOINED, Event.Kind.NODE_JOINED, Event.Kind.KEYS);
        assertThat(observe(List.of("me", "m1"), List.of("m1"), Optional.of(ring(1, 7, 6, 8)))).isEmpty();
        assertThat(observe(List.of("me", "w2"), List.of(), Optional.of(ring(2, 8, 7, 9)))).containsExactly(
                Event.Kind.HUB_LOST, Event.Kind.NODE_LEFT, Event.Kind.NODE_JOINED, Event.Kind.KEYS);
    }

    @Test
    void nodesThatNoHubTellsOfAreNotGone() {
        observe(List.of("me", "m1"), List.of("m1"), Optional.empty());
        assertThat(observe(List.of(), List.of(), Optional.empty())).containsExactly(Event.Kind.HUB_LOST);
        assertThat(observe(List.of("me", "m1"), List.of("m1"), Optional.empty())).containsExactly(Event.Kind.HUB_REACHED);
    }

    @Test
    void tellsKeysOfEngineApartByTheirTags() {
        assertThat(observe(List.of(), List.of(), Optional.of(ring(0, 1, 2, 3)))).containsExactly(Event.Kind.KEYS);
        assertThat(observe(List.of(), List.of(), Optional.of(ring(0, 1, 2, 3)))).isEmpty();
        assertThat(observe(List.of(), List.of(), Optional.of(ring(0, 2, 1, 3)))).containsExactly(Event.Kind.KEYS);
    }
}
