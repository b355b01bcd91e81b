package io.vxseal.cluster.ring;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.cluster.Hosts;
import io.vxseal.cluster.message.Mutation;
import io.vxseal.cluster.refusal.Refusal;
import io.vxseal.cluster.refusal.RefusedException;
import io.vxseal.encryption.KeyRing;
import io.vxseal.swarm.Role;
import io.vxseal.swarm.SwarmIdentity;
import io.vxseal.swarm.TestSwarm;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Random and mutated rings: each is refused with a reason. More of them: -Dvxseal.rings=1000000. */
class RandomRingsTest {
    private static final int RINGS = Integer.getInteger("vxseal.rings", 2_000);
    private static final long SEED = Long.getLong("vxseal.rings.seed", 1);
    private static final int LONGEST_RANDOM = 3000;

    @TempDir
    private static Path temp;

    @Test
    void refusesEveryRandomRing() throws Exception {
        TestSwarm swarm = TestSwarm.make(Files.createDirectories(temp.resolve("ca")), "swarmswarmswarmswarmswarm");
        SwarmIdentity manager = SwarmIdentity.read(swarm.node("manager1", Role.MANAGER));
        SwarmIdentity worker = SwarmIdentity.read(swarm.node("worker1", Role.WORKER));
        KeyRing keys = Hosts.keys(5, 4, 6);
        List<byte[]> signed = List.of(
                SignedRing.sign(manager, 9, Instant.ofEpochMilli(1_700_000_000_123L), false, keys, Set.of()).octets(),
                SignedRing.sign(manager, 10, Instant.ofEpochMilli(1_700_000_000_124L), true, Hosts.keys(1), Set.of(4, 6)).octets());
        Map<Refusal, Integer> refused = new EnumMap<>(Refusal.class);
        Random random = new Random(SEED);
        for (int n = 0; n < RINGS; n++) {
            byte[] octets = octets(signed, random);
            try {
                SignedRing ring = SignedRing.open(worker, octets);
                throw new AssertionError("seed %d, ring %d is taken as %s: %s".formatted(SEED, n, ring, HexFormat.of().formatHex(octets)));
            } catch (RefusedException e) {
                refused.merge(e.reason(), 1, Integer::sum);
            } catch (RuntimeException e) {
                throw new AssertionError("seed %d, ring %d: %s".formatted(SEED, n, HexFormat.of().formatHex(octets)), e);
            }
        }
        System.out.printf("measured: %d rings from seed %d, refused: %s%n", RINGS, SEED, refused);
        assertThat(refused).containsKeys(Refusal.RING, Refusal.RING_SIGNATURE);
    }

    private static byte[] octets(List<byte[]> signed, Random random) {
        if (random.nextInt(8) == 0) {
            byte[] octets = new byte[random.nextInt(LONGEST_RANDOM)];
            random.nextBytes(octets);
            if (octets.length > 0 && random.nextBoolean()) {
                octets[0] = signed.getFirst()[0];
            }
            return octets;
        }
        byte[] mutated;
        do {
            mutated = Mutation.of(signed.get(random.nextInt(signed.size())), signed.get(random.nextInt(signed.size())), random);
        } while (Arrays.equals(mutated, signed.getFirst()) || Arrays.equals(mutated, signed.getLast()));
        return mutated;
    }
}
