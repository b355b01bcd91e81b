package io.vxseal.lab;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/**
 * The time from {@code docker run} to a container's end, on an encrypted network of this plugin and on one of the built-in
 * driver, by turns, with the same engine. Both networks have a container already, so they are up.
 */
final class Containers {

    private static final int ROUNDS = 6;
    private static final Duration LIMIT = Duration.ofMinutes(2);
    private static final Map<String, String> DRIVERS = new LinkedHashMap<>();

    static {
        // Not the VNI that the built-in driver gives the other network.
        DRIVERS.put(Product.NAME, Product.DRIVER + " --opt com.docker.network.driver.overlay.vxlanid_list=5000");
        DRIVERS.put("overlay", "overlay");
    }

    /** Prints how many milliseconds a container on a network takes to run and end. */
    private static final String RUN = """
            before=${EPOCHREALTIME/./}
            docker run --rm --network %s busybox true >&2
            echo $(((${EPOCHREALTIME/./} - before) / 1000))""";

    private static final List<String> CALLS = List.of("CreateEndpoint", "Join", "Leave", "DeleteEndpoint");

    private final Lab lab;
    private final Consumer<String> progress;

    Containers(Lab lab, Consumer<String> progress) {
        this.lab = lab;
        this.progress = progress;
    }

    /** Returns milliseconds by driver, the first container first, and the mean of each of the plugin's calls during them. */
    ObjectNode measure() {
        Guest guest = lab.guest(1);
        DRIVERS.forEach((name, driver) -> {
            lab.swarm().createNetwork(network(name), driver, "--opt encrypted", "--attachable");
            lab.swarm().serveOn(guest, "keeps-" + name, network(name));
            progress.accept("a network of " + name + " is up");
        });
        ObjectNode report = new ObjectMapper().createObjectNode();
        DRIVERS.keySet().forEach(report::putArray);
        JsonNode before = calls(guest);
        for (int round = 0; round < ROUNDS; round++) {
            for (String name : DRIVERS.keySet()) {
                int millis = Integer.parseInt(guest.run(RUN.formatted(network(name)), LIMIT).require());
                report.withArray(name).add(millis);
                progress.accept("%s: %d ms".formatted(name, millis));
            }
        }
        JsonNode after = calls(guest);
        ObjectNode share = report.putObject("pluginMillis");
        for (String call : CALLS) {
            share.put(call, mean(before.path(call), after.path(call)));
        }
        return report;
    }

    private static String network(String name) {
        return "on-" + name;
    }

    private static JsonNode calls(Guest guest) {
        return Product.status(guest).orElseThrow(() -> new LabException("the plugin on " + guest + " does not answer")).path("calls");
    }

    /** Returns the mean of the calls between two counts. */
    private static double mean(JsonNode before, JsonNode after) {
        double calls = after.path("count").asInt() - before.path("count").asInt();
        return Math.round((total(after) - total(before)) / calls * 10) / 10.0;
    }

    private static double total(JsonNode call) {
        return call.path("count").asInt() * call.path("meanMillis").asDouble();
    }
}
