package io.vxseal.cluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vxseal.address.Cidr;
import io.vxseal.address.MacAddress;
import io.vxseal.cluster.Message.Announce;
import io.vxseal.cluster.Message.Ask;
import io.vxseal.cluster.Message.Away;
import io.vxseal.cluster.Message.Beat;
import io.vxseal.cluster.Message.Everything;
import io.vxseal.cluster.Message.Goodbye;
import io.vxseal.cluster.Message.Heard;
import io.vxseal.cluster.Message.Hello;
import io.vxseal.cluster.Message.Own;
import io.vxseal.cluster.Message.Recall;
import io.vxseal.cluster.Message.Recalled;
import io.vxseal.cluster.Message.Ring;
import io.vxseal.cluster.Message.Withdraw;
import io.vxseal.swarm.NodeName;
import io.vxseal.swarm.Role;
import io.vxseal.swarm.SwarmIdentity;
import io.vxseal.swarm.TestSwarm;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.UUID;
import java.util.stream.IntStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WireTest {
    private static final Own V4 = new Own(new Own.Id("ttrq8xk3", "5b78"), Cidr.parse("10.44.0.2/24"),
            MacAddress.parse("02:42:0a:2c:00:02"));
    private static final Own V6 = new Own(new Own.Id("net", "endpoint"), Cidr.parse("fd00::2/64"),
            MacAddress.parse("02:42:00:00:00:02"));
    private static final List<Message> SAMPLES = List.of(
            new Everything(3, List.of(V4, V6)),
            new Everything(1, List.of()),
            new Announce(4, V6),
            new Withdraw(5, V4.id()),
            new Beat(6, new SignedRing.Mark(7, "node", 8), false),
            new Beat(6, new SignedRing.Mark(7, "node", 8), true),
            new Ask(),
            new Goodbye(),
            new Away(),
            new Heard(),
            new Recall(),
            new Recalled(List.of(V4, V6)));

    @Test
    void whatIsWrittenIsRead() throws Exception {
        for (Message message : SAMPLES) {
            assertThat(Wire.decode(Wire.encode(message))).isEqualTo(message);
        }
        byte[] octets = {1, 2, 3};
        assertThat(((Ring) Wire.decode(Wire.encode(new Ring(octets)))).octets()).isEqualTo(octets);
    }

    @Test
    void anIntroductionHoldsForItsSenderOnly(@TempDir Path temp) throws Exception {
        TestSwarm swarm = TestSwarm.make(Files.createDirectories(temp.resolve("ca")), "someswarm");
        SwarmIdentity worker = SwarmIdentity.read(swarm.node("n1", Role.WORKER));
        SwarmIdentity other = SwarmIdentity.read(swarm.node("n2", Role.MANAGER));
        UUID member = UUID.randomUUID();
        Hello sent = Introduction.make(worker, member, InetAddress.ofLiteral("10.0.0.1"), SignedRing.Mark.NONE);
        Hello hello = (Hello) Wire.decode(Wire.encode(sent));
        assertThat(Introduction.check(other, member, hello).name()).isEqualTo(new NodeName("someswarm", Role.WORKER, "n1"));
        assertThatThrownBy(() -> Introduction.check(other, UUID.randomUUID(), hello))
                .isInstanceOf(RefusedException.class).hasMessageContaining("n1 did not sign");
        Hello moved = new Hello(InetAddress.ofLiteral("10.0.0.2"), hello.ring(), hello.chain(), hello.signature());
        assertThatThrownBy(() -> Introduction.check(other, member, moved)).isInstanceOf(RefusedException.class);
        Hello promoted = new Hello(hello.vtep(), hello.ring(), other.chain(), hello.signature());
        assertThatThrownBy(() -> Introduction.check(other, member, promoted)).isInstanceOf(RefusedException.class);

        assertThat(Introduction.isRepeated(sent, hello.with(new SignedRing.Mark(7, "n2", 1)))).as("with another ring").isTrue();
        assertThat(List.of(moved, promoted, new Hello(hello.vtep(), hello.ring(), hello.chain(), new byte[64])))
                .as("to be checked").noneMatch(again -> Introduction.isRepeated(sent, again));
    }

    @Test
    void cutOrLengthenedIsRefused() {
        for (Message message : SAMPLES) {
            byte[] good = Wire.encode(message);
            for (int length = 0; length < good.length; length++) {
                byte[] cut = Arrays.copyOf(good, length);
                assertThatThrownBy(() -> Wire.decode(cut)).isInstanceOf(RefusedException.class);
            }
            assertThatThrownBy(() -> Wire.decode(Arrays.copyOf(good, good.length + 1)))
                    .isInstanceOf(RefusedException.class);
        }
    }

    @Test
    void yesAndNoAreWrittenInOneWayOnly() {
        byte[] octets = Wire.encode(new Beat(6, SignedRing.Mark.NONE, true));
        octets[octets.length - 1] = 2;
        assertThatThrownBy(() -> Wire.decode(octets)).isInstanceOf(RefusedException.class);
    }

    @Property(tries = 2000)
    void garbageIsRefusedOrRead(@ForAll @Size(max = 200) byte[] garbage, @ForAll @IntRange(max = 8) int kind) {
        byte[] octets = new byte[garbage.length + 2];
        octets[0] = 1;
        octets[1] = (byte) kind;
        System.arraycopy(garbage, 0, octets, 2, garbage.length);
        try {
            Message read = Wire.decode(octets);
            assertThat(Wire.decode(Wire.encode(read))).isNotNull();
        } catch (RefusedException e) {
            assertThat(e.getMessage()).isNotEmpty();
        }
    }

    @Test
    void tenThousandEndpointsFitOneMessage() throws Exception {
        List<Own> many = IntStream.range(0, 10_000).mapToObj(i -> new Own(
                new Own.Id("ttrq8xk3jv9q2l0n6m5b4c1wz", "%064x".formatted(i)), V4.address(), V4.mac())).toList();
        byte[] octets = Wire.encode(new Everything(1, many));
        assertThat(octets.length).isLessThan(Wire.LIMIT / 10);
        assertThat(Wire.decode(octets)).isEqualTo(new Everything(1, many));
    }
}
