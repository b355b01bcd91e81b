package io.vxseal.metrics;

import io.prometheus.metrics.model.snapshots.CounterSnapshot;
import io.prometheus.metrics.model.snapshots.CounterSnapshot.CounterDataPointSnapshot;
import io.prometheus.metrics.model.snapshots.GaugeSnapshot;
import io.prometheus.metrics.model.snapshots.GaugeSnapshot.GaugeDataPointSnapshot;
import io.prometheus.metrics.model.snapshots.InfoSnapshot;
import io.prometheus.metrics.model.snapshots.InfoSnapshot.InfoDataPointSnapshot;
import io.prometheus.metrics.model.snapshots.Labels;
import io.prometheus.metrics.model.snapshots.MetricSnapshot;
import java.util.Map;
import java.util.function.ToDoubleFunction;

/** Metric families of one kind of value, with one label at most. */
final class Family {
    private Family() {}

    static MetricSnapshot gauge(String name, String help, double value) {
        return GaugeSnapshot.builder().name(name).help(help)
                .dataPoint(GaugeDataPointSnapshot.builder().value(value).build())
                .build();
    }

    /** Returns a gauge with a value for each value of a label. */
    static <V> MetricSnapshot gauges(String name, String help, String label, Map<String, V> values, ToDoubleFunction<V> read) {
        GaugeSnapshot.Builder family = GaugeSnapshot.builder().name(name).help(help);
        values.forEach((each, value) -> family.dataPoint(GaugeDataPointSnapshot.builder()
                .labels(Labels.of(label, each))
                .value(read.applyAsDouble(value))
                .build()));
        return family.build();
    }

    /** @param name without {@code _total} */
    static MetricSnapshot counter(String name, String help, double value) {
        return CounterSnapshot.builder().name(name).help(help)
                .dataPoint(CounterDataPointSnapshot.builder().value(value).build())
                .build();
    }

    /**
     * Returns a counter with a value for each value of a label.
     *
     * @param name without {@code _total}
     */
    static <V> MetricSnapshot counters(String name, String help, String label, Map<String, V> values, ToDoubleFunction<V> read) {
        CounterSnapshot.Builder family = CounterSnapshot.builder().name(name).help(help);
        values.forEach((each, value) -> family.dataPoint(CounterDataPointSnapshot.builder()
                .labels(Labels.of(label, each))
                .value(read.applyAsDouble(value))
                .build()));
        return family.build();
    }

    /**
     * Returns a value of 1 with labels.
     *
     * @param name without {@code _info}
     * @param labels names and values by turns
     */
    static MetricSnapshot info(String name, String help, String... labels) {
        return InfoSnapshot.builder().name(name).help(help)
                .dataPoint(InfoDataPointSnapshot.builder().labels(Labels.of(labels)).build())
                .build();
    }
}
