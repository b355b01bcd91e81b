package io.vxseal.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Random schedules of what happens to swarms. One that fails is replayed by its seed: -Dvxseal.seed=N. More of them:
 * -Dvxseal.schedules=100000, from -Dvxseal.first=N on.
 */
class SimulationTest {
    private static final int SCHEDULES = Integer.getInteger("vxseal.schedules", 2000);
    private static final long FIRST = Long.getLong("vxseal.first", 1);
    private static final Long ONLY = Long.getLong("vxseal.seed");
    private static final int MOST_FAILURES = 5;
    /** Some, and three that went another way in each process once. */
    private static final List<Long> REPLAYED =
            LongStream.concat(LongStream.rangeClosed(1, 17), LongStream.of(480, 1092, 1372)).boxed().toList();

    /** Whether this thread runs a schedule, whose log lines nobody reads: 150 for each. */
    private static final ThreadLocal<Boolean> SIMULATING = ThreadLocal.withInitial(() -> false);

    private static PrintStream standardError = System.err;

    /** Drops log lines of threads that run a schedule. Levels do not do: a logger that another class's test made keeps its own. */
    private static final class Log extends PrintStream {
        Log(PrintStream others) {
            super(others, true);
        }

        @Override
        public void println(@Nullable String line) {
            if (!SIMULATING.get()) {
                super.println(line);
            }
        }
    }

    @BeforeAll
    static void dropLogLines() {
        standardError = System.err;
        System.setErr(new Log(standardError));
    }

    @AfterAll
    static void showLogLines() {
        System.setErr(standardError);
    }

    private static long run(long seed, Schedule.Extra extra) {
        SIMULATING.set(true);
        try {
            return new Simulation(seed, extra).run();
        } finally {
            SIMULATING.set(false);
        }
    }

    /** Sets of the library have another order in each process; whatever depends on one makes a seed worthless. */
    @Test
    void seedReplaysExactlyInAnotherProcess() throws Exception {
        List<String> here = REPLAYED.stream().map(SimulationTest::replay).toList();
        Process other = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin/java").toString(), "-cp",
                System.getProperty("java.class.path"), "-Dorg.slf4j.simpleLogger.defaultLogLevel=off", Replay.class.getName())
                .redirectError(ProcessBuilder.Redirect.INHERIT).start();
        assertThat(other.inputReader().readAllLines()).isEqualTo(here);
        assertThat(other.waitFor()).isZero();
    }

    private static String replay(long seed) {
        return seed + " " + run(seed, Schedule.Extra.of(seed));
    }

    /** Runs the same schedules, and writes the digest of each. */
    static final class Replay {
        private Replay() {}

        public static void main(String[] arguments) {
            REPLAYED.forEach(seed -> System.out.println(replay(seed)));
        }
    }

    /** Each seed once found an error of its own; 1056, 1018 and 1689 in classes whose tests have the case in short. */
    @ParameterizedTest
    @ValueSource(longs = {6, 19, 22, 182, 190, 196, 208, 316, 324, 364, 404, 476, 878, 1018, 1056, 1063, 1426, 1689, 1728, 1741, 3776, 6848, 27594, 66846, 30302, 30578})
    void scheduleThatOnceFailedEndsWell(long seed) {
        run(seed, Schedule.Extra.NONE);
    }

    /** The same of schedules in which nodes move, or all hubs restart. */
    @ParameterizedTest
    @ValueSource(longs = {3671, 3735, 5859, 12692, 16628, 30352, 67636, 115344, 43372})
    void scheduleThatOnceFailedWithMovesOrRestartsEndsWell(long seed) {
        run(seed, Schedule.Extra.of(seed));
    }

    @Test
    void everyScheduleEndsWithOneRingAndAllEndpoints() {
        List<String> failures = Collections.synchronizedList(new ArrayList<>());
        long start = System.nanoTime();
        LongStream seeds = ONLY != null ? LongStream.of(ONLY) : LongStream.range(FIRST, FIRST + SCHEDULES);
        seeds.parallel().forEach(seed -> {
            if (failures.size() < MOST_FAILURES) {
                try {
                    run(seed, Schedule.Extra.of(seed));
                } catch (AssertionError | RuntimeException e) {
                    StringWriter trace = new StringWriter();
                    e.printStackTrace(new PrintWriter(trace));
                    failures.add("seed " + seed + ": " + trace);
                }
            }
        });
        System.out.printf("measured: %d schedules in %.1f s%n", SCHEDULES, (System.nanoTime() - start) / 1e9);
        assertThat(failures).isEmpty();
    }
}
