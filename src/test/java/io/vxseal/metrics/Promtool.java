package io.vxseal.metrics;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Prometheus' own tool for checks, which {@code test-e2e/prepare} gets. */
public final class Promtool {
    private static final Path FOLDER =
            Path.of(System.getenv().getOrDefault("VXSEAL_CACHE", "/var/cache/vxseal"), "prometheus", "usr", "bin");

    private Promtool() {}

    /** The tool's exit status, and all that it printed. */
    public record Outcome(int status, String text) {}

    /** Returns the path of a program of Prometheus' package, or its name where the package is installed. */
    static String program(String name) {
        Path unpacked = FOLDER.resolve(name);
        return Files.exists(unpacked) ? unpacked.toString() : name;
    }

    /** Runs the tool. */
    public static Outcome run(byte[] input, String... arguments) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(program("promtool")));
        command.addAll(List.of(arguments));
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        try (var stdin = process.getOutputStream()) {
            stdin.write(input);
        }
        String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        return new Outcome(process.waitFor(), text);
    }
}
