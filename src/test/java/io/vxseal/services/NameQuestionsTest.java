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
class NameQuestionsTest {
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

    private void leave(String endpoint) {
        proxy.leaving(endpoint);
        proxy.awaitNames(endpoint);
        left.add(endpoint);
    }

    private void delete(List<String> endpoints) {
        left.clear();
        endpoints.forEach(proxy::left);
        endpoints.clear();
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
                switch (random.nextInt(7)) {
                    case 0, 1 -> {
                        leave(endpoint);
                        leaving.add(endpoint);
                    }
                    case 2, 3 -> {
                        // All, so that names are asked for in between.
                        delete(leaving);
                    }
                    case 4 -> {
                        // Its socket is closed, and the engine goes on with what it was asked.
                        proxy.detach(NETWORK, "asking");
                        proxy.attach(NETWORK, "asking", "asking", false);
                    }
                    default -> proxy.change(NETWORK, List.of(address(10 + step)), Map.of(address(11 + step), endpoint));
                }
                LockSupport.parkNanos(random.nextLong(Duration.ofMillis(10).toNanos()));
            }
            delete(leaving);
            assertThat(wrong).as("names asked for while an endpoint leaves, seed %d", seed).isEmpty();
            assertThat(names.get()).as("names asked for at all, seed %d", seed).isGreaterThan(before);
        }
    }

    @Test
    void leaveWaitsForTheAnswerUnderWay() {
        AtomicInteger begun = new AtomicInteger();
        AtomicInteger ended = new AtomicInteger();
        engine.beforeName(() -> {
            if (begun.incrementAndGet() == 1) {
                LockSupport.parkNanos(Duration.ofMillis(300).toNanos());
            }
            ended.incrementAndGet();
        });
        proxy.change(NETWORK, List.of(), Map.of(address(3), "nameless"));
        await().pollInterval(Duration.ofMillis(5)).atMost(LIMIT).until(() -> begun.get() > ended.get());
        leave("asking");
        assertThat(ended).hasValue(begun.get());
    }

    @Test
    void endpointThatIsNeverDeletedCountsForTwentySeconds() {
        NameQuestions questions = new NameQuestions();
        assertThat(questions.end()).isEqualTo(Long.MAX_VALUE);
        questions.leave("a", 0);
        questions.leave("b", SECOND);
        questions.leave("c", 2 * SECOND);
        questions.left("c");
        assertThat(questions.end()).isEqualTo(21 * SECOND);
        assertThat(questions.isAnyLeaving(21 * SECOND - 1)).isTrue();
        assertThat(questions.isAnyLeaving(21 * SECOND)).isFalse();
        assertThat(questions.isAnyLeaving(0)).as("it is forgotten").isFalse();
    }

    /** Also one that is asked again: they are told apart by identity. */
    @Test
    void questionIsUnderWayUntilItsAnswerOrForASecond() {
        NameQuestions questions = new NameQuestions();
        List<Object> equal = List.of(new Question.NameOf(address(2)), new Question.NameOf(address(2)));
        equal.forEach(one -> questions.asked(one, 0));
        questions.answered(equal.getFirst());
        assertThat(questions.isAnyUnderWay(SECOND - 1)).isTrue();
        assertThat(questions.isAnyUnderWay(SECOND)).isFalse();
    }
}
