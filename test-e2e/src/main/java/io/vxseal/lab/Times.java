package io.vxseal.lab;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.StreamSupport;

/**
 * Times of work that was done several times in several rounds. Ways are compared within a round, where one
 * runs soon after the other, because the speed of a shared machine varies.
 */
final class Times {

    /** The floor with as many messages per send as the product. */
    static final String FLOOR = "floor";

    /** The floor with one message per send. */
    static final String FLOOR_ALONE = "floor, one message a send";

    /** The product. */
    static final String BATCHED = "batched";

    /** The naive way: every object looked up, then programmed. */
    static final String NAIVE = "naive";

    static final String FIRST = "first";
    static final String WARM = "warm";

    /**
     * A line of report.json.
     *
     * @param work setup, rotate, remove or sandbox
     * @param peers or endpoints, of a sandbox
     * @param mode {@link #BATCHED}, {@link #NAIVE}, {@link #FLOOR} or {@link #FLOOR_ALONE}
     * @param call {@link #FIRST} in its process, or {@link #WARM}
     */
    record Time(String work, int peers, String mode, String call, double ms) {}

    private record What(String work, int peers, String mode, String call) {}

    /** Times by round. */
    private final Map<What, SortedMap<Integer, List<Double>>> all = new LinkedHashMap<>();

    /**
     * Adds a measurement.
     *
     * @param round number of the turn of all ways, from 0
     */
    void add(Time time, int round) {
        all.computeIfAbsent(new What(time.work, time.peers, time.mode, time.call), what -> new TreeMap<>())
                .computeIfAbsent(round, first -> new ArrayList<>())
                .add(time.ms);
    }

    /** Returns the median of each kind, in the order of their first measurements. */
    List<Time> medians() {
        return all.entrySet().stream()
                .map(entry -> new Time(entry.getKey().work, entry.getKey().peers, entry.getKey().mode, entry.getKey().call,
                        median(entry.getValue().values().stream().flatMap(List::stream).toList())))
                .toList();
    }

    /** Returns the ratio of two ways' times: the median of the rounds that have both. */
    double ratio(String work, int peers, String call, String mode, String other) {
        Map<Integer, List<Double>> times = of(work, peers, mode, call);
        Map<Integer, List<Double>> others = of(work, peers, other, call);
        return median(times.keySet().stream()
                .filter(others::containsKey)
                .map(round -> median(times.get(round)) / median(others.get(round)))
                .toList());
    }

    private Map<Integer, List<Double>> of(String work, int peers, String mode, String call) {
        Map<Integer, List<Double>> times = all.get(new What(work, peers, mode, call));
        if (times == null) {
            throw new LabException("not measured: %s of %d, %s, %s".formatted(work, peers, mode, call));
        }
        return times;
    }

    /** Returns the numbers of a list in a report. */
    static List<Double> values(JsonNode list) {
        return StreamSupport.stream(list.spliterator(), false).map(JsonNode::asDouble).toList();
    }

    static double median(Collection<Double> values) {
        double[] sorted = values.stream().mapToDouble(Double::doubleValue).sorted().toArray();
        double median = (sorted[(sorted.length - 1) / 2] + sorted[sorted.length / 2]) / 2;
        return Math.round(median * 1000) / 1000.0;
    }

    /** Returns one row for each work and number, with all modes side by side. */
    static List<String> table(Time[] times) {
        Map<String, Map<String, Double>> rows = new LinkedHashMap<>();
        Arrays.stream(times).forEach(time -> rows
                .computeIfAbsent("%-8s %6d".formatted(time.work, time.peers), row -> new TreeMap<>())
                .put(time.mode + " " + time.call, time.ms));
        List<String> columns = List.of("floor first", "batched first", "naive first", "floor warm", "batched warm", "naive warm");
        List<String> lines = new ArrayList<>();
        lines.add("%-15s".formatted("") + String.join("", columns.stream().map("%15s"::formatted).toList()));
        rows.forEach((row, values) -> lines.add(row + String.join("", columns.stream()
                .map(column -> values.containsKey(column) ? "%15.1f".formatted(values.get(column)) : "%15s".formatted("-"))
                .toList())));
        return lines;
    }
}
