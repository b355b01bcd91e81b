package io.vxseal.metrics;

import io.prometheus.metrics.expositionformats.PrometheusTextFormatWriter;
import io.prometheus.metrics.model.snapshots.ClassicHistogramBuckets;
import io.prometheus.metrics.model.snapshots.HistogramSnapshot;
import io.prometheus.metrics.model.snapshots.HistogramSnapshot.HistogramDataPointSnapshot;
import io.prometheus.metrics.model.snapshots.Labels;
import io.prometheus.metrics.model.snapshots.MetricSnapshot;
import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.DoubleStream;

/**
 * The state of this node in Prometheus' text format. Nothing but a scrape loads this class and the library under it, so a plugin that
 * nobody scrapes starts as fast, and takes as much memory, as without them.
 */
public final class Exposition {
    /** Media type of the text format. */
    public static final String CONTENT_TYPE = PrometheusTextFormatWriter.CONTENT_TYPE;

    private Exposition() {}

    /** Returns a sample as text. */
    public static byte[] print(Sample sample) {
        List<MetricSnapshot> metrics = new ArrayList<>();
        metrics.addAll(NodeMetrics.of(sample));
        metrics.addAll(ClusterMetrics.of(sample));
        metrics.add(calls(sample.calls()));
        metrics.addAll(ProcessMetrics.now());
        ByteArrayOutputStream text = new ByteArrayOutputStream();
        try {
            PrometheusTextFormatWriter.create().write(text, MetricSnapshots.of(metrics.toArray(new MetricSnapshot[0])));
        } catch (IOException impossible) {
            throw new UncheckedIOException(impossible);
        }
        return text.toByteArray();
    }

    private static MetricSnapshot calls(CallStats calls) {
        double[] bounds = DoubleStream.concat(
                CallStats.BOUNDS.stream().mapToDouble(Double::doubleValue), DoubleStream.of(Double.POSITIVE_INFINITY)).toArray();
        HistogramSnapshot.Builder family = HistogramSnapshot.builder()
                .name("vxseal_call_duration_seconds")
                .help("Calls of the engine, from the first octet of the request to the reply.");
        calls.histograms().forEach((method, histogram) -> family.dataPoint(HistogramDataPointSnapshot.builder()
                .labels(Labels.of("method", method))
                .classicHistogramBuckets(ClassicHistogramBuckets.of(
                        bounds, histogram.counts().stream().mapToLong(Long::longValue).toArray()))
                .sum(histogram.seconds())
                .build()));
        return family.build();
    }
}
