package io.vxseal.lab;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * What the product costs, measured on a stock kernel beside the least that it could cost (the floor) and beside the
 * naive way.
 *
 * <p>Two arguments: what to measure, {@code programming}, {@code sandbox} or {@code all}, and the folder for report.json.
 * No time is a reason to fail; the exit status is 0 if all was measured and all ways led to the same objects in the
 * kernel.
 */
public final class Bench {

    private static final long START = System.nanoTime();

    private Bench() {}

    public static void main(String[] arguments) {
        Product product = Product.here();
        String part = arguments.length > 0 ? arguments[0] : "all";
        Path folder = (arguments.length > 1 ? Path.of(arguments[1]) : product.tree().resolve("target/bench")).toAbsolutePath();
        int status = 0;
        try {
            run(product, part, folder);
        } catch (IOException | RuntimeException e) {
            System.out.flush();
            System.err.println("bench: " + e.getMessage());
            status = 1;
        }
        System.exit(status);
    }

    private static void run(Product product, String part, Path folder) throws IOException {
        Files.createDirectories(folder);
        Files.deleteIfExists(folder.resolve("report.json"));
        boolean programming = part.equals("programming") || part.equals("all");
        boolean sandbox = part.equals("sandbox") || part.equals("all");
        if (!programming && !sandbox) {
            throw new LabException("there is nothing named " + part + " to measure");
        }
        ObjectMapper mapper = new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);
        ObjectNode report = mapper.createObjectNode();
        List<Target> targets = new ArrayList<>();
        step("a host");
        try (Lab lab = Lab.open(Lab.Plan.of(1).with(product), Bench::say)) {
            Guest guest = lab.guest(1);
            report.put("engine", guest.sh("docker version -f '{{.Server.Version}}'"));
            report.put("kernel", guest.sh("uname -r"));
            Programming kernel = new Programming(guest, Bench::say);
            if (programming) {
                step("states and policies: set-up, rotation, removal");
                kernel.states();
                targets.addAll(Target.ofStates(kernel.times()));
            }
            if (sandbox) {
                step("neighbours and forwarding entries of a sandbox");
                kernel.entries();
                targets.addAll(Target.ofEntries(kernel.times()));
            }
            Stream<Times.Time> times = kernel.times().medians().stream();
            report.set("programming", mapper.valueToTree(times.filter(time -> !time.mode().equals(Times.FLOOR_ALONE)).toList()));
            report.set("floorOneMessageASend", mapper.valueToTree(
                    kernel.times().medians().stream().filter(time -> time.mode().equals(Times.FLOOR_ALONE)).toList()));
        }
        mapper.writeValue(folder.resolve("report.json").toFile(), report);
        step("milliseconds, medians");
        Times.table(mapper.convertValue(report.get("programming"), Times.Time[].class)).forEach(Bench::say);
        step("targets");
        Target.table(targets).forEach(Bench::say);
        say("all numbers are in " + folder.resolve("report.json"));
    }

    private static void step(String what) {
        say("== " + what);
    }

    private static void say(String line) {
        System.out.printf("[%4d s] %s%n", Duration.ofNanos(System.nanoTime() - START).toSeconds(), line);
    }
}
