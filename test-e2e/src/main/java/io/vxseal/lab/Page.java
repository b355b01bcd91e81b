package io.vxseal.lab;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.github.mustachejava.DefaultMustacheFactory;
import java.io.StringWriter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/** report.html: report.json in one file without scripts or outside resources. Leaves out what the report does not have. */
final class Page {

    private static final String TEMPLATE = "io/vxseal/lab/report.html";
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final List<String> MODES = List.of(Times.FLOOR, Times.BATCHED, Times.NAIVE);

    private static final Map<String, String> WORKS = new LinkedHashMap<>();

    static {
        WORKS.put("setup", "Set-up: states and policies for this many peers");
        WORKS.put("rotate", "Rotation: the next key, with this many peers");
        WORKS.put("remove", "Removal: this many peers leave");
        WORKS.put("sandbox", "Sandbox: neighbour and forwarding entries of this many endpoints");
    }

    private final JsonNode report;

    private Page(JsonNode report) {
        this.report = report;
    }

    /** Returns the page of a report. */
    static String of(JsonNode report) {
        var html = new StringWriter();
        new DefaultMustacheFactory().compile(TEMPLATE).execute(html, new Page(report).content());
        return html.toString();
    }

    private Map<String, Object> content() {
        List<Times.Time> medians = Stream.of("programming", "floorOneMessageASend")
                .flatMap(field -> times(field).stream()).toList();
        Map<String, Object> content = new LinkedHashMap<>();
        if (report.has("measured")) {
            content.put("conditions", conditions());
        }
        content.put("targets", section(targets()));
        content.put("growth", section(growth()));
        content.put("figures", section(figures()));
        content.put("facts", section(facts()));
        if (report.has("pure")) {
            content.put("computed", computed());
        }
        if (report.has("cluster")) {
            content.put("cluster", new ClusterFigures(report.path("cluster")).content());
        }
        if (!medians.isEmpty()) {
            content.put("medians", Map.of("count", medians.size(), "times", medians.stream().map(time -> Map.of("work", time.work(),
                    "peers", number(time.peers()), "mode", time.mode(), "call", time.call(), "ms", number(time.ms()))).toList()));
        }
        return content;
    }

    /** Marks the first and the last line, for what the template writes around them. */
    private static List<Map<String, Object>> section(List<Map<String, Object>> lines) {
        return IntStream.range(0, lines.size()).mapToObj(i -> {
            Map<String, Object> line = new LinkedHashMap<>(lines.get(i));
            line.put("first", i == 0);
            line.put("last", i == lines.size() - 1);
            return line;
        }).toList();
    }

    private String conditions() {
        List<String> parts = new ArrayList<>();
        parts.add("Measured " + report.path("measured").asText().replace('T', ' ').replace("Z", " UTC"));
        if (report.has("processors")) {
            parts.add("on %d processors (%s)".formatted(report.path("processors").asInt(), report.path("model").asText()));
        }
        if (report.has("kernel")) {
            parts.add("in a guest with Linux %s and Docker %s".formatted(report.path("kernel").asText(), report.path("engine").asText()));
        }
        return String.join(", ", parts);
    }

    private List<Map<String, Object>> targets() {
        return list("targets", Target[].class).map(target -> Map.<String, Object>of(
                "what", target.what(),
                "wanted", (target.atMost() ? "≤ " : "≥ ") + number(target.wanted()),
                "reached", number(target.reached()),
                "met", target.good())).toList();
    }

    /** Returns two charts for each kind of work: the time for all objects, and the time per object. */
    private List<Map<String, Object>> growth() {
        List<Times.Time> times = times("programming");
        return WORKS.keySet().stream().filter(work -> times.stream().anyMatch(time -> time.work().equals(work))).map(work -> {
            String object = work.equals("sandbox") ? "endpoint" : "peer";
            List<Times.Time> own = times.stream().filter(time -> time.work().equals(work)).toList();
            return Map.of("title", WORKS.get(work), "charts", List.of(
                    chart("ms", object, own, Times.Time::ms), chart("ms per " + object, object, own, time -> time.ms() / time.peers())));
        }).toList();
    }

