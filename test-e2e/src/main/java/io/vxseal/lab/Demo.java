package io.vxseal.lab;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;

/**
 * The demonstration: two hosts with stock engines in one swarm, the plugin on both, an encrypted network,
 * a task on each host, and a capture of their packets between the hosts.
 *
 * <p>One argument: the folder for wire.pcap and report.json. The exit status is 0 if every ping came back,
 * ESP was seen, and no VXLAN packet in clear.
 */
public final class Demo {

    private static final int PINGS = 20;
    private static final Duration FIRST_PING = Duration.ofSeconds(90);
    private static final Duration SILENCE = Duration.ofSeconds(15);

    private static final long START = System.nanoTime();
    private static final AtomicLong LAST_SAID = new AtomicLong(START);
    private static final AtomicReference<String> LAST = new AtomicReference<>("");

    private Demo() {}

    /** The results of the demo, with the names of report.json. */
    record Report(String engine, String kernel, int pingsSent, int pingsReceived, long espPackets,
                  long cleartextVxlanPackets, double secondsToFirstPing) {

        boolean good() {
            return pingsSent > 0 && pingsSent == pingsReceived && espPackets > 0 && cleartextVxlanPackets == 0;
        }
    }

    public static void main(String[] arguments) {
        Product product = Product.here();
        Path folder = (arguments.length > 0 ? Path.of(arguments[0]) : product.tree().resolve("target/demo")).toAbsolutePath();
        Thread.ofPlatform().daemon().name("patience").start(Demo::breakSilence);
        int status;
        try {
            status = run(product, folder);
        } catch (IOException | RuntimeException e) {
            System.out.flush();
            System.err.println("demo: " + e.getMessage());
            status = 1;
        }
        System.exit(status);
    }

    private static int run(Product product, Path folder) throws IOException {
        Files.createDirectories(folder);
        Files.deleteIfExists(folder.resolve("report.json"));
        Lab.Plan plan = Lab.Plan.of(2).with(product);
        step("two hosts and the wire between them");
        try (Lab lab = Lab.open(plan, Demo::say)) {
            try {
                Report report = show(product, lab, folder);
                new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT)
                        .writeValue(folder.resolve("report.json").toFile(), report);
                tell(report, folder);
                if (!report.good()) {
                    say("evidence kept in " + lab.keep("demo"));
                }
                return report.good() ? 0 : 1;
            } catch (RuntimeException e) {
                throw new LabException(e.getMessage() + "\nevidence kept in " + lab.keep("demo"), e);
            }
        }
    }

    private static Report show(Product product, Lab lab, Path folder) {
        Guest one = lab.guest(1);
        String engine = one.sh("docker version -f '{{.Server.Version}}'");
        String kernel = one.sh("uname -r");
        for (Guest guest : lab.guests()) {
            say("%s: %s, Docker %s, Linux %s".formatted(guest, guest.address(), engine, kernel));
        }
        Capture capture = lab.wire().capture(folder.resolve("wire.pcap"));
        say("recording everything on the wire in " + capture.file());

        step("plugin/install on both hosts");
        Together.each(lab.guests(), product::install);
        say(one.sh("docker plugin ls"));

        step("docker network create -d vxseal:latest --opt encrypted my-net");
        long created = System.nanoTime();
        lab.swarm().createNetwork("my-net", Product.DRIVER, "--opt encrypted");

        step("a service on it, with a task on each host");
        List<Task> tasks = lab.swarm().serve("web", "my-net");
        tasks.forEach(task -> say("task " + task));

        step("pings from task to task");
        int[] early = {0};
        Await.until("the first answer from the other host's task", FIRST_PING, () -> {
            early[0]++;
            return tasks.get(0).ping(tasks.get(1), 1).allBack();
        });
        double first = (System.nanoTime() - created) / 1e9;
        say("first answer %.1f s after the network was created, at try %d".formatted(first, early[0]));
        Task.Pings pings = Swarm.pingAcross(tasks, PINGS);
        say("%d pings sent in both directions, %d answered".formatted(pings.sent(), pings.received()));

        step("what the hosts' kernels hold");
        for (Guest guest : lab.guests()) {
            Xfrm xfrm = Xfrm.of(guest);
            say("%s: %d states, %d policies".formatted(guest, xfrm.states().size(), xfrm.policies().size()));
            xfrm.states().forEach(state -> say("  ESP %s -> %s spi %s".formatted(state.source(), state.destination(), state.spi())));
        }

        step("what a listener between them saw");
        capture.stop();
        long esp = capture.count(Wire.ESP);
        long clear = capture.count(Wire.CLEARTEXT_VXLAN);
        capture.show(Wire.ESP).lines().limit(4).forEach(line -> say("  " + line));
        return new Report(engine, kernel, pings.sent(), pings.received(), esp, clear, Math.round(first * 10) / 10.0);
    }

    private static void tell(Report report, Path folder) {
        say("%d ESP packets, %d VXLAN packets in clear".formatted(report.espPackets(), report.cleartextVxlanPackets()));
        say("the wire is in %s, the numbers in %s".formatted(folder.resolve("wire.pcap"), folder.resolve("report.json")));
        step(report.good() ? "SUCCESS: all %d pings came back, and nothing crossed in clear".formatted(report.pingsSent())
                : "FAILURE: %d of %d pings came back, %d ESP packets, %d in clear".formatted(report.pingsReceived(),
                        report.pingsSent(), report.espPackets(), report.cleartextVxlanPackets()));
    }

    private static void step(String what) {
        say("== " + what);
    }

    private static void say(String line) {
        LAST_SAID.set(System.nanoTime());
        LAST.set(line);
        System.out.printf("[%4d s] %s%n", Duration.ofNanos(System.nanoTime() - START).toSeconds(), line);
    }

    /** Prints a sign of life, because emulated hosts are slow. */
    private static void breakSilence() {
        while (true) {
            Await.pause(Duration.ofSeconds(1));
            if (System.nanoTime() - LAST_SAID.get() > SILENCE.toNanos()) {
                say(LAST.get().endsWith(" ...") ? LAST.get() : LAST.get() + " ...");
            }
        }
    }
}
