package io.vxseal.cluster.refusal;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.StandardError;
import java.util.Map;
import org.junit.jupiter.api.Test;

class RefusalsTest {
    private final Refusals refusals = new Refusals();

    private void refuse(String source) {
        refusals.refused(Refusal.HANDSHAKE, source, "nonsense");
    }

    @Test
    void floodFromManyAddressesDoesNotHideWhatNodesDo() throws Exception {
        try (StandardError log = new StandardError()) {
            for (int i = 0; i < 1000; i++) {
                refuse("192.0.2.%d".formatted(i % 256));
                refuse("2001:db8:0:%x::1".formatted(i));
            }
            refuse("hostilenode");
            assertThat(log.said().lines().filter(line -> line.contains("refused from"))).hasSize(21).last().asString()
                    .contains("refused from hostilenode");
        }
        assertThat(refusals.counts()).isEqualTo(Map.of(Refusal.HANDSHAKE, 2001L));
    }

    @Test
    void detailCannotForgeLinesOfLog() throws Exception {
        try (StandardError log = new StandardError()) {
            refusals.refused(Refusal.MALFORMED, "w1", "not a role: \nWARN refused from m1: forged\u001b[2J" + "x".repeat(10_000));
            assertThat(log.said().lines()).hasSize(1);
            assertThat(log.said()).contains("not a role: WARN refused").doesNotContain("\u001b").hasSizeLessThan(600);
        }
    }

    @Test
    void oneIpv6NetworkIsOneSource() throws Exception {
        try (StandardError log = new StandardError()) {
            for (int i = 0; i < 1000; i++) {
                refuse("2001:db8::%x".formatted(i + 1));
                refuse("hostilenode");
            }
            refuse("2001:db8:1::1");
            refuse("othernode");
            assertThat(log.said().lines().filter(line -> line.contains("refused from"))).hasSize(4);
        }
    }
}