    private static Map<String, Object> chart(String unit, String object, List<Times.Time> times, Function<Times.Time, Double> cost) {
        List<Charts.Line> lines = MODES.stream().flatMap(mode -> Stream.of(Times.FIRST, Times.WARM).map(call ->
                        new Charts.Line((mode.equals(Times.BATCHED) ? Product.NAME : mode) + " " + call, mode, call.equals(Times.FIRST), times.stream()
                                .filter(time -> time.mode().equals(mode) && time.call().equals(call))
                                .collect(Collectors.toMap(Times.Time::peers, cost, (one, other) -> other, TreeMap::new)))))
                .filter(line -> !line.costs().isEmpty()).toList();
        return Map.of("title", "%s by number of %ss".formatted(unit, object), "image", Charts.growth(unit, object + "s", lines));
    }

    private List<Map<String, Object>> figures() {
        List<Map<String, Object>> figures = new ArrayList<>();
        if (report.has("startMillis")) {
            figures.add(figure("Start to the first answer, ms",
                    "From exec to the answer to the first GetCapabilities, on this machine, each in a process of its own", 400,
                    new Charts.Row("with the archive", "vxseal", Times.values(report.path("startMillis"))),
                    new Charts.Row("without", "floor", Times.values(report.path("startColdMillis")))));
        }
        if (report.has("residentMiB")) {
            JsonNode resident = report.path("residentMiB");
            figures.add(figure("Resident memory, MiB",
                    "VmRSS of the process: at rest, and with 10 000 endpoints of four other nodes. Targets: 80 and 120", 0,
                    new Charts.Row("at rest", "vxseal", List.of(resident.path("rest").asDouble())),
                    new Charts.Row("10 000 endpoints", "vxseal", List.of(resident.path("loaded").asDouble()))));
        }
        if (report.has("join")) {
            String networks = report.path("join").path("networks").asText() + " networks";
            figures.add(figure("The plugin's calls for a container's start, ms",
                    "CreateEndpoint and Join through the socket, on this machine, plain networks; p50 and p99. The first start in a process "
                            + "also sets its network up", 5,
                    joins("one network", "vxseal", "p50Millis", "p99Millis"),
                    joins(networks, "vxseal", "p50MillisWithNetworks", "p99MillisWithNetworks"),
                    joins("first on its network", "vxseal", "newNetworkP50Millis", "newNetworkP99Millis"),
                    joins("first in the process", "floor", "firstMillis")));
            figures.add(figure("The plugin's calls for a container's end, ms",
                    "Leave and DeleteEndpoint; p50 and p99. The first end in a process also takes its network down", 0,
                    joins("one network", "vxseal", "leaveP50Millis", "leaveP99Millis"),
                    joins(networks, "vxseal", "leaveP50MillisWithNetworks", "leaveP99MillisWithNetworks"),
                    joins("first in the process", "floor", "firstLeaveMillis")));
        }
        if (report.has("containerStart")) {
            JsonNode starts = report.path("containerStart");
            figures.add(figure("A container from docker run to its end, ms", "In the guest, by turns, on an encrypted network of each driver", 0,
                    new Charts.Row("vxseal", "vxseal", Times.values(starts.path("vxseal"))),
                    new Charts.Row("overlay, built in", "overlay", Times.values(starts.path("overlay")))));
        }
        if (report.has("traffic")) {
            String caption = "Between two guests, by turns, medians and all values";
            figures.add(figure("Throughput of one TCP connection, Mbit/s", caption, 0, traffic("megabitsPerSecond")));
            figures.add(figure("Round trip, ms", caption, 0, traffic("roundTripMillis")));
            figures.add(figure("Set-up of a connection to a task's address, µs", caption, 0, traffic("connectMicros")));
            figures.add(figure("Set-up of a connection to a service's address, µs", caption, 0, traffic("connectByServiceMicros")));
        }
        if (report.has("serviceRules")) {
            figures.add(figure("Rules of 50 services with ten tasks each, ms",
                    "In 100 containers, one after the other, on this machine", 0,
                    report.path("serviceRules").properties().stream()
                            .map(step -> new Charts.Row(step.getKey(), "vxseal", Times.values(step.getValue()))).toArray(Charts.Row[]::new)));
        }
        return figures;
    }

