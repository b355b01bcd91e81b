package io.vxseal.lab;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;

/** Debian's Prometheus on a host, which scrapes the plugins of hosts and evaluates the product's alerts. */
public final class Prometheus {
    /** Unpacked by {@code prepare}. */
    static final Path PROGRAM = Path.of(
            System.getenv().getOrDefault("VXSEAL_CACHE", "/var/cache/vxseal"), "prometheus", "usr", "bin", "prometheus");

    /** Port of the plugins' metrics. */
    public static final int PORT = 9494;

    private static final Duration LIFE = Duration.ofHours(1);
    private static final Duration START = Duration.ofMinutes(2);
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Guest guest;

    private Prometheus(Guest guest) {
        this.guest = guest;
    }

    /** Starts it on a host, and waits until it has scraped all targets. */
    public static Prometheus start(Guest guest, List<Guest> targets) {
        Path monitoring = Product.here().tree().resolve("monitoring");
        String addresses = targets.stream().map(target -> target.address() + ":" + PORT).collect(Collectors.joining(", "));
        guest.sh("mkdir -p /run/prometheus");
        try {
            guest.copyIn(Files.readAllBytes(monitoring.resolve("vxseal.rules.yml")), "/run/prometheus/vxseal.rules.yml");
        } catch (IOException missing) {
            throw new UncheckedIOException(missing);
        }
        guest.copyIn("""
                global: {scrape_interval: 5s, scrape_timeout: 5s, evaluation_interval: 5s}
                rule_files: [vxseal.rules.yml]
                scrape_configs:
                  - job_name: vxseal
                    static_configs: [{targets: [%s]}]
                """.formatted(addresses).getBytes(StandardCharsets.UTF_8), "/run/prometheus/prometheus.yml");
        guest.spawn("exec /payload/prometheus --config.file=/run/prometheus/prometheus.yml --storage.tsdb.path=/run/prometheus/data"
                + " --web.listen-address=127.0.0.1:9090 > /run/prometheus/log 2>&1", LIFE);
        Prometheus prometheus = new Prometheus(guest);
        Await.until(() -> "all targets scraped: " + guest.sh("tail -n 5 /run/prometheus/log"), START, () ->
                prometheus.value("sum(up)") == targets.size());
        return prometheus;
    }

    /** Returns the value of an expression with one result; NaN if it has none. */
    public double value(String expression) {
        JsonNode results = ask("query?query=" + URLEncoder.encode(expression, StandardCharsets.UTF_8)).path("data").path("result");
        return results.isEmpty() ? Double.NaN : Double.parseDouble(results.path(0).path("value").path(1).asText());
    }

    /** Returns the alerts that fire, each with its host's address. */
    public Set<String> firing() {
        Set<String> firing = new TreeSet<>();
        ask("alerts").path("data").path("alerts").forEach(alert -> {
            if (alert.path("state").asText().equals("firing")) {
                JsonNode labels = alert.path("labels");
                firing.add(labels.path("alertname").asText() + " " + labels.path("instance").asText().replaceAll(":.*", ""));
            }
        });
        return firing;
    }

    private JsonNode ask(String path) {
        String answer = guest.sh("busybox wget -q -O - 'http://127.0.0.1:9090/api/v1/" + path + "' || echo '{}'");
        try {
            return JSON.readTree(answer);
        } catch (IOException notYet) {
            return JSON.createObjectNode();
        }
    }
}
