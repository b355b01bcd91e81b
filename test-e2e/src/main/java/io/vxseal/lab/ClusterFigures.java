package io.vxseal.lab;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.ToDoubleFunction;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/** The field {@code cluster} of report.json: figures of swarms by number of nodes. */
final class ClusterFigures {
    private static final int SMALLEST = 10;
    private static final int FEW = 50;
    private static final int SMALL = 100;
    private static final int LARGE = 1000;

    private final List<JsonNode> sizes;

    ClusterFigures(JsonNode cluster) {
        this.sizes = StreamSupport.stream(cluster.spliterator(), false).toList();
    }

    /** Returns what the page shows: a table, and how each figure grows with the number of nodes. */
    Map<String, Object> content() {
        return Map.of("rows", sizes.stream().map(size -> Map.of("cells", Stream.of("/nodes", "/allAtOnceSeconds", "/oneMoreMillis",
                        "/endpointMillis/p50", "/endpointMillis/p99", "/rotationMillis", "/managerLostSeconds", "/workerMiB", "/managerMiB",
                        "/workerCpuPercent", "/managerCpuPercent").map(field -> Page.number(size.at(field).asDouble())).toList())).toList(),
                "charts", List.of(
                        chart("Until all know all that they need, s", line("all at once", Times.BATCHED, "/allAtOnceSeconds")),
                        chart("The same for each node, ms", line("all at once", Times.BATCHED,
                                size -> 1000 * size.at("/allAtOnceSeconds").asDouble() / size.path("nodes").asDouble())),
                        chart("One more node, and a rotation, ms", line("one more node", Times.BATCHED, "/oneMoreMillis"),
                                line("rotation to all", Times.NAIVE, "/rotationMillis")),
                        chart("An endpoint to all who need it, ms", line("median", Times.BATCHED, "/endpointMillis/p50"),
                                line("99 of 100", Times.NAIVE, "/endpointMillis/p99")),
                        chart("An endpoint to all who need it after a manager died, s", line("since its death", Times.BATCHED, "/managerLostSeconds")),
                        chart("Resident memory, MiB", line("manager", Times.BATCHED, "/managerMiB"), line("worker", Times.NAIVE, "/workerMiB")),
                        chart("Processor at rest, % of one", line("manager", Times.BATCHED, "/managerCpuPercent"),
                                line("worker", Times.NAIVE, "/workerCpuPercent"))));
    }

    private Charts.Line line(String name, String style, String field) {
        return line(name, style, size -> size.at(field).asDouble());
    }

    /** Leaves out zeros, which a logarithmic axis does not have. */
    private Charts.Line line(String name, String style, ToDoubleFunction<JsonNode> figure) {
        var line = new Charts.Line(name, style, false, new TreeMap<>());
        sizes.stream().filter(size -> figure.applyAsDouble(size) > 0)
                .forEach(size -> line.costs().put(size.path("nodes").asInt(), figure.applyAsDouble(size)));
        return line;
    }

    private static Map<String, Object> chart(String title, Charts.Line... lines) {
        return Map.of("title", title, "image", Charts.growth("", "nodes", List.of(lines)));
    }

    /** Returns the targets of those sizes that were measured. */
    List<Target> targets() {
        List<Target> targets = new ArrayList<>();
        of(FEW).ifPresent(few -> targets.add(new Target("50 nodes at once, all know all that they need, s", true, 5,
                few.path("allAtOnceSeconds").asDouble())));
        of(LARGE).ifPresent(large -> {
            targets.add(target("1000 nodes at once, s", 60, large, "/allAtOnceSeconds"));
            targets.add(target("one more node among 1000, ms", 1000, large, "/oneMoreMillis"));
            targets.add(target("an endpoint among 1000, ms, median", 100, large, "/endpointMillis/p50"));
            targets.add(target("an endpoint among 1000, ms, 99 of 100", 500, large, "/endpointMillis/p99"));
            targets.add(target("a rotation to 1000 nodes, ms", 5000, large, "/rotationMillis"));
            targets.add(target("a manager's memory at 1000 nodes, MiB", 180, large, "/managerMiB"));
            targets.add(target("a worker's processor at rest at 1000 nodes, %", 0.5, large, "/workerCpuPercent"));
            targets.add(target("a manager's processor at rest at 1000 nodes, %", 8, large, "/managerCpuPercent"));
            of(SMALLEST).ifPresent(smallest -> targets.add(new Target("a worker's memory at 1000 nodes to that at 10", true, 1.1,
                    large.path("workerMiB").asDouble() / smallest.path("workerMiB").asDouble())));
            of(SMALL).ifPresent(small -> targets.add(new Target("cost per node of all at once, 1000 to 100", true, 1.3,
                    perNode(large) / perNode(small))));
        });
        return targets;
    }

    private static Target target(String what, double wanted, JsonNode size, String field) {
        return new Target(what, true, wanted, size.at(field).asDouble());
    }

    private static double perNode(JsonNode size) {
        return size.path("allAtOnceSeconds").asDouble() / size.path("nodes").asDouble();
    }

    private Optional<JsonNode> of(int nodes) {
        return sizes.stream().filter(size -> size.path("nodes").asInt() == nodes).findFirst();
    }
}
