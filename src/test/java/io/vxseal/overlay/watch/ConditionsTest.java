package io.vxseal.overlay.watch;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.encryption.PeerTraffic;
import io.vxseal.overlay.watch.Condition.Kind;
import java.net.InetAddress;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ConditionsTest {
    private static final InetAddress NODE = InetAddress.ofLiteral("192.0.2.12");
    private static final Instant START = Instant.parse("2026-03-01T12:00:00Z");
    private static final Duration ROTATION = Duration.ofHours(12);

    private final Conditions conditions = new Conditions();
    private final List<String> log = new ArrayList<>();
    private int second;

    // A healthy node, which tests change.
    private int hubs = 1;
    private boolean sealing = true;
    private boolean hasKeys = true;
    private Optional<Duration> keyAge = Optional.of(Duration.ofHours(1));
    private List<String> obstacles = List.of();
    private Duration clockAhead = Duration.ofSeconds(2);
    private Map<String, String> refused = Map.of();
    private int routeMtu = 1500;
    private List<Observation.LostPackets> lost = List.of();
    private List<Observation.Unanswered> unanswered = List.of();
    private long sealed;
    private long opened;

    /** Lets seconds pass, with an observation in each, as the plugin makes when the kernel reports changes. */
    private void pass(int seconds) {
        for (int i = 0; i < seconds; i++) {
            second++;
            observe();
        }
    }

    private void observe() {
        Conditions.Change change = conditions.observe(new Observation(
                START.plusSeconds(second), Duration.ofSeconds(second).toNanos(), true, hubs,
                List.of(new Observation.Clock("manager", clockAhead)), sealing, keyAge, hasKeys, ROTATION,
                List.of(new PeerTraffic(NODE, START, 100 * sealed, sealed, 100 * opened, opened)),
                List.of(new Observation.Route(NODE, routeMtu, 1500)), lost, unanswered, 4789, refused, obstacles));
        change.begun().forEach(condition -> log.add("%d begin %s %s".formatted(second, condition.kind().id(), condition.subject())));
        change.ended().forEach(condition -> log.add("%d end %s %s".formatted(second, condition.kind().id(), condition.subject())));
    }

    @Test
    void findsNothingOnHealthyNodeUnderTraffic() {
        for (int i = 0; i < 600; i++) {
            sealed += 3;
            opened += i % 10 == 0 ? 1 : 0;
            pass(1);
        }
        assertThat(log).isEmpty();
        assertThat(conditions.current()).isEmpty();
    }

    @Test
    void reportsClockThatIsAnHourOffUntilItIsSet() {
        pass(1);
        clockAhead = Duration.ofHours(-1);
        pass(9);
        assertThat(conditions.current()).singleElement().satisfies(condition ->
                assertThat(condition.text()).contains("clock of manager manager is 3600 s behind this node's"));
        clockAhead = Duration.ofSeconds(3700);
        observe();
        assertThat(conditions.current()).singleElement().satisfies(condition ->
                assertThat(condition.text()).contains("3700 s ahead of this node's"));
        clockAhead = Duration.ofMillis(-300);
        pass(1);
        assertThat(log).containsExactly("10 begin clock manager", "11 end clock manager");
    }

    @Test
    void findsNothingOnIdlePath() {
        pass(1);
        sealed += 3;
        pass(600);
        assertThat(log).isEmpty();
    }

    @Test
    void reportsPathThatStopsAnsweringUntilItAnswers() {
        sealed = 50;
        opened = 50;
        pass(10);
        for (int i = 0; i < 40; i++) {
            sealed++;
            pass(1);
        }
        assertThat(log).containsExactly("26 begin path_silent 192.0.2.12");
        assertThat(conditions.current()).singleElement().satisfies(condition -> {
            assertThat(condition.since()).isEqualTo(START.plusSeconds(26));
            assertThat(condition.text()).contains("192.0.2.12", "ESP", "iptables -I INPUT -p esp -j ACCEPT", "UDP port 4789 accepted there after"
                    + " decryption (iptables -I INPUT -p udp --dport 4789 -m policy");
        });
        assertThat(conditions.openNodes()).containsExactly("192.0.2.12");
        opened++;
        pass(5);
        assertThat(log).containsExactly("26 begin path_silent 192.0.2.12", "51 end path_silent 192.0.2.12");
        assertThat(conditions.openNodes()).isEmpty();
    }

    /** The plugin looks at open paths every ten seconds; what is answered is opened. */
    @ParameterizedTest
    @CsvSource({"1", "3", "10", "20"})
    void datagramsInOneDirectionAreNoSilenceWhileRequestsAreAnswered(int secondsBetween) {
        pass(1);
        for (int i = 1; i <= 600; i++) {
            sealed += i % secondsBetween == 0 ? 1 : 0;
            pass(1);
            if (i % 10 == 0 && !conditions.openNodes().isEmpty()) {
                opened++;
            }
        }
        assertThat(opened).isPositive();
        assertThat(log).isEmpty();
    }

    /** A request is counted before the kernel has sent it. */
    @Test
    void countThatFallsForMomentEndsNoSilence() {
        pass(1);
        sealed = SilentPaths.LEAST_PACKETS;
        pass(20);
        assertThat(log).containsExactly("14 begin path_silent 192.0.2.12");
        sealed--;
        pass(1);
        sealed++;
        pass(1);
        assertThat(log).hasSize(1);
    }

    @Test
    void pathIsOpenFromLeastPacketsToNextAnswer() {
        pass(1);
        sealed += 3;
        pass(5);
        assertThat(conditions.openNodes()).as("too few").isEmpty();
        sealed++;
        pass(1);
        assertThat(conditions.openNodes()).containsExactly("192.0.2.12");
        opened++;
        pass(1);
        assertThat(conditions.openNodes()).as("answered").isEmpty();
    }

    /** TCP tries again ever more rarely. */
    @Test
    void reportsPathOnWhichConnectionIsTriedAndNeverMade() {
        pass(1);
        for (int pause = 1; pause <= 16; pause *= 2) {
            sealed++;
            pass(pause);
        }
        assertThat(log).containsExactly("21 begin path_silent 192.0.2.12");
    }

    @Test
    void forgetsSilenceOfPathThatIsNoLongerUsed() {
        pass(1);
        for (int i = 0; i < 30; i++) {
            sealed++;
            pass(1);
        }
        pass(400);
        assertThat(log).containsExactly("17 begin path_silent 192.0.2.12", "331 end path_silent 192.0.2.12");
    }

    @Test
    void waitsForHubBeforeItReportsNone() {
        hubs = 0;
        pass(7);
        hubs = 1;
        pass(1);
        hubs = 0;
        pass(25);
        hubs = 1;
        pass(1);
        assertThat(log).containsExactly("17 begin no_hub ", "34 end no_hub ");
    }

    @Test
    void reportsEncryptedNetworkWithoutKeys() {
        hasKeys = false;
        keyAge = Optional.empty();
        sealing = false;
        pass(60);
        assertThat(log).isEmpty();
        sealing = true;
        pass(21);
        assertThat(log).containsExactly("81 begin keys_missing ");
    }

    @ParameterizedTest
    @CsvSource({"PT12H, false", "PT12H2M, false", "PT12H2M1S, true"})
    void reportsKeysThatAreDueForLongerThanRotationTakes(Duration age, boolean overdue) {
        keyAge = Optional.of(age);
        pass(1);
        assertThat(conditions.current().stream().anyMatch(condition -> condition.kind() == Kind.KEYS_OVERDUE)).isEqualTo(overdue);
    }

    @Test
    void reportsRouteThatCarriesLessThanNetworksNeed() {
        routeMtu = 1400;
        pass(1);
        assertThat(conditions.current()).singleElement().satisfies(condition -> assertThat(condition.text())
                .contains("192.0.2.12", "1400", "1500", "com.docker.network.driver.mtu=1400"));
        routeMtu = 1500;
        pass(1);
        assertThat(log).containsExactly("1 begin path_mtu 192.0.2.12", "2 end path_mtu 192.0.2.12");
    }

    @Test
    void reportsRefusedNetworkWithLastReasonUntilItIsServed() {
        refused = Map.of("abcdefgh", "no keys");
        pass(1);
        refused = Map.of("abcdefgh", "the kernel lacks ESP");
        pass(1);
        assertThat(conditions.current()).singleElement().satisfies(condition ->
                assertThat(condition.text()).contains("network abcdefgh", "the kernel lacks ESP").doesNotContain("no keys"));
        refused = Map.of();
        pass(1);
        assertThat(log).containsExactly("1 begin refused abcdefgh", "3 end refused abcdefgh");
    }

    @Test
    void reportsEachObstacleOnceItLasts() {
        obstacles = List.of("one", "two");
        pass(5);
        obstacles = List.of("two");
        pass(20);
        obstacles = List.of();
        pass(1);
        assertThat(log).containsExactly("9 begin obstacle two", "26 end obstacle two");
    }

    @Test
    void reportsOnceThatLargePacketsDoNotPass() {
        pass(1);
        lost = List.of(new Observation.LostPackets(NODE.getHostAddress(), "net", 1424));
        pass(3);
        assertThat(conditions.current()).singleElement().satisfies(condition ->
                assertThat(condition.text()).contains("192.0.2.12: packets of 1424 octets, which network net promises, are lost"));
        routeMtu = 1400;
        pass(3);
        assertThat(conditions.current()).singleElement().satisfies(condition ->
                assertThat(condition.text()).contains("the route to it carries packets of 1400 octets"));
        routeMtu = 1500;
        lost = List.of();
        pass(1);
        assertThat(log).containsExactly("2 begin path_mtu 192.0.2.12", "8 end path_mtu 192.0.2.12");
    }

    @Test
    void reportsPathWhoseContainersAnswerNothingOnce() {
        pass(1);
        unanswered = List.of(new Observation.Unanswered("192.0.2.12", "plainnet", false));
        pass(2);
        assertThat(conditions.current()).singleElement().satisfies(condition -> assertThat(condition.text())
                .contains("no container there answers over network plainnet", "iptables -I INPUT -p udp --dport 4789 -j ACCEPT"));
        unanswered = List.of(new Observation.Unanswered("192.0.2.12", "sealednet", true),
                new Observation.Unanswered("192.0.2.12", "plainnet", false));
        pass(2);
        assertThat(conditions.current()).singleElement().satisfies(condition ->
                assertThat(condition.text()).contains("network sealednet: ESP is open", "drops UDP port 4789 after decryption"));
        unanswered = List.of();
        pass(1);
        assertThat(log).containsExactly("2 begin path_silent 192.0.2.12", "6 end path_silent 192.0.2.12");
    }
}
