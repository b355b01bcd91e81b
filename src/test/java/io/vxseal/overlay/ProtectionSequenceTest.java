package io.vxseal.overlay;

import io.vxseal.kernel.Firewall;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Nothing of an encrypted network leaves or enters in clear, whatever operators and accidents do to a node: random sequences
 * of {@link NodeStep}s, with datagrams under way before, during and after each one and between the steps of a repair.
 *
 * <p>While the plugin is stopped, one {@link NodeStep.Barrier} at most is taken away until it runs again: two hold, each by
 * itself, and nobody is there to put one back.
 *
 * <p>{@code -Dvxseal.sequence=SEED} plays one seed alone, and {@code -Dvxseal.sequence='IPV4 IPTABLES STEP…'} one list of
 * steps, as a failure prints them.
 */
@Execution(ExecutionMode.CONCURRENT)
class ProtectionSequenceTest {
    private static final int SEEDS = 200;
    private static final int LEAST_STEPS = 10;
    private static final int MOST_STEPS = 30;
    private static final int SEEDS_IN_GUESTS = 20;
    private static final int STEPS_IN_GUESTS = 10;

    @TempDir
    Path folder;

    static IntStream seeds() {
        String one = System.getProperty("vxseal.sequence", "");
        if (one.matches("\\d+-\\d+")) {
            String[] ends = one.split("-");
            return IntStream.rangeClosed(Integer.parseInt(ends[0]), Integer.parseInt(ends[1]));
        }
        return one.matches("\\d+") ? IntStream.of(Integer.parseInt(one)) : IntStream.rangeClosed(1, SEEDS);
    }

    static IntStream seedsInGuests() {
        return IntStream.rangeClosed(1, SEEDS_IN_GUESTS);
    }

    @ParameterizedTest(name = "seed {0}")
    @MethodSource("seeds")
    void nothingCrossesInClear(int seed) throws Exception {
        Random random = new Random(seed);
        play(seed, random, LEAST_STEPS + random.nextInt(MOST_STEPS - LEAST_STEPS + 1), false);
    }

    @Tag("esp")
    @ParameterizedTest(name = "seed {0}")
    @MethodSource("seedsInGuests")
    void nothingCrossesInClearWhereTheKernelSeals(int seed) throws Exception {
        play(seed, new Random(seed), STEPS_IN_GUESTS, true);
    }

    private void play(int seed, Random random, int count, boolean seals) throws Exception {
        boolean ipv6 = seed % 4 == 0;
        Firewall.Backend backend = Firewall.Backend.values()[seed % 3];
        List<NodeStep> played = new ArrayList<>();
        try (SequenceNode node = new SequenceNode(folder, ipv6, backend, seals)) {
            while (played.size() < count) {
                NodeStep step = NodeStep.draw(random);
                played.add(step);
                long t0 = System.nanoTime();
                if (!node.play(step)) {
                    played.removeLast();
                } else System.out.println(seed + " " + played.size() + "/" + count + " " + step + " " + (System.nanoTime() - t0) / 1000000);
            }
            node.serves();
        } catch (Exception | AssertionError failure) {
            throw new AssertionError("seed %d: %s %s %s".formatted(
                    seed, ipv6 ? "IPV6" : "IPV4", backend, NodeStep.print(played)), failure);
        }
    }

    /** Sequences that were in clear once. */
    @ParameterizedTest
    @ValueSource(strings = {"IPV4 IPTABLES PORT_CHANGED/0"})
    void listedSequenceIsNotInClear(String listed) throws Exception {
        String one = System.getProperty("vxseal.sequence", "");
        String[] parts = (one.contains(" ") ? one : listed).split(" ", 3);
        try (SequenceNode node =
                new SequenceNode(folder, parts[0].equals("IPV6"), Firewall.Backend.valueOf(parts[1]), false)) {
            for (NodeStep step : NodeStep.parse(parts[2])) {
                node.play(step);
            }
            node.serves();
        }
    }
}
