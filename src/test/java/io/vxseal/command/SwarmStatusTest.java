package io.vxseal.command;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The state of all nodes, of a swarm that has one. */
@Timeout(150)
class SwarmStatusTest {
    @TempDir
    private Path folder;

    private LoneManager manager;

    @BeforeEach
    void start() throws Exception {
        manager = LoneManager.start(folder);
        await("keys").atMost(Duration.ofMinutes(2)).until(() -> manager.driver.clusterStatus().ring().isPresent());
    }

    @AfterEach
    void stop() {
        manager.close();
    }

    @Test
    void namesNodeThatHasNothingToReportYet() {
        LoneManager.Outcome outcome = manager.run("status --swarm");
        assertThat(outcome.status()).as(outcome.err()).isZero();
        assertThat(outcome.out()).containsPattern("nodenode +no answer");
    }

    @Test
    void showsEachNodesOwnReport() throws Exception {
        manager.driver.watch();
        LoneManager.Outcome outcome = manager.run("status --swarm --json");
        assertThat(outcome.status()).as(outcome.err()).isZero();
        JsonNode reply = new ObjectMapper().readTree(outcome.out());
        assertThat(reply.path("silent")).isEmpty();
        JsonNode node = reply.path("nodes").path(0);
        assertThat(node.path("id").asText()).isEqualTo("nodenode");
        assertThat(node.path("role").asText()).isEqualTo("manager");
        assertThat(node.path("address").asText()).isEqualTo("127.0.0.1");
        assertThat(node.path("ring").asInt()).isEqualTo(1);
        assertThat(node.path("hubs").asInt()).isEqualTo(1);
        assertThat(manager.run("status --swarm").out()).contains("NODE", "TROUBLE", "nodenode  manager  127.0.0.1");
    }
}
