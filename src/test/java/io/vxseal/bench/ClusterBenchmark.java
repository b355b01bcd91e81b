package io.vxseal.bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.vxseal.swarm.Role;
import io.vxseal.swarm.TestAuthority;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * Measures the cluster at several sizes, with real sessions and a certificate for each node: managers and one worker in
 * processes with the launcher's limits, the others together. Writes the field {@code cluster} of the report.
 */
final class ClusterBenchmark implements AutoCloseable {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int PORT = 14788;
    private static final int NODES_PER_PROCESS = 250;
    private static final int PROBES = 20;
    private static final Duration REST = Duration.ofSeconds(30);

    /** Workers open further sessions for some time after the first. */
    private static final Duration SETTLE = Duration.ofSeconds(60);

    /** Between two changes of the ring. */
    private static final Duration RING_AGE = Duration.ofSeconds(62);

    /** What plugin/build made. Its archive of classes is for a class path that begins with the jar, seen from this folder. */
    private static final Path PROGRAM = Path.of("target/vxseal").toAbsolutePath();

    private static final List<String> JAVA = List.of(PROGRAM.resolve("runtime/bin/java").toString(),
            "-XX:SharedArchiveFile=vxseal.jsa", "-Xlog:cds=off", "-Xlog:aot=off", "-XX:+UnlockDiagnosticVMOptions",
            "-XX:ArchiveRelocationMode=0", "--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+ExitOnOutOfMemoryError");

    /** As the launcher's. */
    private static final List<String> PLUGIN = List.of("-Xms10m", "-Xmn5m", "-Xmx96m", "-XX:MinHeapFreeRatio=10",
            "-XX:MaxHeapFreeRatio=20", "-XX:-ShrinkHeapInSteps", "-XX:ReservedCodeCacheSize=32m", "-XX:TrimNativeHeapInterval=10000");
    private static final List<String> CROWD = List.of("-Xmx768m", "-Xss256k");

    private final int nodes;
    private final Path folder;
    private final List<Played> all = new ArrayList<>();

    private ClusterBenchmark(int nodes, Path folder) {
        this.nodes = nodes;
        this.folder = folder;
    }

    /** A process that plays nodes. */
    private record Played(Process process, BufferedReader output) {
        String ask(String words) throws IOException {
            say(words);
            return answer();
        }

        void say(String words) throws IOException {
            process.outputWriter().append(words).append('\n').flush();
        }

        String answer() throws IOException {
            String line = output.readLine();
            if (line == null || line.contains("never")) {
                throw new IOException("a process of the swarm answered " + line);
            }
            return line;
        }
    }

    /** Takes the report's file, and the sizes. */
    public static void main(String[] args) throws Exception {
        ArrayNode figures = JSON.createArrayNode();
        for (String size : List.of(args).subList(1, args.length)) {
            Path folder = Files.createTempDirectory("vxseal-bench");
            try (ClusterBenchmark benchmark = new ClusterBenchmark(Integer.parseInt(size), folder)) {
                Map<String, Object> measured = benchmark.measure();
                System.out.println("cluster: " + measured);
                figures.addPOJO(measured);
            }
        }
        Path file = Path.of(args[0]);
        ObjectNode report = Files.exists(file) ? (ObjectNode) JSON.readTree(file.toFile()) : JSON.createObjectNode();
        JSON.writerWithDefaultPrettyPrinter().writeValue(file.toFile(), report.set("cluster", figures));
    }

    private Map<String, Object> measure() throws Exception {
        issueCertificates();
        List<Played> managers = new ArrayList<>();
        for (int manager = 1; manager <= SwarmLayout.MANAGERS; manager++) {
            managers.add(play(PLUGIN, manager, manager));
        }
        Played worker = play(PLUGIN, SwarmLayout.MANAGERS + 1, SwarmLayout.MANAGERS + 1);
        for (int first = SwarmLayout.MANAGERS + 2; first <= nodes; first += NODES_PER_PROCESS) {
            play(CROWD, first, Math.min(nodes, first + NODES_PER_PROCESS - 1));
        }
        Map<String, Object> figures = new LinkedHashMap<>();
        figures.put("nodes", nodes);
        long start = System.nanoTime();
        askAll("start");
        figures.put("allAtOnceSeconds", (latest(askAll("complete " + nodes)) - start) / 1e9);
        System.out.println("cluster: so far " + figures);

        Thread.sleep(SETTLE);
        Played more = play(PLUGIN, nodes + 1, nodes + 1);
        start = System.nanoTime();
        more.ask("start");
        figures.put("oneMoreMillis", (Long.parseLong(more.ask("complete " + (nodes + 1))) - start) / 1e6);
        figures.put("endpointMillis", endpoints(worker));

        List<Played> watched = List.of(worker, managers.getFirst());
        List<long[]> before = figures(watched);
        Thread.sleep(REST);
        List<long[]> after = figures(watched);
        List<String> names = List.of("worker", "manager");
        for (int i = 0; i < names.size(); i++) {
            figures.put(names.get(i) + "MiB", after.get(i)[0] / 1048576.0);
            figures.put(names.get(i) + "CpuPercent", (after.get(i)[1] - before.get(i)[1]) / 1e7 / REST.toSeconds());
        }
        figures.put("rotationMillis", rotation(managers.getFirst()));
        figures.put("managerLostSeconds", managerLost(managers.getLast(), worker));
        return figures;
    }

