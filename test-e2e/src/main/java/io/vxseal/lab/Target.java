package io.vxseal.lab;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.StreamSupport;

/**
 * A target for a measured number, and whether it was met.
 *
 * @param what in words
 * @param atMost whether less is better
 * @param wanted the limit
 * @param reached what was measured in this run
 */
record Target(String what, boolean atMost, double wanted, double reached) {

    private static final List<String> WORKS = List.of("setup", "rotate", "remove");
    private static final int SMALL = 100;
    private static final List<Integer> LARGE = List.of(1000, 4000);
    private static final int MANY_ENDPOINTS = 10_000;

    boolean good() {
        return atMost ? reached <= wanted : reached >= wanted;
    }

    static List<Target> ofStates(Times times) {
        List<Target> targets = new ArrayList<>();
        for (String work : WORKS) {
            for (int peers : LARGE) {
                String name = work + " of " + peers + " peers";
                targets.add(new Target(name + ", warm, to the floor's", true, 1.25, toFloor(times, work, peers, Times.WARM)));
                targets.add(new Target(name + ", first call, to the floor's", true, 3, toFloor(times, work, peers, Times.FIRST)));
                targets.add(new Target(name + ", the naive way's to ours", false, 5,
                        times.ratio(work, peers, Times.WARM, Times.NAIVE, Times.BATCHED)));
            }
            int most = LARGE.getLast();
            targets.add(new Target("%s: cost per peer at %d to that at %d, the floor's growth divided out".formatted(work, most, SMALL),
                    true, 1.2, toFloor(times, work, most, Times.WARM) / toFloor(times, work, SMALL, Times.WARM)));
        }
        return targets;
    }

    private static double toFloor(Times times, String work, int peers, String call) {
        return times.ratio(work, peers, call, Times.BATCHED, Times.FLOOR);
    }

    static List<Target> ofEntries(Times times) {
        return List.of(new Target("sandbox of %d endpoints, one message at a time to ours".formatted(MANY_ENDPOINTS), false, 4,
                times.ratio("sandbox", MANY_ENDPOINTS, Times.WARM, Times.NAIVE, Times.BATCHED)));
    }

    /** Returns the targets for the measurements of {@link Native#program}. */
    static List<Target> ofProgram(JsonNode program) {
        List<Double> starts = Times.values(program.path("startMillis"));
        JsonNode resident = program.path("residentMiB");
        return List.of(
                new Target("start to the first answer, ms, median", true, 400, Times.median(starts)),
                new Target("resident at rest, MiB", true, 85, resident.path("rest").asDouble()),
                new Target("resident with 10 000 endpoints, MiB", true, 120, resident.path("loaded").asDouble()),
                new Target("root file system unpacked, MiB", true, 95, program.path("rootfsMiB").asDouble()),
                new Target("the plugin's share of a container's start, ms, median", true, 5,
                        program.path("join").path("p50Millis").asDouble()));
    }

    /** Returns the targets for the measurements of {@link Traffic}: ours on encrypted networks to the built-in driver's. */
    static List<Target> ofTraffic(JsonNode traffic) {
        return List.of(
                new Target("throughput of an encrypted network, to the built-in driver's", false, 0.97,
                        toBuiltIn(traffic, true, "megabitsPerSecond")),
                new Target("round trip on an encrypted network, to the built-in driver's", true, 1.03, toBuiltIn(traffic, true, "roundTripMillis")),
                new Target("connection by a service's address, to the built-in driver's", true, 1,
                        toBuiltIn(traffic, true, "connectByServiceMicros")));
    }

    /** Returns the median of the ratios of all turns, or rounds. */
    static double toBuiltIn(JsonNode traffic, boolean encrypted, String field) {
        List<Double> ours = values(traffic, Product.NAME, encrypted, field);
        List<Double> theirs = values(traffic, "overlay", encrypted, field);
        return Times.median(IntStream.range(0, ours.size()).mapToObj(n -> ours.get(n) / theirs.get(n)).toList());
    }

    private static List<Double> values(JsonNode traffic, String driver, boolean encrypted, String field) {
        return StreamSupport.stream(traffic.spliterator(), false)
                .filter(line -> line.path("driver").asText().equals(driver) && line.path("encrypted").asBoolean() == encrypted)
                .map(line -> Times.values(line.path(field))).findFirst().orElseThrow(() -> new LabException("no measurement of " + driver));
    }

    static List<String> table(List<Target> targets) {
        List<String> lines = new ArrayList<>();
        lines.add("%-75s %9s %8s".formatted("", "target", "reached"));
        targets.forEach(target -> lines.add("%-75s %s %6.2f %8.2f %s".formatted(target.what, target.atMost ? "<=" : ">=",
                target.wanted, target.reached, target.good() ? "" : "MISSED")));
        return lines;
    }
}
