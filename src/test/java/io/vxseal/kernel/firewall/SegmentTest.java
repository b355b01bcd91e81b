package io.vxseal.kernel.firewall;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Tests of the limits and the order of segments. */
class SegmentTest {
    @ParameterizedTest
    @CsvSource({"0, 1, port 0", "65536, 1, port 65536", "4789, -1, VNI -1", "4789, 16777216, VNI 16777216"})
    void rejectsPortAndVniOutOfRange(int port, int vni, String named) {
        assertThatThrownBy(() -> new Segment(port, vni))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(named);
    }

    @Test
    void sortsByPortThenVni() {
        assertThat(new TreeSet<>(List.of(new Segment(4790, 1), new Segment(4789, 2), new Segment(4789, 1))))
                .containsExactly(new Segment(4789, 1), new Segment(4789, 2), new Segment(4790, 1))
                .first().hasToString("VNI 1 on port 4789");
    }
}
