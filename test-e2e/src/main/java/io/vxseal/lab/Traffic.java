package io.vxseal.lab;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * Throughput, round trips and the set-up of connections between two hosts, on networks of this plugin and of the built-in driver, by
 * turns. One container on each host is on all of them.
 */
final class Traffic {

    private static final int ROUNDS = 7;
    private static final int SECONDS = 4;
    private static final int CONNECTIONS = 150;
    private static final int PORT = 7100;
    private static final Duration LIMIT = Duration.ofMinutes(2);
    private static final Duration ALL = Duration.ofMinutes(40);
    private static final String STREAM = Stack.FOLDER + "/stream";

    /** The mean in ping's last line. */
    private static final Pattern ROUND_TRIP = Pattern.compile("= [\\d.]+/([\\d.]+)/");

    private final Lab lab;
    private final Consumer<String> progress;

    Traffic(Lab lab, Consumer<String> progress) {
        this.lab = lab;
        this.progress = progress;
    }

    /** A network of both hosts: the containers on it, and its results. */
    private record Line(String driver, boolean encrypted, Task near, Task far, String service, ObjectNode report) {

        String name() {
            return name(driver, encrypted);
        }

        static String name(String driver, boolean encrypted) {
            return driver + (encrypted ? "-encrypted" : "-plain");
        }
    }

    /**
     * Returns for each network {@code megabitsPerSecond}, and {@code pausedMegabitsPerSecond} while the plugin's processes stand still, {@code
     * roundTripMillis}, and {@code connectMicros} to the far task's address and {@code connectByServiceMicros} to its service's; one value for
     * each round.
     */
    ArrayNode measure() {
        Stack.prepare(lab);
        Guest here = lab.guest(1);
        Guest there = lab.guest(2);
        Stack.deploy(lab, "traffic", file());
        List<Line> lines = new ArrayList<>();
        ArrayNode report = new ObjectMapper().createArrayNode();
        for (String driver : List.of(Product.NAME, "overlay")) {
            for (boolean encrypted : List.of(true, false)) {
                String network = "traffic_" + Line.name(driver, encrypted);
                Task far = lab.swarm().task("traffic_far", network, there);
                lines.add(new Line(driver, encrypted, lab.swarm().task("traffic_near", network, here), far, lab.swarm().vip("traffic_far", network),
                        report.addObject().put("driver", driver).put("encrypted", encrypted)));
            }
        }
        Guest.Spawned receiver = there.spawn("%s perl %s receive %d".formatted(lines.getFirst().far.inside(), STREAM, PORT), ALL);
        lines.forEach(line -> line.near.awaitAnswer(line.far));
        for (int round = 0; round < ROUNDS; round++) {
            // Each goes first in its turn.
            List<Line> turn = new ArrayList<>(lines.subList(round % lines.size(), lines.size()));
            turn.addAll(lines.subList(0, round % lines.size()));
            turn.forEach(this::round);
        }
        receiver.interrupt();
        return report;
    }

    private void round(Line line) {
        String target = line.far.address();
        String send = "send %s %d %d".formatted(target, PORT, SECONDS);
        double megabits = stream(line, send);
        double paused = paused(line, send);
        double roundTrip = roundTrip(line);
        double connect = stream(line, "connect %s %d %d".formatted(target, PORT, CONNECTIONS));
        double byService = stream(line, "connect %s %d %d".formatted(line.service, PORT, CONNECTIONS));
        line.report.withArray("megabitsPerSecond").add(megabits);
        line.report.withArray("pausedMegabitsPerSecond").add(paused);
        line.report.withArray("roundTripMillis").add(roundTrip);
        line.report.withArray("connectMicros").add(connect);
        line.report.withArray("connectByServiceMicros").add(byService);
        progress.accept("%-18s %7.1f Mbit/s, %.1f without the plugin's process, round trip %.3f ms, connection %.0f us, by the service's address %.0f us".formatted(
                line.name(), megabits, paused, roundTrip, connect, byService));
    }

    private static double stream(Line line, String words) {
        return Double.parseDouble(line.near.guest().run("%s perl %s %s".formatted(line.near.inside(), STREAM, words), LIMIT).require());
    }

    /** Measures while the plugin's processes of both hosts stand still: what its rules and states cost without its work beside them. */
    private double paused(Line line, String words) {
        Product.signal(lab.guests(), "STOP");
        try {
            return stream(line, words);
        } finally {
            Product.signal(lab.guests(), "CONT");
        }
    }

    private static double roundTrip(Line line) {
        String said = line.near.guest().run("%s ping -q -c 200 -i 0.01 %s".formatted(line.near.inside(), line.far.address()), LIMIT).require();
        Matcher mean = ROUND_TRIP.matcher(said);
        if (!mean.find()) {
            throw new LabException("no round trip: " + said);
        }
        return Double.parseDouble(mean.group(1));
    }

    private String file() {
        List<String> names = new ArrayList<>();
        StringBuilder networks = new StringBuilder("networks:\n");
        for (String driver : List.of(Product.NAME, "overlay")) {
            for (boolean encrypted : List.of(true, false)) {
                names.add(Line.name(driver, encrypted));
                networks.append("  %s:\n    driver: %s\n".formatted(names.getLast(), driver.equals(Product.NAME) ? Product.DRIVER : driver))
                        .append(encrypted ? "    driver_opts: {encrypted: \"\"}\n" : "");
            }
        }
        String services = List.of("near", "far").stream().map(service -> """
                  %s:
                    image: server:latest
                    command: ["9000"]
                    networks: [%s]
                    deploy: {placement: {constraints: [node.hostname == %s]}}
                """.formatted(service, String.join(", ", names), lab.guest(service.equals("near") ? 1 : 2).name()))
                .collect(Collectors.joining());
        return "version: \"3.8\"\nservices:\n" + services + networks;
    }
}
