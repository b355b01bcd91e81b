package io.vxseal.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.overlay.watch.Condition;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
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
    private static final Path TESTS = FOLDER.resolve("vxseal.rules.test.yml");

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

    /** Returns the expressions of all panels. */
    private static String expressions() throws IOException {
        return Dashboard.queries().stream().map(Dashboard.Query::expression).collect(Collectors.joining("\n"));
    }

    /** Returns the names of all alerts. */
    static List<String> alerts() throws IOException {
        List<String> alerts = names("^ +- alert: (\\w+)$", RULES);
        assertThat(alerts).hasSizeGreaterThan(10);
        return alerts;
    }

    private static List<String> names(String pattern, Path file) throws IOException {
        return Pattern.compile(pattern, Pattern.MULTILINE).matcher(Files.readString(file)).results().map(match -> match.group(1)).toList();
    }

    @Test
    void alertsFireForTheirFaultAndEndWithIt() throws Exception {
        assertAccepted("test", "rules", TESTS.toString());
    }

    @Test
    void prometheusAcceptsItsConfiguration() throws Exception {
        assertAccepted("check", "config", FOLDER.resolve("prometheus.yml").toString());
    }

    @Test
    void everyAlertHasTestOfItsOwn() throws Exception {
        assertThat(names("^  - name: (Vxseal\\w+)$", TESTS)).containsExactlyElementsOf(alerts());
    }

    @Test
    void alertsAndDashboardUseOnlyMetricsThatExist() throws Exception {
        String text = new String(Exposition.print(ExpositionTest.sample()), StandardCharsets.UTF_8);
        Set<String> existing = metrics(text);
        assertThat(existing).containsAll(metrics(expressions()));
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
        assertThat(alerts()).allMatch(alert -> document.contains("| `" + alert + "` |"));
    }

    @Test
    void everyConditionHasAnAlert() throws Exception {
        String rules = Files.readString(RULES);
        for (Condition.Kind kind : Condition.Kind.values()) {
            assertThat(rules).contains("vxseal_conditions{kind=\"%s\"}".formatted(kind.id()));
        }
    }
}