    private void issueCertificates() throws IOException {
        TestAuthority authority = new TestAuthority(folder, "s1");
        for (int node = 1; node <= nodes + 1; node++) {
            authority.folder("node-" + node, node <= SwarmLayout.MANAGERS ? Role.MANAGER : Role.WORKER);
        }
        Files.writeString(folder.resolve("state.json"), IntStream.rangeClosed(1, SwarmLayout.MANAGERS)
                .mapToObj(manager -> "{\"node_id\":\"node-%d\",\"addr\":\"%s:2377\"}"
                        .formatted(manager, SwarmLayout.address(manager).getHostAddress()))
                .collect(Collectors.joining(",", "[", "]")));
    }

    private Played play(List<String> limits, int first, int last) throws IOException {
        List<String> command = new ArrayList<>(JAVA);
        command.addAll(limits);
        String folders = Stream.of(System.getProperty("java.class.path").split(File.pathSeparator))
                .map(entry -> Path.of(entry).toAbsolutePath().toString()).collect(Collectors.joining(File.pathSeparator));
        command.addAll(List.of("-cp", "vxseal.jar" + File.pathSeparator + folders,
                "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
                SwarmProcess.class.getName(), folder.toString(), String.valueOf(PORT), String.valueOf(first), String.valueOf(last),
                String.valueOf(nodes)));
        Process process = new ProcessBuilder(command).directory(PROGRAM.toFile())
                .redirectError(ProcessBuilder.Redirect.INHERIT).start();
        Played played = new Played(process, process.inputReader());
        all.add(played);
        played.answer();
        return played;
    }

    private List<String> askAll(String words) throws IOException {
        for (Played played : all) {
            played.say(words);
        }
        List<String> answers = new ArrayList<>();
        for (Played played : all) {
            answers.add(played.answer());
        }
        return answers;
    }

    private static long latest(List<String> times) {
        return Collections.max(numbers(times));
    }

    private static List<Long> numbers(List<String> lines) {
        return lines.stream().flatMap(line -> List.of(line.split(" ")).stream())
                .filter(word -> !word.isEmpty()).map(Long::valueOf).toList();
    }

    /** Announces endpoints one by one, and returns when those who need them knew. */
    private Map<String, Double> endpoints(Played teller) throws Exception {
        List<Double> millis = new ArrayList<>();
        for (int i = 0; i < PROBES; i++) {
            int probe = probe(i);
            long sent = Long.parseLong(teller.ask("announce " + probe));
            numbers(askAll("heard " + probe)).forEach(at -> millis.add((at - sent) / 1e6));
            Thread.sleep(200);
        }
        Collections.sort(millis);
        return Map.of("p50", millis.get(millis.size() / 2), "p99", millis.get(millis.size() * 99 / 100));
    }

    /** Returns a probe's number, which has the teller's in its upper bits. */
    private static int probe(int number) {
        return SwarmLayout.MANAGERS + 1 << 8 | number;
    }

    private static List<long[]> figures(List<Played> processes) throws IOException {
        List<long[]> figures = new ArrayList<>();
        for (Played played : processes) {
            List<Long> numbers = numbers(List.of(played.ask("figures")));
            figures.add(new long[] {numbers.get(0), numbers.get(1)});
        }
        return figures;
    }

    /** Returns the milliseconds from the first node with the new ring to the last. */
    private double rotation(Played manager) throws Exception {
        Thread.sleep(RING_AGE);
        long asked = System.nanoTime();
        manager.ask("rotate");
        long end = asked + Duration.ofSeconds(90).toNanos();
        List<Long> times = numbers(askAll("ringAt"));
        while (times.stream().anyMatch(at -> at < asked)) {
            if (System.nanoTime() > end) {
                throw new IOException("not everybody has the new ring");
            }
            Thread.sleep(100);
            times = numbers(askAll("ringAt"));
        }
        return (Collections.max(times) - Collections.min(times)) / 1e6;
    }

    /** Kills a manager, and returns when an endpoint that is announced then is known to all who need it. */
    private double managerLost(Played manager, Played teller) throws Exception {
        all.remove(manager);
        long killed = System.nanoTime();
        manager.process().destroyForcibly().waitFor();
        int probe = probe(PROBES);
        teller.ask("announce " + probe);
        return (latest(askAll("heard " + probe)) - killed) / 1e9;
    }

    @Override
    public void close() throws Exception {
        for (Played played : all) {
            played.process().destroyForcibly();
        }
        for (Played played : all) {
            played.process().waitFor(10, TimeUnit.SECONDS);
        }
        try (var files = Files.walk(folder)) {
            files.sorted(Collections.reverseOrder()).forEach(file -> file.toFile().delete());
        }
    }
}
