package io.vxseal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.vxseal.kernel.TestHost;
import io.vxseal.plugin.EngineClient;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Several processes of the program on one emulated host. */
class SingleInstanceTest {
    @TempDir
    Path folder;

    private TestHost host;
    private final List<Process> started = new ArrayList<>();

    @BeforeEach
    void open() throws Exception {
        host = new TestHost(folder.resolve("host"));
        Files.createDirectory(folder.resolve("swarm"));
    }

    @AfterEach
    void close() throws Exception {
        for (Process process : started) {
            process.destroyForcibly().waitFor();
        }
        host.close();
        for (String run : List.of("run", "other")) {
            new ProcessBuilder("umount", folder.resolve(run + "/ring").toString()).start().waitFor();
        }
    }

    private Path socket(String alias) {
        return folder.resolve(alias + ".sock");
    }

    private Process start(String alias, String run) throws IOException {
        List<String> command = new ArrayList<>(host.prefix());
        command.addAll(List.of(
                Path.of(System.getProperty("java.home"), "bin/java").toString(),
                "--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow",
                "-cp", System.getProperty("java.class.path"), "io.vxseal.Main"));
        ProcessBuilder builder = new ProcessBuilder(command).redirectError(log(alias).toFile());
        builder.environment().putAll(java.util.Map.of(
                "VXSEAL_SOCKET", socket(alias).toString(),
                "VXSEAL_STATE", folder.resolve("state-" + alias).toString(),
                "VXSEAL_RUN", folder.resolve(run).toString(),
                "VXSEAL_SWARM", folder.resolve("swarm").toString()));
        Process process = builder.start();
        started.add(process);
        return process;
    }

    private Path log(String alias) {
        return folder.resolve(alias + ".log");
    }

    private String said(String alias) throws IOException {
        return Files.readString(log(alias), StandardCharsets.UTF_8);
    }

    private void awaitWords(String alias, String words) throws Exception {
        await().atMost(Duration.ofMinutes(2)).untilAsserted(() -> assertThat(said(alias)).contains(words));
    }

    /** Asks as soon as the server listens: only in the image the socket is there before the program. */
    private EngineClient.Answer capabilities(String alias) throws Exception {
        for (int tries = 1; ; tries++) {
            try {
                return new EngineClient(socket(alias)).call("GetCapabilities", "{}");
            } catch (IOException notYet) {
                if (tries == 1200) {
                    throw notYet;
                }
                Thread.sleep(100);
            }
        }
    }

    /** Checks that a second plugin is refused, with the run folder of the first or with another. */
    private void assertIsRefused(String run, String held) throws Exception {
        start("first", "run");
        awaitWords("first", "is up");
        assertThat(capabilities("first").status()).isEqualTo(200);

        Process second = start("second", run);
        awaitWords("second", "another vxseal runs on this host");
        assertThat(said("second").lines().filter(line -> line.startsWith("vxseal: ")))
                .containsExactly("vxseal: another vxseal runs on this host and holds folder " + folder.resolve(held)
                        + ": disable one of the two (docker plugin ls)");
        EngineClient.Answer answer = capabilities("second");
        assertThat(answer.status()).isEqualTo(409);
        assertThat(answer.text()).contains("another vxseal runs on this host");
        assertThat(folder.resolve("state-second")).doesNotExist();
        assertThat(second.isAlive()).isTrue();

        started.getFirst().destroyForcibly().waitFor();
        assertThat(second.waitFor(1, TimeUnit.MINUTES)).as("ended, to be started again as the only one").isTrue();
        assertThat(second.exitValue()).isEqualTo(1);
        start("third", run);
        awaitWords("third", "is up");
    }

    @Test
    void refusesSecondPluginInSameRunFolder() throws Exception {
        assertIsRefused("run", "run");
    }

    @Test
    void refusesSecondPluginInAnotherRunFolder() throws Exception {
        assertIsRefused("other", "swarm");
    }

    @Test
    void startsAtOnceAfterKilledPlugin() throws Exception {
        start("first", "run");
        awaitWords("first", "is up");
        started.getFirst().destroyForcibly();
        start("next", "run");
        awaitWords("next", "is up");
        assertThat(said("next")).doesNotContain("another vxseal");
    }

    @Test
    void locksRunFolderWithoutSwarmFolder() throws Exception {
        Files.delete(folder.resolve("swarm"));
        start("first", "run");
        awaitWords("first", "is up");
        start("second", "run");
        awaitWords("second", "another vxseal runs on this host");
    }
}
