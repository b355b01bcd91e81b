package io.vxseal.engine;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.StandardError;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SwarmNodesTest {
    private static final String ONE = "1oneoneoneoneoneoneoneone";
    private static final String TWO = "2twotwotwotwotwotwotwotwo";
    private static final String BOTH = "[{\"ID\":\"%s\"},{\"ID\":\"%s\"}]".formatted(ONE, TWO);

    @TempDir
    private Path folder;

    private final List<Set<String>> heard = new ArrayList<>();
    private final List<String> failures = new ArrayList<>();
    private Optional<String> self = Optional.of(ONE);
    private TestEngine engine;
    private EngineApi api;
    private SwarmNodes nodes;

    @BeforeEach
    void open() throws Exception {
        engine = new TestEngine(folder.resolve("engine.sock"));
        api = new EngineApi(folder.resolve("engine.sock"));
        nodes = new SwarmNodes(api, () -> self, heard::add, failures::add);
    }

    @AfterEach
    void close() {
        api.close();
        engine.close();
    }

    @Test
    void passesListOnWhileNodeIsManager() {
        engine.answer("/nodes", 200, BOTH);
        assertThat(nodes.poll()).isTrue();
        assertThat(heard).containsExactly(Set.of(ONE, TWO));
        self = Optional.empty();
        assertThat(nodes.poll()).isTrue();
        assertThat(heard).hasSize(1);
        assertThat(engine.asked()).containsExactly("/nodes");
    }

    @Test
    void passesNothingOnThatIsNotTheListOfThisSwarm() {
        for (String answer : List.of("[]", "[{\"ID\":\"%s\"}]".formatted(TWO), BOTH.replace("]", ""), "{\"message\":\"no\"}")) {
            engine.answer("/nodes", 200, answer);
            assertThat(nodes.poll()).as(answer).isFalse();
        }
        engine.answer("/nodes", 503, TestEngine.NO_MANAGER);
        assertThat(nodes.poll()).isFalse();
        engine.close();
        assertThat(nodes.poll()).isFalse();
        assertThat(heard).isEmpty();
    }

    @Test
    void logsFailureOnceAndItsEnd() {
        try (StandardError log = new StandardError()) {
            engine.answer("/nodes", 500, "{\"message\":\"rpc error: the swarm does not have a leader\"}");
            nodes.poll();
            nodes.poll();
            assertThat(log.said()).containsOnlyOnce("does not have a leader").containsOnlyOnce("WARN");
            assertThat(failures).hasSize(2).allMatch(reason -> reason.contains("does not have a leader"));
            engine.answer("/nodes", 200, BOTH);
            nodes.poll();
            nodes.poll();
            assertThat(log.said()).containsOnlyOnce("works again");
        }
        assertThat(heard).hasSize(2);
    }

    @Test
    void survivesListenerThatFails() {
        engine.answer("/nodes", 200, BOTH);
        SwarmNodes failing = new SwarmNodes(api, () -> self, _ -> {
            throw new IllegalStateException("as a test has it");
        }, failures::add);
        try (StandardError log = new StandardError()) {
            assertThat(failing.poll()).isFalse();
            assertThat(log.said()).contains("unexpected error", "as a test has it");
        }
    }
}
