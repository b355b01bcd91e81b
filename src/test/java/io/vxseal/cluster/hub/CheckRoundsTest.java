package io.vxseal.cluster.hub;

import static org.assertj.core.api.Assertions.assertThat;

import io.vxseal.cluster.message.ManualTimer;
import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.message.RecordedChannel;
import io.vxseal.cluster.record.PathMatrix;
import io.vxseal.cluster.record.PathReport;
import io.vxseal.cluster.record.PathReport.State;
import io.vxseal.swarm.Role;
import java.net.InetAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

class CheckRoundsTest {
    private final ManualTimer timer = new ManualTimer();
    private final CheckRounds rounds = new CheckRounds(timer);
    private final List<HubSession> sessions = new ArrayList<>();
    private final List<HubSession> asked = new ArrayList<>();
    private final Map<String, InetAddress> known = new LinkedHashMap<>();

    private HubSession session(String node, int number) {
        HubSession session = new HubSession(new RecordedChannel(node, Role.WORKER, timer), 0);
        sessions.add(session);
        known.put(node, InetAddress.ofLiteral("192.0.2." + number));
        return session;
    }

    private CompletableFuture<PathMatrix> inquire() {
        CompletableFuture<PathMatrix> inquirer = new CompletableFuture<>();
        rounds.inquire(inquirer, sessions, known, asked::add);
        return inquirer;
    }

    private static Message.CheckResult result(long round, Map<Integer, State> states, PathReport.Finding... findings) {
        return new Message.CheckResult(round, new PathReport(
                states.entrySet().stream().map(each -> new PathReport.Path("192.0.2." + each.getKey(), each.getValue())).toList(),
                List.of(findings)));
    }

    @Test
    void drawsEachNodesOwnRow() throws Exception {
        HubSession a = session("a", 1);
        HubSession b = session("b", 2);
        HubSession c = session("c", 3);
        CompletableFuture<PathMatrix> matrix = inquire();
        assertThat(asked).containsExactly(a, b, c);
        rounds.take(a, result(1, Map.of(2, State.PASSES, 3, State.FAILS),
                new PathReport.Finding("192.0.2.3", "nothing passes", "open ESP"), new PathReport.Finding("192.0.2.77", "elsewhere", "")));
        rounds.take(b, result(1, Map.of(3, State.UNTRIED, 77, State.FAILS)));
        assertThat(matrix).isNotDone();
        rounds.take(c, result(1, Map.of(3, State.FAILS, 1, State.PASSES, 2, State.PASSES)));
        assertThat(matrix.get().rows()).containsExactly(
                new PathMatrix.Row("a", "192.0.2.1", "-+X", List.of(new PathMatrix.Finding("c", "nothing passes", "open ESP"))),
                new PathMatrix.Row("b", "192.0.2.2", ".-?", List.of()),
                new PathMatrix.Row("c", "192.0.2.3", "++-", List.of()));
    }

    @Test
    void leavesRowOfSilentNodeEmpty() throws Exception {
        HubSession a = session("a", 1);
        session("b", 2);
        known.put("down", InetAddress.ofLiteral("192.0.2.3"));
        CompletableFuture<PathMatrix> matrix = inquire();
        rounds.take(a, result(1, Map.of()));
        timer.pass(CheckRounds.PATIENCE.minusMillis(1));
        assertThat(matrix).isNotDone();
        timer.pass(Duration.ofMillis(1));
        assertThat(matrix.get().rows()).extracting(PathMatrix.Row::signs).containsExactly("-..", "", "");
    }

    @Test
    void doesNotWaitForSessionThatEnded() {
        HubSession a = session("a", 1);
        HubSession b = session("b", 2);
        CompletableFuture<PathMatrix> matrix = inquire();
        rounds.take(a, result(1, Map.of()));
        rounds.forget(b);
        assertThat(matrix).isDone();
    }

    @Test
    void takesOneReportPerNodeAndRound() throws Exception {
        HubSession a = session("a", 1);
        session("b", 2);
        rounds.take(a, result(1, Map.of(2, State.FAILS)));
        CompletableFuture<PathMatrix> matrix = inquire();
        rounds.take(a, result(0, Map.of(2, State.FAILS)));
        rounds.take(a, result(1, Map.of(2, State.PASSES)));
        rounds.take(a, result(1, Map.of(2, State.FAILS)));
        timer.pass(CheckRounds.PATIENCE);
        assertThat(matrix.get().rows().getFirst().signs()).isEqualTo("-+");
    }

    @Test
    void asksNodesOnceWhileRoundIsUnderWay() {
        HubSession a = session("a", 1);
        CompletableFuture<PathMatrix> one = inquire();
        CompletableFuture<PathMatrix> other = inquire();
        assertThat(asked).hasSize(1);
        rounds.take(a, result(1, Map.of()));
        assertThat(one).isDone();
        assertThat(other).isDone();
        CompletableFuture<PathMatrix> _ = inquire();
        assertThat(asked).as("a later question gets later answers").hasSize(2);
    }
}