    private Charts.Row[] traffic(String field) {
        return StreamSupport.stream(report.path("traffic").spliterator(), false).map(line -> new Charts.Row(
                line.path("driver").asText() + (line.path("encrypted").asBoolean() ? ", encrypted" : ", plain"),
                line.path("driver").asText(), Times.values(line.path(field)))).toArray(Charts.Row[]::new);
    }

    private static Map<String, Object> figure(String title, String caption, double limit, Charts.Row... rows) {
        return Map.of("title", title, "caption", caption, "image", Charts.strip(limit, List.of(rows)));
    }

    private Charts.Row joins(String name, String style, String... fields) {
        return new Charts.Row(name, style, Stream.of(fields).map(field -> report.path("join").path(field).asDouble()).toList());
    }

    private Map<String, Object> computed() {
        Map<String, Object> computed = new LinkedHashMap<>();
        if (report.has("plansOf1000PeersMiB")) {
            computed.put("plansMiB", number(report.path("plansOf1000PeersMiB").asDouble()));
        }
        computed.put("lines", StreamSupport.stream(report.path("pure").spliterator(), false).map(line -> Map.of(
                "what", words(line.path("what").asText()),
                "micros", number(line.path("micros").asDouble()),
                "bytes", number((double) Math.round(line.path("octets").asDouble())))).toList());
        return computed;
    }

    private List<Map<String, Object>> facts() {
        List<String> facts = new ArrayList<>();
        if (report.has("rootfsMiB")) {
            facts.add("The plugin's root file system takes %s MiB unpacked.".formatted(number(report.path("rootfsMiB").asDouble())));
        }
        if (report.has("servicesAtRest")) {
            JsonNode rest = report.path("servicesAtRest");
            facts.add("With %d services at rest the plugin takes %s %% of a processor in the guest, and %s %% without any."
                    .formatted(rest.path("services").asInt(), number(rest.path("processorPercent").asDouble()),
                            number(rest.path("processorPercentWithout").asDouble())));
        }
        report.path("containerStart").path("pluginMillis").properties().forEach(call -> facts.add(
                "%s took the plugin %s ms in the guest, on average.".formatted(call.getKey(), number(call.getValue().asDouble()))));
        return facts.stream().map(fact -> Map.<String, Object>of("text", fact)).toList();
    }

    private List<Times.Time> times(String field) {
        return list(field, Times.Time[].class).toList();
    }

    private <T> Stream<T> list(String field, Class<T[]> type) {
        return report.has(field) ? Stream.of(JSON.convertValue(report.path(field), type)) : Stream.empty();
    }

    /** Returns a number with about three digits and a space between thousands. */
    static String number(double value) {
        int decimals = value == Math.rint(value) || value >= 100 ? 0 : value >= 10 ? 1 : value >= 1 ? 2 : 3;
        String digits = String.format(Locale.ROOT, "%,." + decimals + "f", value).replace(',', ' ');
        return decimals == 0 ? digits : digits.replaceFirst("\\.?0+$", "");
    }

    /** Splits a Java name into words. */
    private static String words(String name) {
        return name.replaceAll("(?<=[a-z])(?=[A-Z0-9])|(?<=[A-Z0-9])(?=[A-Z][a-z])", " ").toLowerCase(Locale.ROOT);
    }
}
