package io.vxseal.lab;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.DoubleUnaryOperator;
import java.util.stream.IntStream;
import java.util.stream.StreamSupport;

/**
 * report.json as a page to look at: one file that needs no other, and no script. What the report does not have is left out.
 * Ways are told apart by marker, and first calls from warm ones by dash, so that colour is never all there is.
 */
final class Page {

    private static final String FRAME = """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>vxseal: what it costs</title>
            <style>
            :root { --paper: #fcfcfb; --ink: #0b0b0b; --soft: #52514e; --grid: #e4e3df; --axis: #b5b4ae;
              --floor: #6b6a66; --batched: #2a78d6; --naive: #d9622b; --miss: #c42f2f; color-scheme: light dark }
            @media (prefers-color-scheme: dark) { :root { --paper: #1a1a19; --ink: #ffffff; --soft: #c3c2b7; --grid: #2c2c2a;
              --axis: #52514e; --floor: #a3a29b; --batched: #5b9df0; --naive: #ec8350; --miss: #ff7b72 } }
            body { background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto;
              max-width: 70rem; padding: 0 1.25rem }
            h1 { font-size: 1.6rem; margin-bottom: 0 }
            h2 { font-size: 1.2rem; margin: 2.5rem 0 .25rem }
            h3 { font-size: 1rem; margin: 1rem 0 .25rem }
            figure h3 { margin: 0 }
            p { margin: .25rem 0 .75rem; max-width: 50rem }
            .soft, figcaption { color: var(--soft) }
            .grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(26rem, 1fr)); gap: 1.5rem }
            figure { margin: 0; min-width: 0 }
            svg { display: block; width: 100%%; height: auto }
            text { fill: var(--soft); font: 12px system-ui, sans-serif }
            text.value { fill: var(--ink) }
            .gridline { stroke: var(--grid) }
            .axis { stroke: var(--axis) }
            .limit { stroke: var(--ink); stroke-dasharray: 2 3 }
            .series { fill: none; stroke-width: 2; stroke-linejoin: round }
            .first { stroke-dasharray: 5 4 }
            .mark { stroke-width: 2 }
            .floor { stroke: var(--floor); fill: var(--floor) }
            .batched, .vxseal { stroke: var(--batched); fill: var(--batched) }
            .naive, .overlay { stroke: var(--naive); fill: var(--naive) }
            .series { fill: none }
            .mark.first { fill: var(--paper); stroke-dasharray: none }
            .dot { fill-opacity: .45; stroke: none }
            table { border-collapse: collapse; font-variant-numeric: tabular-nums }
            th, td { border-bottom: 1px solid var(--grid); padding: .2rem .9rem .2rem 0; text-align: right }
            th:first-child, td:first-child { text-align: left }
            th { color: var(--soft); font-weight: 500 }
            .missed { color: var(--miss); font-weight: 600 }
            .wide { overflow-x: auto }
            summary { cursor: pointer; color: var(--soft) }
            </style>
            </head>
            <body>
            <h1>vxseal: what it costs</h1>
            %s
            </body>
            </html>
            """;

    private static final ObjectMapper JSON = new ObjectMapper();

    private static final Map<String, String> WORKS = new LinkedHashMap<>();
    private static final Map<String, String> MODES = new LinkedHashMap<>();

    static {
        WORKS.put("setup", "Set-up: states and policies to so many nodes");
        WORKS.put("rotate", "Rotation: the next key, with so many nodes");
        WORKS.put("remove", "Removal: so many nodes go");
        WORKS.put("sandbox", "Sandbox: neighbour and forwarding entries of so many endpoints");
        MODES.put(Times.FLOOR, "floor: the least, in C");
        MODES.put(Times.BATCHED, "vxseal");
        MODES.put(Times.NAIVE, "naive: object by object");
    }

    // A plot of lines, in units of the drawing.
    private static final int WIDTH = 480;
    private static final int HEIGHT = 300;
    private static final int LEFT = 60;
    private static final int RIGHT = 96;
    private static final int TOP = 26;
    private static final int BOTTOM = 38;

    // A strip of dots.
    private static final int ROW = 34;
    private static final int NAMES = 150;
    private static final int ENDS = 100;

    private final JsonNode report;
    private final StringBuilder html = new StringBuilder();

    private Page(JsonNode report) {
        this.report = report;
    }

    static String of(JsonNode report) {
        return new Page(report).write();
    }

