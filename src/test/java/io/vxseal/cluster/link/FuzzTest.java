package io.vxseal.cluster.link;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Runs Jazzer, coverage-guided, on what peers send: for some seconds, or {@code -Dvxseal.fuzz.seconds}. Inputs that found
 * something are kept in {@code src/test/resources/fuzz} and tried first.
 */
class FuzzTest {
    private static final int SECONDS = Integer.getInteger("vxseal.fuzz.seconds", 15);

    @TempDir
    Path folder;

    @ParameterizedTest
    @ValueSource(strings = {"FrameFuzzer", "MessageFuzzer"})
    void handlesFuzzedInput(String target) throws Exception {
        Path corpus = Files.createDirectories(folder.resolve("corpus"));
        Path kept = Path.of("src/test/resources/fuzz", target);
        Process fuzzer = new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-Xmx512m",
                "-XX:+EnableDynamicAgentLoading", "--enable-native-access=ALL-UNNAMED", "-cp", System.getProperty("java.class.path"),
                "com.code_intelligence.jazzer.Jazzer",
                "--target_class=" + FuzzTest.class.getPackageName() + "." + target,
                "--instrumentation_includes=io.vxseal.cluster.**",
                "--reproducer_path=" + folder,
                "-max_total_time=" + SECONDS, "-rss_limit_mb=2048", "-max_len=8192", "-artifact_prefix=" + folder + "/",
                corpus.toString(), kept.toString())
                .redirectErrorStream(true)
                .start();
        String output = new String(fuzzer.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(fuzzer.waitFor()).as("%s%nInput: %s", output, findings()).isZero();
        assertThat(output).containsPattern("Done \\d+ runs");
        System.out.printf("measured: %s: %s%n", target, output.substring(output.lastIndexOf("Done")).strip());
    }

    /** Returns the inputs that failed, as they would be kept. */
    private List<String> findings() throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(file -> file.getFileName().toString().matches("(crash|oom|timeout)-.*"))
                    .map(FuzzTest::hex).toList();
        }
    }

    private static String hex(Path file) {
        try {
            return file.getFileName() + " " + java.util.HexFormat.of().formatHex(Files.readAllBytes(file));
        } catch (IOException e) {
            return e.toString();
        }
    }
}
