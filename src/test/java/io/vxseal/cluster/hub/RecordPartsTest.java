package io.vxseal.cluster.hub;

import static io.vxseal.cluster.record.TestRecords.endpoint;
import static io.vxseal.cluster.record.TestRecords.worker;
import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.cluster.record.NetworkRecord;
import io.vxseal.cluster.record.NodeRecord;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class RecordPartsTest {
    private static final int NETWORKS = 1000;

    private final RecordParts parts = new RecordParts();
    private final NodeRecord record = worker("w1", 1, 3).with(IntStream.range(0, NETWORKS)
            .mapToObj(n -> new NetworkRecord("net" + n, List.of(), List.of(endpoint("ep" + n, 7)))).toList());

    /** Returns all networks but one. */
    private static Set<String> without(int one) {
        return IntStream.range(0, NETWORKS).filter(n -> n != one).mapToObj(n -> "net" + n).collect(Collectors.toSet());
    }

    @Test
    void partOfTheSameNetworksIsOneObject() {
        NodeRecord part = parts.of(record, Set.of("net1", "net2"));
        assertThat(part.networks()).extracting(NetworkRecord::id).containsExactly("net1", "net2");
        assertThat(parts.of(record, Set.of("net2", "net1"))).isSameAs(part);
        assertThat(parts.of(record, Set.of("net2"))).isNotSameAs(part);
    }

    @Test
    void keepsNoMorePartsThanTheirNetworksAllow() {
        NodeRecord first = parts.of(record, without(0));
        int fit = RecordParts.MOST_NETWORKS / NETWORKS;
        IntStream.range(1, fit).forEach(n -> parts.of(record, without(n)));
        assertThat(parts.of(record, without(0))).isSameAs(first);
        parts.of(record, without(fit));
        assertThat(parts.of(record, without(0))).isEqualTo(first).isNotSameAs(first);
    }
}