    private String write() {
        head();
        targets();
        growth();
        strips();
        tables();
        return FRAME.formatted(html);
    }

    private void head() {
        List<String> parts = new ArrayList<>();
        if (report.has("measured")) {
            parts.add("Measured " + report.path("measured").asText().replace('T', ' ').replace("Z", " UTC"));
        }
        if (report.has("processors")) {
            parts.add("on %d processors (%s)".formatted(report.path("processors").asInt(), report.path("model").asText()));
        }
        if (report.has("kernel")) {
            parts.add("in a guest with Linux %s and Docker %s".formatted(report.path("kernel").asText(), report.path("engine").asText()));
        }
        add("<p class=\"soft\">%s.</p>", escaped(String.join(", ", parts)));
    }

    private void targets() {
        Target[] targets = JSON.convertValue(report.path("targets"), Target[].class);
        if (targets == null || targets.length == 0) {
            return;
        }
        add("<h2>Targets</h2><div class=\"wide\"><table><tr><th></th><th>target</th><th>reached</th><th></th></tr>");
        for (Target target : targets) {
            add("<tr><td>%s</td><td>%s %s</td><td>%s</td><td%s</td></tr>", escaped(target.what()), target.atMost() ? "≤" : "≥",
                    number(target.wanted()), number(target.reached()), target.good() ? ">met" : " class=\"missed\">missed");
        }
        add("</table></div>");
    }

    /** How cost grows: for each work, what all takes and what each takes. */
    private void growth() {
        List<Times.Time> times = times("programming");
        if (times.isEmpty()) {
            return;
        }
        add("<h2>How cost grows</h2>");
        add("<p>Medians, in an emulated guest: to be compared with each other, not with those of hardware. Both axes are logarithmic. "
                + "On the left what all of it takes, on the right what each takes, where a level line is linear growth.</p>");
        legend();
        WORKS.forEach((work, name) -> {
            List<Times.Time> own = times.stream().filter(time -> time.work().equals(work)).toList();
            if (own.isEmpty()) {
                return;
            }
            String of = work.equals("sandbox") ? "endpoint" : "peer";
            add("<h3>%s</h3><div class=\"grid\">", escaped(name));
            lines(own, of, false);
            lines(own, of, true);
            add("</div>");
        });
    }

    private void legend() {
        add("<svg viewBox=\"0 0 920 24\" role=\"img\" aria-label=\"Legend\">");
        int x = 0;
        for (Map.Entry<String, String> mode : MODES.entrySet()) {
            mark(mode.getKey(), Times.WARM, x + 8, 12);
            add("<text x=\"%d\" y=\"16\">%s</text>", x + 20, escaped(mode.getValue()));
            x += 34 + 7 * mode.getValue().length();
        }
        for (String call : List.of(Times.WARM, Times.FIRST)) {
            add("<path class=\"series floor %s\" d=\"M%d,12h34\"/>", call, x + 20);
            mark(Times.FLOOR, call, x + 37, 12);
            add("<text x=\"%d\" y=\"16\">%s</text>", x + 62, call.equals(Times.WARM) ? "warm" : "first call in its process");
            x += 110;
        }
        add("</svg>");
    }

