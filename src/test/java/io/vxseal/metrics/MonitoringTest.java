package io.vxseal.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.vxseal.overlay.watch.Condition;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** What {@code monitoring/} has for Prometheus and Grafana, by Prometheus' own tool. */
class MonitoringTest {
    private static final Path FOLDER = Path.of("monitoring");
    private static final Path RULES = FOLDER.resolve("vxseal.rules.yml");
    private static final Path DASHBOARD = FOLDER.resolve("grafana/vxseal.json");

    /** A metric's name in a document. */
    private static final Pattern METRIC_CELL = Pattern.compile("`((?:vxseal|process)_[a-z_]+)`");

    /** A metric's name in an exposition. */
    private static final Pattern TYPE = Pattern.compile("^# TYPE (\\S+) ", Pattern.MULTILINE);

    private static final Pattern METRIC = Pattern.compile("\\b(vxseal|process)_[a-z_]+\\b");

    private static void assertAccepted(String... arguments) throws Exception {
        Promtool.Outcome outcome = Promtool.run(new byte[0], arguments);
        assertThat(outcome.status()).as(outcome.text()).isZero();
        assertThat(outcome.text()).contains("SUCCESS").doesNotContain("FAILED");
    }

    private static Set<String> metrics(String text) {
        return METRIC.matcher(text).results().map(MatchResult::group).collect(Collectors.toCollection(TreeSet::new));
    }

    /** Returns the expressions of all panels, with durations in place of Grafana's variables. */
    private static List<String> expressions() throws IOException {
        JsonNode dashboard = new ObjectMapper().readTree(DASHBOARD.toFile());
        List<String> expressions = new ArrayList<>();
        dashboard.path("panels").forEach(panel -> panel.path("targets").forEach(target ->
                expressions.add(target.path("expr").asText().replace("$__rate_interval", "1m").replace("$instance", ".*"))));
        assertThat(expressions).hasSizeGreaterThan(10).doesNotContain("");
        return expressions;
    }

    @Test
    void alertsFireForTheirFaultAndEndWithIt() throws Exception {
        assertAccepted("test", "rules", FOLDER.resolve("vxseal.rules.test.yml").toString());
    }

    @Test
    void prometheusAcceptsItsConfiguration() throws Exception {
        assertAccepted("check", "config", FOLDER.resolve("prometheus.yml").toString());
    }

    @Test
    void prometheusUnderstandsExpressionsOfDashboard() throws Exception {
        StringBuilder rules = new StringBuilder("groups:\n  - name: panels\n    rules:\n");
        int panel = 0;
        for (String expression : expressions()) {
            rules.append("      - {record: panel:%d, expr: '%s'}\n".formatted(panel++, expression));
        }
        Path file = Files.writeString(Files.createTempFile("panels", ".yml"), rules);
        try {
            assertAccepted("check", "rules", file.toString());
        } finally {
            Files.delete(file);
        }
    }

    @Test
    void alertsAndDashboardUseOnlyMetricsThatExist() throws Exception {
        String text = new String(Exposition.print(ExpositionTest.sample()), StandardCharsets.UTF_8);
        Set<String> existing = metrics(text);
        assertThat(existing).containsAll(metrics(String.join("\n", expressions())));
        Set<String> alerting = Files.readAllLines(RULES).stream()
                .filter(line -> line.strip().startsWith("expr:"))
                .flatMap(line -> metrics(line).stream())
                .collect(Collectors.toCollection(TreeSet::new));
        assertThat(alerting).hasSizeGreaterThan(5);
        assertThat(existing).containsAll(alerting);
    }

    @Test
    void documentNamesEveryMetricAndAlertAndNoOther() throws Exception {
        String document = Files.readString(Path.of("docs", "monitor.md"));
        Set<String> named = METRIC_CELL.matcher(document).results().map(match -> match.group(1)).collect(Collectors.toCollection(TreeSet::new));
        assertThat(named).isEqualTo(TYPE.matcher(new String(Exposition.print(ExpositionTest.sample()), StandardCharsets.UTF_8))
                .results().map(match -> match.group(1)).collect(Collectors.toCollection(TreeSet::new)));
        assertThat(Files.readAllLines(RULES).stream().filter(line -> line.contains("alert:")))
                .isNotEmpty()
                .allMatch(line -> document.contains("| `" + line.replaceAll(".*alert: ", "") + "` |"));
    }

    @Test
    void everyConditionHasAnAlert() throws Exception {
        String rules = Files.readString(RULES);
        for (Condition.Kind kind : Condition.Kind.values()) {
            assertThat(rules).contains("vxseal_conditions{kind=\"%s\"}".formatted(kind.id()));
        }
    }
}
