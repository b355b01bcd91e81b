package io.vxseal.cluster.node;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.cluster.record.NodeRecord;
import java.time.Instant;
import java.util.HashSet;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

class OwnRecordTest {
    private static OwnRecord started(int seed) {
        return OwnRecord.ofNewProcess(Instant.ofEpochSecond(1_000_000), new Random(seed));
    }

    /** Seed 66846: two processes had one incarnation, and of both the record with the higher revision counted. */
    @Test
    void processesThatOutdoTheSameRecordHaveDifferentIncarnations() {
        long known = started(1).incarnation() + (1L << 40);
        Set<Long> incarnations = new HashSet<>();
        for (int process = 0; process < 100; process++) {
            OwnRecord record = started(process);
            assertThat(record.outdo(known)).isTrue();
            assertThat(record.incarnation()).isGreaterThan(known);
            incarnations.add(record.incarnation());
        }
        assertThat(incarnations).hasSizeGreaterThan(95);
    }

    @Test
    void incarnationStaysWithinWhatIsTaken() {
        OwnRecord record = started(1);
        assertThat(record.outdo(NodeRecord.GREATEST - 1)).isFalse();
        assertThat(record.outdo(NodeRecord.GREATEST - (1 << 16))).isTrue();
        assertThat(record.incarnation()).isLessThanOrEqualTo(NodeRecord.GREATEST);
    }
}