    private void lines(List<Times.Time> times, String of, boolean each) {
        DoubleUnaryOperator x = log(times.stream().mapToDouble(Times.Time::peers).min().orElseThrow(),
                times.stream().mapToDouble(Times.Time::peers).max().orElseThrow(), LEFT + 10, WIDTH - RIGHT);
        double least = Double.MAX_VALUE;
        double most = 0;
        for (Times.Time time : times) {
            least = Math.min(least, cost(time, each));
            most = Math.max(most, cost(time, each));
        }
        double low = Math.pow(10, Math.floor(Math.log10(least)));
        double high = Math.pow(10, Math.ceil(Math.log10(most)));
        DoubleUnaryOperator y = log(low, high, HEIGHT - BOTTOM, TOP);
        String title = each ? "ms per " + of : "ms";
        add("<figure><svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s by number of %ss\">", WIDTH, HEIGHT, title, of);
        for (double tick = low; tick <= high * 1.01; tick *= 10) {
            add("<path class=\"gridline\" d=\"M%d,%sH%d\"/><text x=\"%d\" y=\"%s\" text-anchor=\"end\">%s</text>",
                    LEFT, at(y, tick), WIDTH - RIGHT, LEFT - 6, place(y.applyAsDouble(tick) + 4), number(tick));
        }
        times.stream().mapToInt(Times.Time::peers).distinct().sorted().forEach(peers ->
                add("<path class=\"axis\" d=\"M%s,%dv5\"/><text x=\"%1$s\" y=\"%d\" text-anchor=\"middle\">%s</text>",
                        at(x, peers), HEIGHT - BOTTOM, HEIGHT - BOTTOM + 18, number(peers)));
        add("<path class=\"axis\" d=\"M%d,%dH%d\"/>", LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT);
        add("<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%ss</text>", WIDTH - RIGHT, HEIGHT - 4, of);
        add("<text x=\"%d\" y=\"%d\" class=\"value\">%s</text>", LEFT, TOP - 12, title);
        List<Label> labels = new ArrayList<>();
        for (String mode : MODES.keySet()) {
            for (String call : List.of(Times.FIRST, Times.WARM)) {
                List<Times.Time> line = times.stream().filter(time -> time.mode().equals(mode) && time.call().equals(call)).toList();
                if (line.isEmpty()) {
                    continue;
                }
                List<String> points = line.stream().map(time -> at(x, time.peers()) + "," + at(y, cost(time, each))).toList();
                add("<path class=\"series %s %s\" d=\"M%s\"/>", mode, call, String.join("L", points));
                for (Times.Time time : line) {
                    add("<g><title>%s, %s, %s %ss: %s %s</title>", mode, call, number(time.peers()), of, number(cost(time, each)), title);
                    mark(mode, call, x.applyAsDouble(time.peers()), y.applyAsDouble(cost(time, each)));
                    add("</g>");
                }
                Times.Time last = line.getLast();
                labels.add(new Label(y.applyAsDouble(cost(last, each)), (mode.equals(Times.BATCHED) ? "vxseal" : mode) + " " + call));
            }
        }
        Label.spread(labels).forEach(label -> add("<text x=\"%d\" y=\"%s\">%s</text>", WIDTH - RIGHT + 10, place(label.y + 4), label.text));
        add("</svg></figure>");
    }

    /** Beside the end of a line; those of lines that end together make room for each other. */
    private record Label(double y, String text) {
        private static final int APART = 13;

        static List<Label> spread(List<Label> labels) {
            List<Label> sorted = new ArrayList<>(labels.stream().sorted((one, other) -> Double.compare(one.y, other.y)).toList());
            for (int i = 1; i < sorted.size(); i++) {
                sorted.set(i, sorted.get(i).below(sorted.get(i - 1).y + APART));
            }
            double bottom = HEIGHT - BOTTOM;
            for (int i = sorted.size() - 1; i >= 0; i--) {
                sorted.set(i, sorted.get(i).above(bottom));
                bottom = sorted.get(i).y - APART;
            }
            return sorted;
        }

        private Label below(double limit) {
            return new Label(Math.max(y, limit), text);
        }

        private Label above(double limit) {
            return new Label(Math.min(y, limit), text);
        }
    }

    private static double cost(Times.Time time, boolean each) {
        return each ? time.ms() / time.peers() : time.ms();
    }

    /** A circle, a square or a triangle: filled if warm, hollow if first. */
    private void mark(String mode, String call, double x, double y) {
        String shape = switch (mode) {
            case Times.FLOOR -> "<circle class=\"mark %s %s\" cx=\"%s\" cy=\"%s\" r=\"4\"/>";
            case Times.BATCHED -> "<path class=\"mark %s %s\" d=\"M%s,%sm-4,-4h8v8h-8z\"/>";
            default -> "<path class=\"mark %s %s\" d=\"M%s,%sm0,-5l5,9h-10z\"/>";
        };
        add(shape, mode, call, place(x), place(y));
    }

    /** A row of a strip: values as dots, with a line at their median. */
    private record Strip(String name, String style, List<Double> values) {}

