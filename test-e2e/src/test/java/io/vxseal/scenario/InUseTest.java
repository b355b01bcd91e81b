package io.vxseal.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.lab.Await;
import io.vxseal.lab.Capture;
import io.vxseal.lab.Guest;
import io.vxseal.lab.Lab;
import io.vxseal.lab.PingsBothWays;
import io.vxseal.lab.Product;
import io.vxseal.lab.Swarm;
import io.vxseal.lab.Task;
import io.vxseal.lab.Together;
import io.vxseal.lab.Wire;
import io.vxseal.lab.Xfrm;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Base64;
import java.util.Deque;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * An encrypted network under traffic. Damage to a host's kernel is repaired and logged once, and nothing leaves in
 * clear meanwhile; the time of each repair is printed. Keys change without packet loss. The engine's own
 * encrypted overlay network works beside it, and outlives it.
 */
@Laboratory(installed = true)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class InUseTest {

    /** Commands on a host; N is the only network's namespace, and L its VXLAN device. */
    enum Damage {
        STATES_FLUSHED("ip xfrm state flush"),
        POLICIES_FLUSHED("ip xfrm policy flush"),
        STATES_AND_POLICIES_FLUSHED("ip xfrm state flush; ip xfrm policy flush"),
        FIREWALL_RELOADED("iptables-save | grep -v VXSEAL | iptables-restore"),
        FORWARDING_ENTRIES_FLUSHED("bridge -n N fdb flush dev L"),
        NEIGHBOURS_FLUSHED("ip -n N neigh flush dev L nud permanent"),
        VXLAN_DELETED("ip -n N link delete L"),
        ADMINISTRATOR_ACCEPTS_FIRST("iptables -I INPUT -p udp --dport 4789 -j ACCEPT");

        private final String command;

        Damage(String command) {
            this.command = command;
        }
    }

    /**
     * Does the damage, and waits until a repair is logged and everything is as before: states, policies, the plugin's rules and
     * their positions, links, entries. Prints the milliseconds that this took.
     */
    private static final String SCRIPT = """
            set -u
            if ! [ -e /run/netns/N ]; then
                mkdir -p /run/netns && touch /run/netns/N
                mount --bind /run/docker/plugins/vxseal.run/netns/* /run/netns/N
            fi
            L=$(ip -n N -o link show type vxlan | awk -F': ' '{print $2}' | sed 's/@.*//')
            standing() {
                ip xfrm state list nokeys | grep -E '^src|proto esp' | paste - - | sort
                ip xfrm policy | awk '/^src/ { printf "\\n" } { printf "%s ", $0 }' | sort
                iptables-save | grep VXSEAL
                iptables -S INPUT | sed -n 2p
                iptables -S OUTPUT | sed -n 2p
                ip -n N -o link show | awk '{print $2, $3, $5, $7, $9}' | sed 's/@[^ ]*//' | sort
                bridge -n N fdb show | grep ' dst ' | sort
                ip -n N neigh show nud permanent | sort
            } 2>/dev/null
            told() { LOG | grep -c 'repaired '; }
            before=$(standing) before_told=$(told)
            start=$(date +%s%N)
            DAMAGE
            until [ "$(told)" -gt "$before_told" ] && [ "$(standing)" = "$before" ]; do
                [ $(($(date +%s%N) - start)) -lt 60000000000 ] || { echo "before:"; echo "$before"; echo "now:"; standing; exit 1; } >&2
                sleep 0.2
            done
            echo $((($(date +%s%N) - start) / 1000000))
            """.replace("LOG", Product.LOG);

    /** {@code ./test --soak} sets more. */
    private static final int ROTATIONS = Integer.getInteger("vxseal.rotations", 10);
    private static final int PER_SECOND = 200;
    private static final String DISCOVER_NEW = "NetworkDriver.DiscoverNew";

    private final SecureRandom random = new SecureRandom();
    private List<Task> tasks;

    @BeforeAll
    void serve(Lab lab) {
        lab.swarm().createNetwork("my-net", Product.DRIVER, "--opt encrypted", "--attachable", "--subnet 10.66.0.0/24");
        tasks = lab.swarm().serve("web", "my-net");
        tasks.getFirst().awaitAnswer(tasks.getLast());
    }

    @Order(1)
    @ParameterizedTest
    @EnumSource(Damage.class)
    void repairsDamageAndSendsNothingInClear(Damage damage, Lab lab) {
        Guest guest = lab.guest(1);
        Capture capture = lab.wire().capture(damage.name());
        Task.Flood traffic = tasks.getFirst().flood(tasks.getLast(), 20, 2000);
        long told = repairsTold(guest);

        String milliseconds = guest.run(
                        SCRIPT.replace("DAMAGE", damage.command.replaceAll("\\bL\\b", "\\$L")), Duration.ofMinutes(2))
                .require();

        assertThat(Swarm.pingAcross(tasks, 3)).matches(Task.Pings::allBack);
        traffic.stop();
        capture.stop();
        assertThat(capture.count(Wire.ESP)).isPositive();
        assertThat(capture.count(Wire.CLEARTEXT_VXLAN)).as("in clear").isZero();
        // A comparison may run between two commands.
        assertThat(repairsTold(guest) - told).as("lines of the log").isBetween(1L, 2L);
        System.out.printf("repaired after %s ms: %s%n", milliseconds, damage);
    }

    private static long repairsTold(Guest guest) {
        return Long.parseLong(guest.sh(Product.LOG + " | grep -c 'repaired ' || true"));
    }

    /** The first answer must not wait until bridges have forgotten what they learnt. */
    @Test
    @Order(2)
    void movedSilentContainerAnswersBothHosts(Lab lab) {
        String address = "10.66.0.200";
        Task before = Swarm.listenOn(lab.guest(2), "listener", "my-net", address);
        tasks.forEach(task -> task.awaitAnswer(before));
        before.remove();

        Task moved = Swarm.listenOn(lab.guest(1), "listener", "my-net", address);
        List<Task.Pings> pings = Together.map(tasks, task -> task.flood(moved, 1, 8).await());

        System.out.printf("one ping a second to a container that has just moved: %s%n", pings);
        assertThat(pings).allSatisfy(each -> assertThat(each.sent() - each.received()).as("unanswered of %s", each).isLessThanOrEqualTo(2));
        moved.remove();
    }

    /** The rule is added with nft to a table of iptables, which then cannot list that table at all. */
    @Test
    @Order(3)
    void unlistableIptablesRuleCostsNoPacketAndIsReported(Lab lab) {
        Guest guest = lab.guest(1);
        Capture capture = lab.wire().capture("unlisted");
        try (PingsBothWays pings = PingsBothWays.start(tasks, 20, Duration.ofMinutes(5))) {
            guest.sh("nft add chain ip filter OPS; nft add rule ip filter OPS ct state established accept");
            assertThat(guest.run("iptables -S", Duration.ofSeconds(30)).ok()).as("iptables can list").isFalse();
            Await.until("the status to report it in one line", Duration.ofSeconds(30), () ->
                    guest.sh("vxseal status").lines().filter(line -> line.contains("iptables cannot list")).count() == 1);
            Await.pause(Duration.ofSeconds(10)); // two comparisons or more
            guest.sh("nft delete chain ip filter OPS");
            Await.until("iptables to be in use again", Duration.ofSeconds(30), () ->
                    guest.sh("vxseal status").lines().noneMatch(line -> line.contains("iptables cannot list")));
            pings.stopWithoutLoss();
        }
        assertThat(Swarm.pingAcross(tasks, 3)).matches(Task.Pings::allBack);
        capture.stop();
        assertThat(capture.count(Wire.ESP)).isPositive();
        assertThat(capture.count(Wire.CLEARTEXT_VXLAN)).as("in clear").isZero();
    }

    private record Key(String octets, int tag) {}

    private Key key(int tag) {
        byte[] octets = new byte[16];
        random.nextBytes(octets);
        return new Key(Base64.getEncoder().encodeToString(octets), tag);
    }

    /** Rotates like the swarm: the next key becomes primary, a new one is added, the previous one is pruned. */
    @Test
    @Order(4)
    void rotationsLoseNoPacket(Lab lab) {
        Guest manager = lab.guest(1);
        Guest worker = lab.guest(2);
        Deque<Key> ring = new ArrayDeque<>(List.of(key(1), key(2), key(3)));
        // [previous, primary, next]
        awaitSwitch(lab, () -> Product.call(manager, DISCOVER_NEW,
                "{'DiscoveryType':2,'DiscoveryData':{'Keys':['%s','%s','%s'],'Tags':[2,1,3]}}"
                        .formatted(octets(ring, 1), octets(ring, 0), octets(ring, 2))));

        Capture capture = lab.wire().capture("rotation");
        try (PingsBothWays pings = PingsBothWays.start(tasks, PER_SECOND, Duration.ofSeconds(15L * ROTATIONS))) {
            long start = System.nanoTime();
            for (int n = 0; n < ROTATIONS; n++) {
                Key pruned = ring.removeFirst();
                ring.addLast(key(4 + n));
                awaitSwitch(lab, () -> Product.call(manager, DISCOVER_NEW,
                        "{'DiscoveryType':3,'DiscoveryData':{'Key':'%s','Tag':%d,'Primary':'%s','PrimaryTag':%d,'Prune':'%s','PruneTag':%d}}"
                                .formatted(ring.getLast().octets, ring.getLast().tag, octets(ring, 1), tag(ring, 1), pruned.octets, pruned.tag)));
            }
            double seconds = (System.nanoTime() - start) / 1e9;
            int sent = pings.stopWithoutLoss();
            assertThat(sent).isGreaterThan(ROTATIONS * 100);
            System.out.printf("%d rotations: %d pings, %.0f packets a second across, all back%n", ROTATIONS, sent, 2 * sent / seconds);
        }
        capture.stop();

        assertThat(capture.count(Wire.CLEARTEXT_VXLAN)).isZero();
        for (Guest from : lab.guests()) {
            Guest to = from == manager ? worker : manager;
            assertThat(capture.spis(from, to)).as("SPIs from %s", from).hasSize(ROTATIONS + 1);
            assertThat(Xfrm.of(from).states(from, to)).hasSize(1);
            assertThat(Xfrm.of(from).states(to, from)).hasSize(3);
        }
    }

    /** Changes the keys, and waits until both hosts encrypt with the new one. */
    private static void awaitSwitch(Lab lab, Runnable change) {
        List<String> before = sending(lab);
        change.run();
        Await.until("both hosts to seal with the next key", Duration.ofSeconds(30), () -> {
            List<String> now = sending(lab);
            return IntStream.range(0, now.size()).noneMatch(n -> now.get(n).equals(before.get(n)));
        });
    }

    /** Returns the templates of each host's policy for the other, which name the state for sending. */
    private static List<String> sending(Lab lab) {
        return Together.map(lab.guests(), guest -> guest.sh("ip xfrm policy | grep 'proto esp spi'"));
    }

    private static String octets(Deque<Key> ring, int place) {
        return List.copyOf(ring).get(place).octets;
    }

    private static int tag(Deque<Key> ring, int place) {
        return List.copyOf(ring).get(place).tag;
    }

    /** A kernel in confidentiality lockdown lists states with zeros as keys, which is no reason to replace them. */
    @Test
    @Order(5)
    void lockedDownKernelIsRepairedOnlyOnce(Lab lab) {
        Guest guest = lab.guest(1);
        guest.sh("mountpoint -q /sys/kernel/security || mount -t securityfs securityfs /sys/kernel/security;"
                + " echo confidentiality > /sys/kernel/security/lockdown");
        assertThat(guest.sh("ip xfrm state | grep 'aead rfc4106'").lines()).isNotEmpty().allMatch(line -> line.contains("0x" + "0".repeat(40)));

        repairsDamageAndSendsNothingInClear(Damage.STATES_FLUSHED, lab);

        long told = repairsTold(guest);
        Await.pause(Duration.ofSeconds(12)); // two comparisons or more
        assertThat(repairsTold(guest)).isEqualTo(told);
        assertThat(Swarm.pingAcross(tasks, 3)).matches(Task.Pings::allBack);
    }

    /** Both drivers use one reqid and one port, and each changes only its own states. */
    @Test
    @Order(6)
    void builtInDriverWorksBesideItAndKeepsItsStates(Lab lab) {
        List<Xfrm> ours = lab.guests().stream().map(Xfrm::of).toList();
        Capture capture = lab.wire().capture("beside");
        lab.swarm().createNetwork("theirs", "overlay", "--opt encrypted");
        List<Task> theirs = lab.swarm().serve("their-web", "theirs");
        theirs.getFirst().awaitAnswer(theirs.getLast());
        assertThat(Swarm.pingAcross(theirs, 5)).matches(Task.Pings::allBack);
        assertThat(Swarm.pingAcross(tasks, 5)).matches(Task.Pings::allBack);
        List<Xfrm> both = lab.guests().stream().map(Xfrm::of).toList();

        lab.swarm().removeService("web");
        lab.swarm().removeNetwork("my-net");

        for (int n = 0; n < ours.size(); n++) {
            Xfrm left = Xfrm.of(lab.guests().get(n));
            assertThat(left.states()).isNotEmpty().containsExactlyInAnyOrderElementsOf(
                    without(both.get(n).states(), ours.get(n).states()));
            assertThat(left.policies()).isNotEmpty().containsExactlyInAnyOrderElementsOf(
                    without(both.get(n).policies(), ours.get(n).policies()));
        }
        assertThat(Swarm.pingAcross(theirs, 5)).matches(Task.Pings::allBack);
        capture.stop();
        assertThat(capture.count(Wire.ESP)).isPositive();
        assertThat(capture.count(Wire.CLEARTEXT_VXLAN)).isZero();
    }

    private static <T> List<T> without(List<T> all, List<T> some) {
        return all.stream().filter(each -> !some.contains(each)).toList();
    }
}
