package io.vxseal.metrics;

import io.prometheus.metrics.model.snapshots.MetricSnapshot;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Metrics of this process, under the names that Prometheus' client libraries give them. */
final class ProcessMetrics {
    private static final Path STATUS = Path.of("/proc/self/status");
    private static final String RESIDENT = "VmRSS:";

    private ProcessMetrics() {}

    static List<MetricSnapshot> now() {
        List<MetricSnapshot> metrics = new ArrayList<>();
        ProcessHandle.Info process = ProcessHandle.current().info();
        process.totalCpuDuration().ifPresent(time -> metrics.add(
                Family.counter("process_cpu_seconds", "Processor time of the process.", time.toMillis() / 1e3)));
        process.startInstant().ifPresent(start -> metrics.add(Family.gauge(
                "process_start_time_seconds", "Start of the process, in seconds since 1970.", start.toEpochMilli() / 1e3)));
        residentBytes().ifPresent(bytes -> metrics.add(
                Family.gauge("process_resident_memory_bytes", "Resident memory of the process.", bytes)));
        Runtime runtime = Runtime.getRuntime();
        metrics.add(Family.gauge("vxseal_heap_used_bytes", "Used part of the heap.", (double) (runtime.totalMemory() - runtime.freeMemory())));
        metrics.add(Family.gauge("vxseal_heap_max_bytes", "Limit of the heap, at which the process ends.", (double) runtime.maxMemory()));
        return metrics;
    }

    private static Optional<Long> residentBytes() {
        try {
            return Files.readAllLines(STATUS).stream()
                    .filter(line -> line.startsWith(RESIDENT))
                    .map(line -> Long.parseLong(line.substring(RESIDENT.length()).replaceAll("\\D", "")) << 10)
                    .findFirst();
        } catch (IOException hidden) {
            return Optional.empty();
        }
    }
}