    private void strips() {
        List<Runnable> figures = new ArrayList<>();
        if (report.has("startMillis")) {
            figures.add(() -> strip("Start to the first answer, ms", "From exec to the answer to the first GetCapabilities, on this machine, "
                    + "each in a process of its own", 400, List.of(
                    new Strip("with the archive", "vxseal", values(report.path("startMillis"))),
                    new Strip("without", "floor", values(report.path("startColdMillis"))))));
        }
        if (report.has("residentMiB")) {
            JsonNode resident = report.path("residentMiB");
            figures.add(() -> strip("Resident memory, MiB", "VmRSS of the process: at rest, and when four other nodes have told it "
                    + "10 000 endpoints. Targets: 80 and 120", 0, List.of(
                    new Strip("at rest", "vxseal", List.of(resident.path("rest").asDouble())),
                    new Strip("10 000 endpoints", "vxseal", List.of(resident.path("loaded").asDouble())))));
        }
        if (report.has("join")) {
            figures.add(() -> strip("The plugin's calls for a container's start, ms", "CreateEndpoint and Join through the socket, on this "
                    + "machine, plain networks; p50 and p99. The first start of a process puts its network up, too", 5, List.of(
                    new Strip("one network", "vxseal", joins("p50Millis", "p99Millis")),
                    new Strip("%d networks".formatted(networks()), "vxseal", joins("p50MillisWithNetworks", "p99MillisWithNetworks")),
                    new Strip("first on its network", "vxseal", joins("newNetworkP50Millis", "newNetworkP99Millis")),
                    new Strip("first in the process", "floor", joins("firstMillis")))));
            figures.add(() -> strip("For its end, ms", "Leave and DeleteEndpoint; p50 and p99. The first end takes its network down, too", 0, List.of(
                    new Strip("one network", "vxseal", joins("leaveP50Millis", "leaveP99Millis")),
                    new Strip("%d networks".formatted(networks()), "vxseal",
                            joins("leaveP50MillisWithNetworks", "leaveP99MillisWithNetworks")),
                    new Strip("first in the process", "floor", joins("firstLeaveMillis")))));
        }
        if (report.has("containerStart")) {
            JsonNode starts = report.path("containerStart");
            figures.add(() -> strip("A container from docker run to its end, ms", "In the guest, by turns, on an encrypted network of each driver",
                    0, List.of(
                    new Strip("vxseal", "vxseal", values(starts.path("vxseal"))),
                    new Strip("overlay, built in", "overlay", values(starts.path("overlay"))))));
        }
        if (!figures.isEmpty()) {
            add("<h2>Starts, memory and containers</h2><div class=\"grid\">");
            figures.forEach(Runnable::run);
            add("</div>");
        }
    }

    private int networks() {
        return report.path("join").path("networks").asInt();
    }

    private List<Double> joins(String... fields) {
        return IntStream.range(0, fields.length).mapToObj(i -> report.path("join").path(fields[i]).asDouble()).toList();
    }

    /** @param limit a line to draw, 0 for none */
    private void strip(String title, String caption, double limit, List<Strip> strips) {
        double most = Math.max(limit, strips.stream().flatMap(strip -> strip.values.stream()).mapToDouble(Double::doubleValue).max().orElse(1));
        DoubleUnaryOperator x = value -> NAMES + (WIDTH - NAMES - ENDS) * value / most;
        int height = ROW * strips.size() + 24;
        add("<figure><h3>%s</h3><figcaption>%s</figcaption><svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%1$s\">",
                escaped(title), escaped(caption), WIDTH, height);
        add("<path class=\"axis\" d=\"M%d,%dv%d\"/>", NAMES, 4, ROW * strips.size());
        if (limit > 0) {
            add("<path class=\"limit\" d=\"M%s,4v%d\"/><text x=\"%1$s\" y=\"%d\" text-anchor=\"middle\">target %s</text>",
                    at(x, limit), ROW * strips.size(), height - 4, number(limit));
        }
        for (int i = 0; i < strips.size(); i++) {
            Strip strip = strips.get(i);
            int y = 4 + ROW * i + ROW / 2;
            add("<text x=\"%d\" y=\"%d\" text-anchor=\"end\" class=\"value\">%s</text>", NAMES - 10, y + 4, escaped(strip.name));
            if (strip.values.isEmpty()) {
                continue;
            }
            double middle = strip.values.size() == 2 ? strip.values.getFirst() : Times.median(strip.values);
            double end = strip.values.stream().mapToDouble(Double::doubleValue).max().orElseThrow();
            if (strip.values.size() > 2) {
                for (double value : strip.values) {
                    add("<circle class=\"dot %s\" cx=\"%s\" cy=\"%d\" r=\"4\"><title>%s</title></circle>", strip.style, at(x, value), y, number(value));
                }
                add("<path class=\"series %s\" d=\"M%s,%dv16\"/>", strip.style, at(x, middle), y - 8);
            } else {
                add("<path class=\"series %s\" d=\"M%d,%dH%s\"/>", strip.style, NAMES, y, at(x, end));
                add("<circle class=\"mark %s\" cx=\"%s\" cy=\"%d\" r=\"4\"/>", strip.style, at(x, middle), y);
                if (end > middle) {
                    add("<circle class=\"mark first %s\" cx=\"%s\" cy=\"%d\" r=\"4\"/>", strip.style, at(x, end), y);
                }
            }
            add("<text x=\"%s\" y=\"%d\" class=\"value\">%s%s%s</text>", place(x.applyAsDouble(end) + 9), y + 4,
                    strip.values.size() > 2 ? "median " : "", number(middle),
                    end > middle && strip.values.size() == 2 ? " / " + number(end) : "");
        }
        add("</svg></figure>");
    }

