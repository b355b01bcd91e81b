package io.vxseal.plugin;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.StandardError;
import io.vxseal.overlay.Driver;
import io.vxseal.overlay.DriverException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A server without a driver. */
class PluginServerTest {
    @TempDir
    private Path folder;

    private StandardError log;

    @BeforeEach
    void listen() {
        log = new StandardError();
    }

    @AfterEach
    void closeLog() {
        log.close();
    }

    private Path socket() {
        return folder.resolve("vxseal.sock");
    }

    @Test
    void answersAllRequestsWithFailureOfDriver() throws IOException {
        EngineClient engine = new EngineClient(socket());
        CompletableFuture<Driver> refused = CompletableFuture.failedFuture(DriverException.conflict("another one runs"));
        try (PluginServer server = PluginServer.start(PluginSocket.at(socket()), refused)) {
            for (String method : new String[] {"GetCapabilities", "Join", "DiscoverNew"}) {
                EngineClient.Answer answer = engine.call(method, "{}");
                assertThat(answer.status()).as(method).isEqualTo(409);
                assertThat(answer.error()).as(method).isEqualTo("another one runs");
            }
            assertThat(engine.get("/status", "application/json").error()).isEqualTo("another one runs");
            assertThat(engine.post("/keys/rotate", "").error()).isEqualTo("another one runs");
        }
    }

    /** A future that fails with an error, as a driver with a fault would. */
    private static final class Faulty extends CompletableFuture<Driver> {
        @Override
        public Driver join() {
            throw new StackOverflowError("deep");
        }
    }

    @Test
    void answersErrorWith500AndContinues() throws IOException {
        EngineClient engine = new EngineClient(socket());
        try (PluginServer server = PluginServer.start(PluginSocket.at(socket()), new Faulty())) {
            for (int calls = 0; calls < 3; calls++) {
                EngineClient.Answer answer = engine.get("/status", "application/json");
                assertThat(answer.status()).isEqualTo(500);
                assertThat(answer.error()).isEqualTo("internal error: java.lang.StackOverflowError: deep");
            }
        }
        assertThat(log.said()).contains("/status failed", "java.lang.StackOverflowError: deep", "at io.vxseal.plugin.PluginServer");
    }
}
