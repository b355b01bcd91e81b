package io.vxseal.services;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.vxseal.address.Cidr;
import io.vxseal.kernel.TestHost;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Tests that the engine is asked for no name while it may take its locks in the other order. */
class LeavingEndpointsTest {
    private static final long SECOND = Duration.ofSeconds(1).toNanos();
    private static final int SEEDS = 4;
    private static final int STEPS = 150;
    private static final String NETWORK = "x1tn53m6e8ylk0oz4cdq7vbw2";
    private static final Duration LIMIT = Duration.ofSeconds(10);

    @TempDir
    Path folder;

    /** Endpoints for which Leave has returned, and DeleteEndpoint has not been called. */
    private final Set<String> left = ConcurrentHashMap.newKeySet();

    private final AtomicInteger names = new AtomicInteger();
    private final List<Set<String>> wrong = new CopyOnWriteArrayList<>();
    private TestHost container;
    private EngineNames engine;
    private ServiceProxy proxy;

    @BeforeEach
    void open() throws Exception {
        Files.createDirectories(folder.resolve("netns"));
        container = new TestHost(folder.resolve("netns/asking"));
        engine = new EngineNames(container);
        engine.beforeName(this::observe);
        proxy = new ServiceProxy(folder.resolve("netns"), folder.resolve("services.json"), (network, vips) -> { });
        proxy.up(NETWORK, List.of(Cidr.parse("10.0.0.0/16")), List.of(address(1)), Map.of());
        proxy.start();
        proxy.change(NETWORK, List.of(), Map.of(address(2), "asking"));
        proxy.attach(NETWORK, "asking", "asking", false);
    }

    @AfterEach
    void close() throws Exception {
        proxy.close();
        engine.close();
        container.close();
    }

    private static InetAddress address(int last) {
        return InetAddress.ofLiteral("10.0.1." + last);
    }

    /** The engine looks for a name. */
    private void observe() {
        Set<String> now = Set.copyOf(left);
        if (!now.isEmpty()) {
            wrong.add(now);
        }
        names.incrementAndGet();
    }

    private void awaitName() {
        int before = names.get();
        await().atMost(LIMIT).until(() -> names.get() > before);
    }

    /** An endpoint of which the engine never knows the name has it asked over and over. */
    @Test
    void noNameIsAskedForFromLeaveToDeletionInAnyOrder() throws Exception {
        proxy.change(NETWORK, List.of(), Map.of(address(3), "nameless"));
        awaitName();
        for (long seed = 1; seed <= SEEDS; seed++) {
            Random random = new Random(seed);
            List<String> leaving = new ArrayList<>();
            int before = names.get();
            for (int step = 0; step < STEPS; step++) {
                String endpoint = "endpoint " + step;
                switch (random.nextInt(3)) {
                    case 0 -> {
                        proxy.leaving(endpoint);
                        left.add(endpoint);
                        leaving.add(endpoint);
                    }
                    case 1 -> {
                        // All, so that names are asked for in between.
                        left.clear();
                        leaving.forEach(proxy::deleted);
                        leaving.clear();
                    }
                    default -> proxy.change(NETWORK, List.of(address(10 + step)), Map.of(address(11 + step), endpoint));
                }
                LockSupport.parkNanos(random.nextLong(Duration.ofMillis(10).toNanos()));
            }
            left.clear();
            leaving.forEach(proxy::deleted);
            assertThat(wrong).as("names asked for while an endpoint leaves, seed %d", seed).isEmpty();
            assertThat(names.get()).as("names asked for at all, seed %d", seed).isGreaterThan(before);
        }
    }

    @Test
    void leaveWaitsForTheAnswerUnderWay() {
        AtomicInteger begun = new AtomicInteger();
        AtomicInteger ended = new AtomicInteger();
        engine.beforeName(() -> {
            begun.incrementAndGet();
            LockSupport.parkNanos(Duration.ofMillis(200).toNanos());
            ended.incrementAndGet();
        });
        proxy.change(NETWORK, List.of(), Map.of(address(3), "nameless"));
        await().atMost(LIMIT).until(() -> begun.get() > ended.get());
        proxy.leaving("asking");
        assertThat(ended).hasValue(begun.get());
    }

    @Test
    void endpointThatIsNeverDeletedCountsForTwentySeconds() {
        LeavingEndpoints leaving = new LeavingEndpoints();
        assertThat(leaving.end()).isEqualTo(Long.MAX_VALUE);
        leaving.add("a", 0);
        leaving.add("b", SECOND);
        leaving.add("c", 2 * SECOND);
        leaving.remove("c");
        assertThat(leaving.end()).isEqualTo(21 * SECOND);
        assertThat(leaving.isAny(21 * SECOND - 1)).isTrue();
        assertThat(leaving.isAny(21 * SECOND)).isFalse();
        assertThat(leaving.isAny(0)).as("it is forgotten").isFalse();
    }
}
