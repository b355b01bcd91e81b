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

    /** Of round trips and connections. */
    private static final int ROUNDS = 7;
    /** Of throughput, in each of which the networks have several turns. */
    private static final int STRETCHES = 5;
    private static final int TURNS = 24;
    /** The time of one network in one turn. Other work of the machine that lasts longer meets all networks. */
    private static final double SECONDS = 0.5;
    private static final int CONNECTIONS = 150;
    private static final int PORT = 7100;
    private static final Duration LIMIT = Duration.ofMinutes(5);
    /** Longer than a plugin takes to find that its sessions have ended. */
    private static final Duration RECOVERY = Duration.ofSeconds(15);
    private static final Duration ALL = Duration.ofMinutes(40);
    private static final String STACK = "traffic";
    private static final String STREAM = Stack.FOLDER + "/stream";

    private static final List<String> FIELDS =
            List.of("megabitsPerSecond", "pausedMegabitsPerSecond", "roundTripMillis", "connectMicros", "connectByServiceMicros");

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
     * Returns for each network {@code megabitsPerSecond}, and {@code pausedMegabitsPerSecond} while the plugin's processes stand still, one
     * value for each turn; and {@code roundTripMillis}, and {@code connectMicros} to the far task's address and {@code
     * connectByServiceMicros} to its service's, one value for each round.
     */
    ArrayNode measure() {
        Stack.prepare(lab);
        try (Stack stack = Stack.deploy(lab, STACK, file())) {
            return measureStack();
        }
    }

    private ArrayNode measureStack() {
        Guest here = lab.guest(1);
        Guest there = lab.guest(2);
        List<Line> lines = new ArrayList<>();
        ArrayNode report = new ObjectMapper().createArrayNode();
        for (boolean encrypted : List.of(true, false)) {
            for (String driver : List.of(Product.NAME, "overlay")) {
                String network = STACK + "_" + Line.name(driver, encrypted);
                Task far = lab.swarm().task(STACK + "_far", network, there);
                lines.add(new Line(driver, encrypted, lab.swarm().task(STACK + "_near", network, here), far, lab.swarm().vip(STACK + "_far", network),
                        report.addObject().put("driver", driver).put("encrypted", encrypted)));
            }
        }
        Guest.Spawned receiver = there.spawn("%s perl %s receive %d".formatted(lines.getFirst().far.inside(), STREAM, PORT), ALL);
        lines.forEach(line -> line.near.awaitAnswer(line.far));
        useSecondProcessor(false);
        try {
            measure(lines);
        } finally {
            useSecondProcessor(true);
        }
        receiver.interrupt();
        for (boolean encrypted : List.of(true, false)) {
            progress.accept("%s, to the built-in driver's: %s".formatted(encrypted ? "encrypted" : "plain", FIELDS.stream()
                    .map(field -> "%s %.2f".formatted(field, Target.toBuiltIn(report, encrypted, field))).collect(Collectors.joining(", "))));
        }
        return report;
    }

    /**
     * Takes the second processor from both hosts, or gives it back. A machine that has two itself emulates the hosts' four by chance, and the
     * same network reached from half to twice its median.
     */
    private void useSecondProcessor(boolean use) {
        Together.each(lab.guests(), guest -> guest.sh("echo %d > /sys/devices/system/cpu/cpu1/online".formatted(use ? 1 : 0)));
    }

    private void measure(List<Line> lines) {
        for (int stretch = 0; stretch < STRETCHES; stretch++) {
            throughput(lines, "megabitsPerSecond");
            paused(lines);
        }
        for (int round = 0; round < ROUNDS; round++) {
            // Each goes first in its turn.
            List<Line> turn = new ArrayList<>(lines.subList(round % lines.size(), lines.size()));
            turn.addAll(lines.subList(0, round % lines.size()));
            turn.forEach(this::round);
        }
    }

    /** Measures all networks in several turns, in each of which they come in the other order than in the one before. */
    private void throughput(List<Line> lines, String field) {
        Line first = lines.getFirst();
        String turns = run(first, "send %d %s %d %s".formatted(PORT, SECONDS, TURNS,
                lines.stream().map(line -> line.far.address()).collect(Collectors.joining(" "))));
        for (String turn : turns.lines().toList()) {
            String[] rates = turn.split(" ");
            for (int n = 0; n < rates.length; n++) {
                lines.get(n).report.withArray(field).add(Double.parseDouble(rates[n]));
            }
        }
        progress.accept("%s, medians so far: %s".formatted(field, lines.stream().map(line ->
                "%s %.1f".formatted(line.name(), Times.median(Times.values(line.report.path(field))))).collect(Collectors.joining(", "))));
    }

    /** Measures while the plugin's processes of both hosts stand still: what its rules and states cost without its work beside them. */
    private void paused(List<Line> lines) {
        Product.signal(lab.guests(), "STOP");
        try {
            throughput(lines, "pausedMegabitsPerSecond");
        } finally {
            Product.signal(lab.guests(), "CONT");
        }
        Await.pause(RECOVERY);
        Product.awaitTogether(lab.guests());
    }

    private void round(Line line) {
        double roundTrip = roundTrip(line);
        double connect = connect(line, line.far.address());
        double byService = connect(line, line.service);
        line.report.withArray("roundTripMillis").add(roundTrip);
        line.report.withArray("connectMicros").add(connect);
        line.report.withArray("connectByServiceMicros").add(byService);
        progress.accept("%-18s round trip %.3f ms, connection %.0f us, by the service's address %.0f us".formatted(
                line.name(), roundTrip, connect, byService));
    }

    private static double connect(Line line, String address) {
        return Double.parseDouble(run(line, "connect %s %d %d".formatted(address, PORT, CONNECTIONS)));
    }

    private static String run(Line line, String words) {
        return line.near.guest().run("%s perl %s %s".formatted(line.near.inside(), STREAM, words), LIMIT).require();
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
