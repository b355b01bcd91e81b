package io.vxseal.cluster.hub;

import static io.vxseal.cluster.record.TestRecords.NET;
import static io.vxseal.cluster.record.TestRecords.endpoint;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vxseal.cluster.record.EndpointRecord;
import io.vxseal.cluster.record.NetworkRecord;
import io.vxseal.cluster.record.NodeRecord;
import io.vxseal.cluster.refusal.RefusedException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class RecallAnswersTest {
    private final RecallAnswers answers = new RecallAnswers();

    private static List<NetworkRecord> net(List<EndpointRecord> endpoints) {
        return List.of(new NetworkRecord(NET, List.of(), endpoints));
    }

    private static List<NetworkRecord> net(EndpointRecord... endpoints) {
        return net(List.of(endpoints));
    }

    private List<EndpointRecord> named() {
        return answers.networks().stream().flatMap(network -> network.endpoints().stream()).toList();
    }

    @Test
    void claimThatMoreNodesNameComesFirst() throws RefusedException {
        answers.add("hostile", net(endpoint("a", 66)));
        answers.add("w1", net(endpoint("a", 7).admitted(5)));
        answers.add("w2", net(endpoint("a", 7).admitted(9)));
        assertThat(named()).containsExactly(endpoint("a", 7).admitted(0), endpoint("a", 66).admitted(0));
    }

    @Test
    void claimNamedTwiceInOneAnswerCountsOnce() throws RefusedException {
        answers.add("hostile", net(Collections.nCopies(5, endpoint("a", 66))));
        answers.add("w1", net(endpoint("a", 7)));
        answers.add("w2", net(endpoint("a", 7)));
        assertThat(named()).first().isEqualTo(endpoint("a", 7).admitted(0));
    }

    @Test
    void refusesSecondAnswerOfNode() throws RefusedException {
        answers.add("w1", List.of());
        assertThatThrownBy(() -> answers.add("w1", net(endpoint("a", 7)))).isInstanceOf(RefusedException.class);
        assertThat(answers.isEmpty()).isTrue();
    }

    @Test
    void refusesMoreEndpointsThanOneNodeHas() {
        List<EndpointRecord> many = new ArrayList<>(lies("hostile"));
        many.add(endpoint("a", 7));
        assertThatThrownBy(() -> answers.add("hostile", net(many))).isInstanceOf(RefusedException.class);
        assertThat(answers.isEmpty()).isTrue();
    }

    /** As many as one node may name. */
    private static List<EndpointRecord> lies(String node) {
        return IntStream.range(0, NodeRecord.MOST_ENDPOINTS).mapToObj(n -> endpoint(node + "-" + n, n % 250)).toList();
    }

    @Test
    void hostileNodesTakeNoRoomFromHonestOnes() throws RefusedException {
        for (int n = 0; n < 50; n++) {
            answers.add("hostile" + n, net(lies("hostile" + n)));
        }
        answers.add("w1", net(endpoint("a", 7), endpoint("b", 8)));
        answers.add("w2", net(endpoint("a", 7)));
        for (int n = 50; n < 100; n++) {
            answers.add("hostile" + n, net(lies("hostile" + n)));
        }
        assertThat(named()).hasSize(RecallAnswers.MOST_CLAIMS).contains(endpoint("b", 8).admitted(0))
                .first().isEqualTo(endpoint("a", 7).admitted(0));
    }
}