    private void tables() {
        if (report.has("pure")) {
            add("<h2>What is computed</h2><p>By JMH, with the launcher's collector and compiler.%s</p>", report.has("plansOf1000PeersMiB")
                    ? " The plans for 1000 peers hold " + number(report.path("plansOf1000PeersMiB").asDouble()) + " MiB of heap." : "");
            add("<table><tr><th></th><th>µs a call</th><th>octets allocated</th></tr>");
            report.path("pure").forEach(line -> add("<tr><td>%s</td><td>%s</td><td>%s</td></tr>", escaped(words(line.path("what").asText())),
                    number(line.path("micros").asDouble()), number(Math.round(line.path("octets").asDouble()))));
            add("</table>");
        }
        List<String> facts = new ArrayList<>();
        if (report.has("rootfsMiB")) {
            facts.add("The plugin's root file system takes %s MiB unpacked.".formatted(number(report.path("rootfsMiB").asDouble())));
        }
        report.path("containerStart").path("pluginMillis").properties().forEach(call -> facts.add(
                "%s took the plugin %s ms in the guest, on average.".formatted(call.getKey(), number(call.getValue().asDouble()))));
        if (!facts.isEmpty()) {
            add("<h2>Besides</h2><p>%s</p>", escaped(String.join(" ", facts)));
        }
        List<Times.Time> all = new ArrayList<>(times("programming"));
        all.addAll(times("floorOneMessageASend"));
        if (!all.isEmpty()) {
            add("<h2>All medians</h2><details><summary>%d of them, in ms</summary><table>"
                    + "<tr><th>work</th><th>peers</th><th>mode</th><th>call</th><th>ms</th></tr>", all.size());
            all.forEach(time -> add("<tr><td>%s</td><td>%s</td><td>%s</td><td>%s</td><td>%s</td></tr>", time.work(), number(time.peers()),
                    escaped(time.mode()), time.call(), number(time.ms())));
            add("</table></details>");
        }
    }

    private List<Times.Time> times(String field) {
        return report.has(field) ? List.of(JSON.convertValue(report.path(field), Times.Time[].class)) : List.of();
    }

    private static List<Double> values(JsonNode list) {
        return StreamSupport.stream(list.spliterator(), false).map(JsonNode::asDouble).toList();
    }

    /** From a value to a place on an axis. */
    private static DoubleUnaryOperator log(double least, double most, double from, double to) {
        double range = Math.max(Math.log10(most / least), 1e-9);
        return value -> from + (to - from) * Math.log10(value / least) / range;
    }

    private static String at(DoubleUnaryOperator axis, double value) {
        return place(axis.applyAsDouble(value));
    }

    private static String place(double place) {
        return String.format(Locale.ROOT, "%.1f", place);
    }

    /** With about three digits, and thousands apart. */
    private static String number(double value) {
        int decimals = value == Math.rint(value) || value >= 100 ? 0 : value >= 10 ? 1 : value >= 1 ? 2 : 3;
        String digits = String.format(Locale.ROOT, "%,." + decimals + "f", value).replace(',', ' ');
        return decimals == 0 ? digits : digits.replaceFirst("\\.?0+$", "");
    }

    /** A name in Java's manner, as words. */
    private static String words(String name) {
        return name.replaceAll("(?<=[a-z])(?=[A-Z0-9])|(?<=[A-Z0-9])(?=[A-Z][a-z])", " ").toLowerCase(Locale.ROOT);
    }

    private static String escaped(String text) {
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\"", "&quot;");
    }

    private void add(String format, Object... words) {
        html.append(format.formatted(words)).append('\n');
    }
}
