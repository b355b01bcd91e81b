package io.vxseal.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Queries of the Grafana dashboard in {@code monitoring/}. */
final class Dashboard {
    private static final Path FILE = Path.of("monitoring", "grafana", "vxseal.json");

    private Dashboard() {}

    /**
     * One query of a panel.
     *
     * @param expression the expression, with values in place of Grafana's variables
     * @param legend the name of each series, with labels in double braces
     */
    record Query(String panel, String expression, String legend) {}

    /** Returns the queries of all panels. */
    static List<Query> queries() throws IOException {
        List<Query> queries = new ArrayList<>();
        for (JsonNode panel : new ObjectMapper().readTree(FILE.toFile()).path("panels")) {
            for (JsonNode target : panel.path("targets")) {
                String expression = target.path("expr").asText().replace("$__rate_interval", "1m").replace("$instance", ".*");
                assertThat(expression).as(panel.path("title").asText()).isNotEmpty().doesNotContain("$");
                queries.add(new Query(panel.path("title").asText(), expression, target.path("legendFormat").asText()));
            }
        }
        assertThat(queries).hasSizeGreaterThan(10);
        return queries;
    }
}
