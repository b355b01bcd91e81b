package io.vxseal.lab;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** Measurements on this machine itself: of the built program and of the pure parts. Needs the compiled classes of product and tests. */
final class Native {

    private static final Duration LIMIT = Duration.ofMinutes(10);
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Product product;

    Native(Product product) {
        this.product = product;
    }

    /** Measures starts, memory, size and calls: the fields of {@code plugin/measure}. */
    ObjectNode program() {
        String said = Host.run(LIMIT, List.of(product.scripts().resolve("measure").toString())).require();
        try {
            return (ObjectNode) JSON.readTree(said);
        } catch (JsonProcessingException e) {
            throw new LabException("not JSON: " + said, e);
        }
    }

    /** Runs the benchmarks and returns a line of {@code pure} for each: {@code what}, and {@code micros} and {@code octets} per call. */
    ArrayNode pure() {
        try {
            Path results = Files.createTempFile("pure", ".json");
            try {
                java("org.openjdk.jmh.Main", "(Pure|Hub|Scrape)Benchmark", "-prof", "gc", "-foe", "true", "-rf", "json", "-rff", results.toString());
                ArrayNode lines = JSON.createArrayNode();
                for (JsonNode result : JSON.readTree(results.toFile())) {
                    String name = result.path("benchmark").asText();
                    lines.addObject()
                            .put("what", name.substring(name.lastIndexOf('.') + 1))
                            .put("micros", rounded(result.path("primaryMetric")))
                            .put("octets", rounded(result.path("secondaryMetrics").path("gc.alloc.rate.norm")));
                }
                return lines;
            } finally {
                Files.deleteIfExists(results);
            }
        } catch (IOException e) {
            throw new LabException("cannot read the benchmarks' results: " + e.getMessage(), e);
        }
    }

    /** Returns the mebibytes of heap that the plans for a thousand nodes hold. */
    double plans() {
        return Double.parseDouble(java("io.vxseal.bench.Plans", "1000").strip());
    }

    /** Returns the milliseconds of each step of the rules for 50 services of ten tasks in 100 containers, a value for each round. */
    ObjectNode serviceRules() {
        try {
            return (ObjectNode) JSON.readTree(java("io.vxseal.bench.Balancing", "100", "50", "10"));
        } catch (JsonProcessingException e) {
            throw new LabException("not JSON: " + e.getMessage(), e);
        }
    }

    private String java(String main, String... words) {
        Path target = product.tree().resolve("target");
        List<String> command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin/java").toString(),
                "--sun-misc-unsafe-memory-access=allow", "--enable-native-access=ALL-UNNAMED", "-XX:+UseSerialGC",
                "-cp", target.resolve("classes") + ":" + target.resolve("test-classes") + ":" + target.resolve("test-lib") + "/*", main));
        command.addAll(List.of(words));
        return Host.run(LIMIT, command).require();
    }

    private static double rounded(JsonNode metric) {
        return Math.round(metric.path("score").asDouble() * 1000) / 1000.0;
    }
}
