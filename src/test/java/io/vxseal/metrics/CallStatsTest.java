package io.vxseal.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CallStatsTest {
    private final CallStats calls = new CallStats();

    @ParameterizedTest
    @CsvSource({"0, 0", "1, 0", "1.001, 1", "8000, 12", "20000, 13", "20001, 14"})
    void putsCallIntoBucketWhoseBoundIsNotBelowIt(double millis, int bucket) {
        calls.add("Join", Duration.ofNanos((long) (millis * 1e6)));
        assertThat(calls.histograms().get("Join").counts())
                .containsExactlyElementsOf(LongStream.range(0, CallStats.BOUNDS.size() + 1)
                        .mapToObj(each -> each == bucket ? 1L : 0L).toList());
    }

    @Test
    void talliesCallsByMethod() {
        calls.add("Join", Duration.ofMillis(10));
        calls.add("Join", Duration.ofMillis(30));
        calls.add("Leave", Duration.ofMillis(1));
        assertThat(calls.tallies()).containsOnlyKeys("Join", "Leave")
                .containsEntry("Join", new CallStats.Tally(2, 20, 30));
        assertThat(calls.histograms().get("Join").seconds()).isEqualTo(0.04);
    }
}
