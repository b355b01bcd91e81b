package io.vxseal.lab;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Measurements of the product's cost: on this machine, and on a stock kernel in comparison with the least possible (the floor)
 * and the naive way.
 *
 * <p>Arguments: the part to measure, one of {@link #PARTS}, {@code all} or {@link #PAGE}, and the folder for report.json and report.html.
 * A part replaces its own figures in the report that is there; {@code all} begins a new one.
 * Fails for no time. The exit status is 0 if everything was measured and all ways led to the same objects in the
 * kernel. A part that fails does not prevent the others.
 */
public final class Bench {

    private static final List<String> PARTS = List.of("native", "pure", "programming", "sandbox", "containers", "traffic", "services");
    /** Measures nothing: draws report.json again, into which another program wrote the cluster's figures. */
    private static final String PAGE = "page";
    private static final ObjectMapper JSON = new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);
    private static final long START = System.nanoTime();

    private final Product product;
    private final ObjectNode report;
    private final List<Target> targets = new ArrayList<>();
    private final List<String> failures = new ArrayList<>();

    private Bench(Product product, ObjectNode report) {
        this.product = product;
        this.report = report;
    }

    public static void main(String[] arguments) {
        Product product = Product.here();
        String part = arguments.length > 0 ? arguments[0] : "all";
        Path folder = (arguments.length > 1 ? Path.of(arguments[1]) : product.tree().resolve("target/bench")).toAbsolutePath();
        if (!part.equals("all") && !part.equals(PAGE) && !PARTS.contains(part)) {
            System.err.println("bench: there is nothing named " + part + " to measure; there are " + String.join(", ", PARTS));
            System.exit(2);
        }
        List<String> failures = new ArrayList<>();
        try {
            Path earlier = folder.resolve("report.json");
            boolean goesOn = !part.equals("all") && Files.exists(earlier);
            Bench bench = new Bench(product, goesOn ? (ObjectNode) JSON.readTree(earlier.toFile()) : JSON.createObjectNode());
            if (!part.equals(PAGE)) {
                bench.measure(part.equals("all") ? PARTS : List.of(part));
            }
            bench.write(folder);
            failures.addAll(bench.failures);
        } catch (IOException e) {
            failures.add(e.getMessage());
        }
        System.out.flush();
        failures.forEach(failure -> System.err.println("bench: " + failure));
        System.exit(failures.isEmpty() ? 0 : 1);
    }

    private void measure(List<String> parts) {
        report.put("measured", Instant.now().truncatedTo(ChronoUnit.SECONDS).toString());
        report.put("processors", Runtime.getRuntime().availableProcessors());
        report.put("model", model());
        if (parts.contains("native")) {
            attempt("this machine: starts, memory, size, calls; about two minutes", this::program);
        }
        if (parts.contains("pure")) {
            attempt("the pure parts; about a minute", this::pure);
        }
        if (parts.contains("programming") || parts.contains("sandbox")) {
            attempt("a host", () -> kernel(parts));
        }
        if (parts.contains("containers")) {
            attempt("a host with the plugin", this::containers);
        }
        if (parts.contains("services")) {
            attempt("rules for services in 100 containers, on this machine", () -> report.set("serviceRules", new Native(product).serviceRules()));
        }
        if (parts.contains("traffic") || parts.contains("services")) {
            attempt("two hosts with the plugin", () -> hosts(parts));
        }
    }

    private void attempt(String what, Runnable work) {
        step(what);
        try {
            work.run();
        } catch (RuntimeException e) {
            say("failed: " + e.getMessage());
            failures.add(e.getMessage());
        }
    }

    private void program() {
        ObjectNode program = new Native(product).program();
        report.setAll(program);
        targets.addAll(Target.ofProgram(program));
    }

    private void pure() {
        Native here = new Native(product);
        report.put("plansOf1000PeersMiB", here.plans());
        report.set("pure", here.pure());
    }

    private void kernel(List<String> parts) {
        try (Lab lab = Lab.open(Lab.Plan.of(1).with(product), Bench::say)) {
            Guest guest = lab.guest(1);
            describe(guest);
            Programming kernel = new Programming(guest, Bench::say);
            if (parts.contains("programming")) {
                attempt("states and policies: set-up, rotation, removal", () -> {
                    kernel.states();
                    targets.addAll(Target.ofStates(kernel.times()));
                });
            }
            if (parts.contains("sandbox")) {
                attempt("neighbours and forwarding entries of a sandbox", () -> {
                    kernel.entries();
                    targets.addAll(Target.ofEntries(kernel.times()));
                });
            }
            Map<Boolean, List<Times.Time>> alone = kernel.times().medians().stream()
                    .collect(Collectors.partitioningBy(time -> time.mode().equals(Times.FLOOR_ALONE)));
            report.set("programming", JSON.valueToTree(alone.get(false)));
            report.set("floorOneMessageASend", JSON.valueToTree(alone.get(true)));
        }
    }

    private void containers() {
        try (Lab lab = Lab.open(Lab.Plan.of(1).withInstalled(product), Bench::say)) {
            describe(lab.guest(1));
            report.set("containerStart", new Containers(lab, Bench::say).measure());
        }
    }

    private void hosts(List<String> parts) {
        try (Lab lab = Lab.open(Lab.Plan.of(2).withInstalled(product), Bench::say)) {
            describe(lab.guest(1));
            if (parts.contains("traffic")) {
                attempt("packets and connections between two hosts", () -> {
                    report.set("traffic", new Traffic(lab, Bench::say).measure());
                    targets.addAll(Target.ofTraffic(report.path("traffic")));
                });
            }
            if (parts.contains("services")) {
                attempt("services at rest", () -> report.set("servicesAtRest", new ServicesAtRest(lab, Bench::say).measure()));
            }
        }
    }

    private void describe(Guest guest) {
        report.put("engine", guest.sh("docker version -f '{{.Server.Version}}'"));
        report.put("kernel", guest.sh("uname -r"));
    }

    private static String model() {
        try (Stream<String> lines = Files.lines(Path.of("/proc/cpuinfo"))) {
            return lines.filter(line -> line.startsWith("model name")).map(line -> line.substring(line.indexOf(':') + 1).strip())
                    .findFirst().orElse("");
        } catch (IOException e) {
            return "";
        }
    }

    private void write(Path folder) throws IOException {
        targets.addAll(new ClusterFigures(report.path("cluster")).targets());
        report.set("targets", JSON.valueToTree(withEarlier(targets)));
        Files.createDirectories(folder);
        JSON.writeValue(folder.resolve("report.json").toFile(), report);
        Files.writeString(folder.resolve("report.html"), Page.of(report));
        if (report.has("programming")) {
            step("milliseconds, medians");
            Times.table(JSON.convertValue(report.get("programming"), Times.Time[].class)).forEach(Bench::say);
        }
        if (!targets.isEmpty()) {
            step("targets");
            Target.table(targets).forEach(Bench::say);
        }
        say("all numbers are in %s, and plots of them in report.html beside it".formatted(folder.resolve("report.json")));
    }

    /** Returns these targets after those of the report that are of other parts. */
    private List<Target> withEarlier(List<Target> now) {
        Map<String, Target> all = new LinkedHashMap<>();
        if (report.has("targets")) {
            List.of(JSON.convertValue(report.path("targets"), Target[].class)).forEach(target -> all.put(target.what(), target));
        }
        now.forEach(target -> all.put(target.what(), target));
        return List.copyOf(all.values());
    }

    private static void step(String what) {
        say("== " + what);
    }

    private static void say(String line) {
        System.out.printf("[%4d s] %s%n", Duration.ofNanos(System.nanoTime() - START).toSeconds(), line);
    }
}
