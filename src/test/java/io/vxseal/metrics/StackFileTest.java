package io.vxseal.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * {@code monitoring/stack.yml} as the engine's own client reads it ({@code test-e2e/prepare} unpacks that of the laboratory's release; no
 * engine is needed for it), and the files that the stack mounts, where it mounts them.
 */
class StackFileTest {
    private static final Path CLIENT =
            Path.of(System.getenv().getOrDefault("VXSEAL_CACHE", "/var/cache/vxseal"), "docker-cli", "usr", "bin", "docker");

    private static final Path STACK = Path.of("monitoring", "stack.yml");

    /** A config of the stack, and the file that it is made of. */
    private static final Pattern CONFIG = Pattern.compile("^  (\\w+):\\n    file: (\\S+)$", Pattern.MULTILINE);

    /** The place in a container where a config is mounted. */
    private static final Pattern MOUNT = Pattern.compile("- source: (\\w+)\\n +target: (/etc/\\S+)$", Pattern.MULTILINE);

    /** The containers' files. */
    @TempDir
    private static Path root;

    private static String stack;

    private record Outcome(int status, String text) {}

    private static Outcome read(Path file) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(CLIENT.toString(), "stack", "config", "--compose-file", file.toString())
                .redirectErrorStream(true).start();
        process.getOutputStream().close();
        String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        return new Outcome(process.waitFor(), text);
    }

    @BeforeAll
    static void mount() throws Exception {
        Outcome outcome = read(STACK);
        assertThat(outcome.status).as(outcome.text).isZero();
        stack = outcome.text;
        Map<String, Path> files = new HashMap<>();
        CONFIG.matcher(stack).results().forEach(config -> files.put(config.group(1), Path.of(config.group(2))));
        List<MatchResult> mounts = MOUNT.matcher(stack).results().toList();
        assertThat(mounts).extracting(mount -> mount.group(1)).containsExactlyInAnyOrderElementsOf(files.keySet());
        for (MatchResult mount : mounts) {
            Path target = root.resolve(mount.group(2).substring(1));
            Files.createDirectories(target.getParent());
            Files.copy(files.get(mount.group(1)), target);
        }
    }

    /** Returns what a pattern's group is in a text. */
    private static String find(String pattern, String text) {
        return Pattern.compile(pattern).matcher(text).results().findFirst().orElseThrow(() -> new AssertionError(pattern + ": " + text)).group(1);
    }

    private static String mounted(String path) throws IOException {
        return Files.readString(root.resolve(path.substring(1)));
    }

    @Test
    void clientRejectsStackWithUnknownKey() throws Exception {
        Path file = Files.writeString(root.resolve("stack.yml"), Files.readString(STACK).replace("    image:", "    imago:"));
        Outcome outcome = read(file);
        assertThat(outcome.status).as(outcome.text).isNotZero();
        assertThat(outcome.text).contains("imago");
    }

    @Test
    void prometheusAcceptsItsConfigurationWhereItIsMounted() throws Exception {
        String path = find("--config.file=(\\S+)", stack);
        Promtool.Outcome outcome = Promtool.run(new byte[0], "check", "config", root.resolve(path.substring(1)).toString());
        assertThat(outcome.status()).as(outcome.text()).isZero();
        assertThat(outcome.text()).contains("%d rules found".formatted(MonitoringTest.alerts().size()));
    }

    @Test
    void prometheusFindsNodesBySocketThatIsMounted() throws Exception {
        String socket = find("host: unix://(\\S+)", mounted("/etc/prometheus/prometheus.yml"));
        assertThat(stack).containsPattern("source: /var/run/docker.sock\\n +target: " + socket + "\\n +read_only: true");
    }

    @Test
    void grafanaAsksPrometheusAndFindsItsDashboard() throws Exception {
        String provisioning = "/etc/grafana/provisioning/";
        String source = mounted(provisioning + "datasources/prometheus.yml");
        assertThat(find("url: \"http://([^\"]+)\"", source)).isEqualTo(find("--web.listen-address=(\\S+)", stack));
        assertThat(find(" type: (\\w+)", source)).isEqualTo("prometheus");
        String folder = find("path: ([^}]+)}", mounted(provisioning + "dashboards/vxseal.yml"));
        assertThat(mounted(folder + "/vxseal.json")).isEqualTo(Files.readString(Path.of("monitoring", "grafana", "vxseal.json")));
    }
}
