package io.vxseal;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.engine.EngineApi;
import io.vxseal.engine.TestEngine;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.LoggerFactory;

/** The log of a process of the test's own that says all that it can. */
class SecretsInLogTest {
    private static final String KEY = "SWMKEY-1-0123456789abcdefghijklmnopqrstuvwxyzABCDEFG";
    private static final int PIECE = 8;

    @TempDir
    Path folder;

    /** Asks the engine at a socket for the unlock key. */
    static final class Asking {
        static void main(String[] words) throws Exception {
            Wiring.configureLog("trace");
            try (EngineApi engine = new EngineApi(Path.of(words[0]))) {
                LoggerFactory.getLogger(Asking.class).trace("a key of {} characters", engine.unlockKey().length());
            }
        }
    }

    /** The HTTP client logs the ends of what it reads. */
    @Test
    void unlockKeyIsNotLogged() throws Exception {
        Path socket = folder.resolve("engine.sock");
        try (TestEngine engine = new TestEngine(socket)) {
            engine.answer("/swarm/unlockkey", 200, "{\"UnlockKey\":\"%s\"}\n".formatted(KEY));
            Process process = new ProcessBuilder(
                            Path.of(System.getProperty("java.home"), "bin/java").toString(),
                            "-cp", System.getProperty("java.class.path"), Asking.class.getName(), socket.toString())
                    .start();
            String log = new String(process.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
            assertThat(process.waitFor(1, TimeUnit.MINUTES)).isTrue();
            assertThat(log).contains("a key of 52 characters");
            assertThat(IntStream.rangeClosed(9, KEY.length() - PIECE).mapToObj(at -> KEY.substring(at, at + PIECE)).filter(log::contains)).isEmpty();
        }
    }
}
