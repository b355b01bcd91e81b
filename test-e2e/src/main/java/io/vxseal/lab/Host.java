package io.vxseal.lab;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/** Programs on the machine that holds the laboratory, each with a time limit. */
final class Host {

    private static final Duration LIMIT = Duration.ofSeconds(30);

    private Host() {}

    /** Runs a program that must succeed, and returns its output. */
    static String run(String... words) {
        return run(LIMIT, List.of(words)).require();
    }

    static Outcome run(Duration limit, List<String> words) {
        String command = String.join(" ", words);
        try {
            Process process = new ProcessBuilder(words).start();
            process.getOutputStream().close();
            CompletableFuture<String> out = read(process.getInputStream());
            CompletableFuture<String> err = read(process.getErrorStream());
            if (!process.waitFor(limit.toMillis(), TimeUnit.MILLISECONDS)) {
                process.descendants().forEach(ProcessHandle::destroyForcibly);
                process.destroyForcibly();
                return new Outcome(command, Outcome.TIMED_OUT, "", "still running after " + limit.toSeconds() + " s");
            }
            return new Outcome(command, process.exitValue(), out.join(), err.join());
        } catch (IOException e) {
            throw new LabException("cannot run " + command + ": " + e.getMessage(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new LabException("interrupted while waiting for " + command, e);
        }
    }

    private static CompletableFuture<String> read(InputStream stream) {
        return CompletableFuture.supplyAsync(() -> {
            try (stream) {
                return new String(stream.readAllBytes(), StandardCharsets.UTF_8);
            } catch (IOException e) {
                return "";
            }
        }, work -> Thread.ofVirtual().start(work));
    }
}
