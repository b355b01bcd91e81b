package io.vxseal;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Failures in processes of the test's own, which they end. */
class UncaughtTest {
    /** Fails in a thread of the name given while others live on, and says at last that it is still there. */
    static final class Failing {
        static void main(String[] words) throws InterruptedException {
            Uncaught.handle();
            Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("hook")));
            Thread.ofPlatform().name("held").start(() -> {
                try {
                    Thread.sleep(2000);
                    System.out.println("alive");
                } catch (InterruptedException stopped) {
                    Thread.currentThread().interrupt();
                }
            });
            if (words[0].equals("main")) {
                throw new StackOverflowError("deep");
            }
            Thread failing = words[1].equals("virtual")
                    ? Thread.ofVirtual().name(words[0]).start(Failing::fail)
                    : Thread.ofPlatform().name(words[0]).start(Failing::fail);
            failing.join();
        }

        private static void fail() {
            throw new StackOverflowError("deep");
        }
    }

    private record Ended(int status, String said, String complained) {}

    private static Ended run(String thread, String kind) throws Exception {
        Process process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin/java").toString(),
                        "-cp", System.getProperty("java.class.path"), Failing.class.getName(), thread, kind)
                .start();
        String complained = new String(process.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor(1, TimeUnit.MINUTES)).isTrue();
        return new Ended(process.exitValue(), said, complained);
    }

    @ParameterizedTest
    @ValueSource(strings = {"main", "vxseal-server", "vxseal-json", "vxseal-repair", "vxseal-cluster"})
    void endsProcessOnFailureOfOwnThread(String thread) throws Exception {
        Ended ended = run(thread, "platform");
        assertThat(ended.status()).isEqualTo(1);
        assertThat(ended.said()).as("neither hooks nor other threads").isEmpty();
        assertThat(ended.complained())
                .contains("vxseal: thread " + thread + " ended, and with it this process")
                .contains("java.lang.StackOverflowError: deep")
                .contains("at io.vxseal.UncaughtTest$Failing");
    }

    @Test
    void endsProcessOnFailureOfOwnVirtualThread() throws Exception {
        assertThat(run("vxseal-linger", "virtual").status()).isEqualTo(1);
    }

    @Test
    void logsFailureOfLibraryThreadAndContinues() throws Exception {
        Ended ended = run("library-1", "platform");
        assertThat(ended.status()).isZero();
        assertThat(ended.said()).contains("alive");
        assertThat(ended.complained()).contains("vxseal: thread library-1 ended").contains("StackOverflowError: deep");
    }
}
