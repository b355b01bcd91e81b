package io.vxseal.metrics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The dashboard's queries and the alerts in Debian's Prometheus, which scrapes a listener that has something in every metric. */
class DashboardTest {
    private static final Pattern LABEL = Pattern.compile("\\{\\{(\\w+)}}");
    private static final Duration PATIENCE = Duration.ofMinutes(2);
    private static final ObjectMapper JSON = new ObjectMapper();

    @TempDir
    private static Path folder;

    private static MetricsServer metrics;
    private static Process prometheus;
    private static int port;

    @BeforeAll
    static void scrape() throws IOException {
        AtomicInteger scrapes = new AtomicInteger();
        metrics = MetricsServer.start(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
                () -> Exposition.print(ExpositionTest.sample(scrapes.incrementAndGet())));
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = free.getLocalPort();
        }
        Files.copy(Path.of("monitoring", "vxseal.rules.yml"), folder.resolve("vxseal.rules.yml"));
        Path configuration = Files.writeString(folder.resolve("prometheus.yml"), """
                global: {scrape_interval: 2s, scrape_timeout: 2s, evaluation_interval: 2s}
                rule_files: [vxseal.rules.yml]
                scrape_configs:
                  - job_name: vxseal
                    static_configs: [{targets: ['127.0.0.1:%d'], labels: {instance: here}}]
                """.formatted(metrics.port()));
        prometheus = new ProcessBuilder(Promtool.program("prometheus"), "--config.file=" + configuration,
                "--storage.tsdb.path=" + folder.resolve("data"), "--web.listen-address=127.0.0.1:" + port)
                .redirectErrorStream(true).redirectOutput(folder.resolve("log").toFile()).start();
        // A histogram of which all samples are equal has no quantile.
        await().atMost(PATIENCE).ignoreExceptions().until(() ->
                ask("query?query=" + encoded("increase(vxseal_call_duration_seconds_count[1m]) > 0")).path("result").size() > 0);
    }

    @AfterAll
    static void stop() throws InterruptedException {
        if (prometheus != null) {
            prometheus.destroyForcibly().waitFor();
        }
        metrics.close();
    }

    private static String encoded(String expression) {
        return URLEncoder.encode(expression, StandardCharsets.UTF_8);
    }

    private static JsonNode ask(String path) throws IOException, InterruptedException {
        URI uri = URI.create("http://127.0.0.1:%d/api/v1/%s".formatted(port, path));
        try (HttpClient client = HttpClient.newHttpClient()) {
            JsonNode answer = JSON.readTree(client.send(HttpRequest.newBuilder(uri).build(), BodyHandlers.ofString()).body());
            assertThat(answer.path("status").asText()).as(answer.toString()).isEqualTo("success");
            return answer.path("data");
        }
    }

    @Test
    void everyPanelShowsNumbersWithTheLabelsOfItsLegend() throws Exception {
        for (Dashboard.Query query : Dashboard.queries()) {
            List<String> labels = LABEL.matcher(query.legend()).results().map(label -> label.group(1)).toList();
            JsonNode series = ask("query?query=" + encoded(query.expression())).path("result");
            assertThat(series).as(query.toString()).isNotEmpty().allSatisfy(each -> {
                assertThat(each.path("value").path(1).asText()).as(query + ": " + each).isNotEqualTo("NaN");
                assertThat(labels).as(query + ": " + each).allMatch(label -> each.path("metric").has(label));
            });
        }
    }

    @Test
    void variableOffersTheInstances() throws Exception {
        assertThat(ask("label/instance/values?match[]=vxseal_build_info".replace("[]", "%5B%5D"))).singleElement()
                .satisfies(instance -> assertThat(instance.asText()).isEqualTo("here"));
    }

    @Test
    void everyAlertIsEvaluated() {
        await().atMost(PATIENCE).untilAsserted(() -> {
            List<String> health = new ArrayList<>();
            ask("rules").path("groups").forEach(group -> group.path("rules").forEach(rule ->
                    health.add(rule.path("name").asText() + " " + rule.path("health").asText() + rule.path("lastError").asText())));
            assertThat(health).hasSize(MonitoringTest.alerts().size()).allMatch(each -> each.endsWith(" ok"));
        });
    }
}
