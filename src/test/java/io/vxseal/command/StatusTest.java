package io.vxseal.command;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The commands against a plugin that is a manager, alone in its swarm, and has no networks. */
@Timeout(60)
class StatusTest {
    @TempDir
    private Path folder;

    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();
    private final List<AutoCloseable> running = new ArrayList<>();

    private int run(String line) {
        out.getBuffer().setLength(0);
        err.getBuffer().setLength(0);
        return Command.run(new PrintWriter(out, true), new PrintWriter(err, true), line.split(" "));
    }

    private Path start() throws Exception {
        LoneManager manager = LoneManager.start(folder);
        running.add(manager);
        return manager.socket;
    }

    @AfterEach
    void stop() throws Exception {
        for (AutoCloseable each : running.reversed()) {
            each.close();
        }
    }

    private JsonNode json(Path socket) throws IOException {
        assertThat(run("status --json --socket " + socket)).as(err.toString()).isZero();
        return new ObjectMapper().readTree(out.toString());
    }

    @Test
    void showsManagerAndRotatesItsKeys() throws Exception {
        Path socket = start();
        await("a ring").atMost(Duration.ofMinutes(2)).until(() -> json(socket).has("ring"));
        JsonNode status = json(socket);
        assertThat(status.path("node").path("id").asText()).isEqualTo("nodenode");
        assertThat(status.path("node").path("swarm").asText()).isEqualTo("swarmswarm");
        assertThat(status.path("cluster").path("hubs").findValuesAsText("id")).containsExactly("nodenode");
        assertThat(status.path("cluster").path("members").findValuesAsText("role")).containsExactly("manager");
        JsonNode ring = status.path("ring");
        assertThat(ring.path("version").asLong()).isEqualTo(1);
        assertThat(ring.path("author").asText()).isEqualTo("nodenode");
        assertThat(ring.path("ageSeconds").asLong(-1)).isBetween(0L, 60L);
        assertThat(ring.path("keys")).hasSize(3);

        assertThat(run("status --socket " + socket)).isZero();
        assertThat(out.toString()).contains("nodenode", "manager", "RING 1, by nodenode", "send, receive");

        assertThat(run("rotate --socket " + socket)).as(err.toString()).isZero();
        assertThat(out.toString()).contains("ring 1 will be replaced");
        assertThat(err.toString()).isEmpty();
    }

    @Test
    void printsRefusal() throws Exception {
        Path socket = start();
        assertThat(run("rotate --socket " + socket)).isEqualTo(1);
        assertThat(out.toString()).isEmpty();
        assertThat(err.toString()).startsWith("vxseal: there are no keys to rotate yet").hasLineCount(1);
    }

    @Test
    void printsRemedyIfPluginDoesNotAnswer() throws IOException {
        assertThat(run("status --socket " + folder.resolve("none.sock"))).isEqualTo(1);
        assertThat(err.toString()).contains("none.sock", "docker plugin ls").hasLineCount(1);
        Path dead = Files.createFile(folder.resolve("dead.sock"));
        assertThat(run("status --socket " + dead)).isEqualTo(1);
        assertThat(err.toString()).contains("dead.sock").hasLineCount(1);
        assertThat(run("status --socket /" + "x".repeat(200))).isEqualTo(1);
        assertThat(err.toString()).hasLineCount(1);
    }

    @Test
    void findsSocketOfOperatorOrEngine() throws IOException {
        Map<String, String> noEngine = Map.of("DOCKER_HOST", "unix://" + folder.resolve("no-engine.sock"));
        Path plugins = Files.createDirectory(folder.resolve("plugins"));
        assertThatThrownBy(() -> RunningPlugin.find(noEngine, plugins))
                .hasMessageContaining("VXSEAL_SOCKET")
                .hasMessageContaining(plugins.resolve("vxseal.sock").toString())
                .hasMessageContaining("docker plugin ls");
        assertThatThrownBy(() -> RunningPlugin.find(noEngine, folder.resolve("none"))).hasMessageContaining("none");

        Files.createFile(Files.createDirectory(plugins.resolve("other")).resolve("other.sock"));
        Path managed = Files.createFile(Files.createDirectory(plugins.resolve("5f0c")).resolve("vxseal.sock"));
        assertThat(RunningPlugin.find(noEngine, plugins)).isEqualTo(managed);
        Path second = Files.createFile(Files.createDirectory(plugins.resolve("a1b2")).resolve("vxseal.sock"));
        assertThatThrownBy(() -> RunningPlugin.find(noEngine, plugins))
                .hasMessageContaining("--socket")
                .hasMessageContaining(managed.toString())
                .hasMessageContaining(second.toString());

        Path own = Files.createFile(plugins.resolve("vxseal.sock"));
        assertThat(RunningPlugin.find(noEngine, plugins)).isEqualTo(own);
        assertThat(RunningPlugin.find(Map.of("VXSEAL_SOCKET", "/elsewhere"), plugins)).isEqualTo(Path.of("/elsewhere"));
    }

    @Test
    void printsItsVersionAndHowToAskForHelp() {
        assertThat(run("--version")).isZero();
        assertThat(out.toString()).matches("vxseal \\S.*\\R");
        assertThat(run("statsu")).isEqualTo(2);
        assertThat(err).hasToString("vxseal: \"statsu\" is no command of vxseal%nSee: vxseal --help%n".formatted());
        assertThat(run("--verison")).isEqualTo(2);
        assertThat(err.toString()).contains("'--verison'").doesNotContain("no command").hasLineCount(2);
        assertThat(run("status foo")).isEqualTo(2);
        assertThat(err.toString()).contains("'foo'").doesNotContain("no command").endsWith("See: vxseal status --help%n".formatted());
        assertThat(run("status --jsom")).isEqualTo(2);
        assertThat(err.toString()).contains("--jsom").endsWith("See: vxseal status --help%n".formatted()).hasLineCount(2);
    }
}
