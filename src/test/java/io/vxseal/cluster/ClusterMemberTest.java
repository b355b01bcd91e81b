package io.vxseal.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.cluster.hub.RecordStore;
import io.vxseal.cluster.message.ManualTimer;
import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.message.RecordedChannel;
import io.vxseal.cluster.message.RingMark;
import io.vxseal.cluster.record.HubView.Retention;
import io.vxseal.cluster.record.PathReport;
import io.vxseal.cluster.ring.KeyAuthority;
import io.vxseal.cluster.ring.RingStore;
import io.vxseal.cluster.ring.SimulatedTrust;
import io.vxseal.encryption.KeyRing;
import io.vxseal.peers.Peer;
import io.vxseal.swarm.ManagerAddresses.Listing;
import io.vxseal.swarm.NodeName;
import io.vxseal.swarm.Role;
import java.net.InetAddress;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class ClusterMemberTest {
    private final ManualTimer timer = new ManualTimer();
    private final Set<String> refused = new HashSet<>();
    private final ClusterMember member = new ClusterMember(new KeyAuthority(Duration.ofHours(12), 0, new Random(1)),
            new Retention(Duration.ofSeconds(26), Duration.ofMinutes(10)), RingStore.NONE, RecordStore.NONE, timer,
            new Random(1), new Outside(), (_, _, _) -> { });

    /** A node that is alone. */
    private final class Outside implements Surroundings {
        @Override
        public void dial(InetAddress hub) {
            // No hub answers.
        }

        @Override
        public void changed(List<PeerChange> changes) {
            throw new AssertionError("no other node is there");
        }

        @Override
        public void recalled(List<Peer> endpoints, Runnable then) {
            assertThat(endpoints).isEmpty();
            then.run();
        }

        @Override
        public void keys(KeyRing keys) {
            // The tests ask for them.
        }

        @Override
        public void checkPaths(Consumer<Optional<PathReport>> then) {
            throw new AssertionError("no path is checked");
        }

        @Override
        public void refuseFormerManagers(Set<String> nodes) {
            throw new AssertionError("no other node is there");
        }

        @Override
        public void refuseRemoved(Set<String> nodes) {
            refused.addAll(nodes);
        }
    }

    private static Listing listing(int addresses, String... managers) {
        return new Listing(Set.of(managers),
                Stream.iterate(1, n -> n + 1).limit(addresses).map(n -> InetAddress.ofLiteral("10.0.0." + n)).collect(Collectors.toSet()));
    }

    private void start() {
        member.listed(listing(3, "m1", "m2", "m3"));
        member.become(new SimulatedTrust(new NodeName("swarm", Role.MANAGER, "m1"), SimulatedTrust.none()));
        member.vtep(InetAddress.ofLiteral("10.0.0.1"));
        for (int second = 0; second < 10; second++) {
            timer.pass(Duration.ofSeconds(1));
            member.tick();
        }
        assertThat(member.rings().keys().isEmpty()).isFalse();
    }

    @Test
    void revokesKeysOnceListThatNamesAllLacksManager() {
        start();
        member.listed(listing(3, "m1", "m2"));
        assertThat(member.rings().isRotationRequested()).as("the third has no id yet").isFalse();
        member.listed(Listing.EMPTY);
        assertThat(member.rings().isRotationRequested()).as("there is no list").isFalse();
        member.listed(listing(3, "m1", "m2", "m4"));
        assertThat(member.rings().isRotationRequested()).isTrue();
    }

    @Test
    void keepsKeysWhenListGrows() {
        start();
        member.listed(listing(5, "m1", "m2", "m3", "m4", "m5"));
        assertThat(member.rings().isRotationRequested()).isFalse();
    }

    /** Another thread closes the session; what its thread had posted before is run after the list was taken. */
    @Test
    void wordThatWasUnderWayWhenItsManagerWasDemotedDoesNotCount() {
        start();
        RecordedChannel toM3 = new RecordedChannel("m3", Role.MANAGER, timer);
        member.hubReached(InetAddress.ofLiteral("10.0.0.3"), toM3);
        member.hubReceived(toM3, new Message.Welcome(7, 1000, RingMark.NONE, false, 0, 0));
        member.listed(listing(2, "m1", "m2"));
        assertThat(toM3.closed).isTrue();
        member.hubReceived(toM3, new Message.Records(List.of(), List.of("w1", "m2"), true, List.of("w1", "m2")));
        member.hubClosed(toM3);
        for (int second = 0; second < 10; second++) {
            timer.pass(Duration.ofSeconds(1));
            member.tick();
        }
        assertThat(refused).isEmpty();
    }
}
