package io.vxseal.cluster.hub;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;

import io.vxseal.cluster.message.ManualTimer;
import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.message.RecordedChannel;
import io.vxseal.cluster.record.NodeReport;
import io.vxseal.swarm.Role;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class ReportRoundsTest {
    private final ManualTimer timer = new ManualTimer();
    private final ReportRounds rounds = new ReportRounds(timer);
    private final List<HubSession> sessions = new ArrayList<>();
    private final List<HubSession> asked = new ArrayList<>();

    private HubSession session(String node, Role role) {
        HubSession session = new HubSession(new RecordedChannel(node, role, timer), 0);
        sessions.add(session);
        return session;
    }

    private static RecordedChannel channel(HubSession session) {
        return (RecordedChannel) session.channel;
    }

    private void inquire(HubSession session, long inquiry, String... known) {
        rounds.inquire(session, inquiry, sessions, List.of(known), asked::add);
    }

    private static NodeReport report(String node) {
        return new NodeReport(node, Role.MANAGER, "192.0.2.9", "0.1.0", 3, 1, 2, 1, 0, 0, List.of());
    }

    @Test
    void answersOnceAllNodesHaveReported() {
        HubSession manager = session("m1", Role.MANAGER);
        HubSession worker = session("w1", Role.WORKER);
        inquire(manager, 7);
        assertThat(asked).containsExactly(manager, worker);
        rounds.take(manager, Role.MANAGER, new Message.Report(1, report("m1")));
        assertThat(channel(manager).take()).isEmpty();
        rounds.take(worker, Role.WORKER, new Message.Report(1, report("m1")));
        assertThat(channel(manager).take(Message.Reports.class)).singleElement().satisfies(told -> {
            assertThat(told.inquiry()).isEqualTo(7);
            assertThat(told.complete()).isTrue();
            assertThat(told.silent()).isEmpty();
            assertThat(told.reports()).as("under the names in the certificates").extracting(NodeReport::node, NodeReport::role)
                    .containsExactly(tuple("m1", Role.MANAGER),
                            tuple("w1", Role.WORKER));
        });
    }

    @Test
    void namesNodesThatDoNotReportInTime() {
        HubSession manager = session("m1", Role.MANAGER);
        session("w1", Role.WORKER);
        inquire(manager, 7, "m1", "w2");
        rounds.take(manager, Role.MANAGER, new Message.Report(1, report("m1")));
        timer.pass(ReportRounds.PATIENCE.minusMillis(1));
        assertThat(channel(manager).take()).isEmpty();
        timer.pass(Duration.ofMillis(1));
        assertThat(channel(manager).take(Message.Reports.class).getFirst().silent()).containsExactly("w1", "w2");
    }

    @Test
    void asksNodesOnceHoweverManyInquire() {
        HubSession manager = session("m1", Role.MANAGER);
        HubSession worker = session("w1", Role.WORKER);
        inquire(manager, 1);
        inquire(worker, 9);
        assertThat(asked).hasSize(2);
        for (HubSession each : sessions) {
            rounds.take(each, Role.WORKER, new Message.Report(1, report("")));
        }
        inquire(worker, 10);
        assertThat(channel(worker).take(Message.Reports.class)).extracting(Message.Reports::inquiry).containsExactly(9L, 10L);
        assertThat(asked).as("while the reports are fresh").hasSize(2);
        timer.pass(ReportRounds.FRESH);
        inquire(worker, 11);
        assertThat(asked).hasSize(4);
    }

    @Test
    void answersOneNodeFewTimesFromOneRound() {
        HubSession worker = session("w1", Role.WORKER);
        inquire(worker, 0);
        rounds.take(worker, Role.WORKER, new Message.Report(1, report("")));
        for (int inquiry = 1; inquiry < 100; inquiry++) {
            inquire(worker, inquiry);
        }
        assertThat(channel(worker).take(Message.Reports.class)).hasSize(5);
        timer.pass(ReportRounds.FRESH);
        inquire(worker, 100);
        assertThat(asked).hasSize(2);
    }

    @Test
    void ignoresReportsNobodyAskedFor() {
        HubSession manager = session("m1", Role.MANAGER);
        HubSession worker = session("w1", Role.WORKER);
        rounds.take(worker, Role.WORKER, new Message.Report(1, report("w1")));
        inquire(manager, 1);
        rounds.take(worker, Role.WORKER, new Message.Report(2, report("w1")));
        timer.pass(ReportRounds.PATIENCE);
        assertThat(channel(manager).take(Message.Reports.class).getFirst().reports()).isEmpty();
    }

    @Test
    void sendsAsFastAsTheInquirerReads() {
        HubSession manager = session("m1", Role.MANAGER);
        IntStream.range(0, 100).forEach(n -> session("w%02d".formatted(n), Role.WORKER));
        channel(manager).room = 1;
        inquire(manager, 1);
        sessions.forEach(each -> rounds.take(each, Role.WORKER, new Message.Report(1, report(""))));
        assertThat(channel(manager).take()).hasSize(1);
        channel(manager).room = 100;
        rounds.drained(manager);
        List<Message.Reports> rest = channel(manager).take(Message.Reports.class);
        assertThat(rest).hasSize(4).last().matches(Message.Reports::complete);
        assertThat(rest.stream().mapToInt(told -> told.reports().size()).sum()).isEqualTo(101 - Message.Reports.MOST);
        rounds.forget(manager);
        rounds.drained(manager);
        assertThat(channel(manager).take()).isEmpty();
    }
}
