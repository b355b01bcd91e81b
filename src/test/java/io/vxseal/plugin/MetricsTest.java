package io.vxseal.plugin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.vxseal.command.LoneManager;
import io.vxseal.metrics.Promtool;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Metrics on the socket of a plugin that is a manager, alone in its swarm. */
@Timeout(150)
class MetricsTest {
    @TempDir
    private Path folder;

    @Test
    void showsKeysCallsAndKernelOfRunningPlugin() throws Exception {
        try (LoneManager manager = LoneManager.start(folder)) {
            EngineClient engine = new EngineClient(manager.socket);
            engine.call("Leave", "{'NetworkID':'unknown','EndpointID':'one'}");
            await("keys").atMost(Duration.ofMinutes(2))
                    .until(() -> engine.get("/metrics", "*/*").text().contains("vxseal_ring_version 1"));

            EngineClient.Answer answer = engine.get("/metrics", "*/*");
            assertThat(answer.status()).isEqualTo(200);
            assertThat(answer.head()).contains("text/plain; version=0.0.4; charset=utf-8");
            assertThat(answer.text())
                    .contains("vxseal_node_info{node=\"nodenode\",swarm=\"swarmswarm\"} 1")
                    .contains("vxseal_call_duration_seconds_count{method=\"Leave\"} 1")
                    .contains("vxseal_xfrm_errors_total{reason=\"XfrmInNoStates\"} ")
                    .containsPattern("vxseal_ring_next_rotation_seconds 43[12]\\d\\d\\.");
            assertThat(Promtool.run(answer.text().getBytes(StandardCharsets.UTF_8), "check", "metrics"))
                    .isEqualTo(new Promtool.Outcome(0, ""));
        }
    }
}
