package io.vxseal.cluster.node;

import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.record.NodeReport;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;

/**
 * This node's report, for hubs that ask, and its question to a hub for the reports of all nodes.
 *
 * <p>One thread.
 */
public final class SwarmInquiry {
    /** Most nodes whose reports are taken from a hub. */
    private static final int MOST_NODES = 10_000;

    private Optional<NodeReport> own = Optional.empty();
    private long inquiry;
    private Optional<Question> pending = Optional.empty();

    /** The answer to a question. */
    public record Answer(List<NodeReport> reports, List<String> silent) {}

    /** A question that a hub is yet to answer. */
    private record Question(
            String hub, List<CompletableFuture<Answer>> inquirers, List<NodeReport> reports, Set<String> silent) {}

    /** Sets this node's report from now on. */
    void report(NodeReport now) {
        own = Optional.of(now);
    }

    void answer(Uplink up, long round) {
        up.send(Message.Report.class, () -> own.map(report -> new Message.Report(round, report)));
    }

    /**
     * Asks one of these hubs, this node's own if it has one; fails if there is none. A question that is pending is not asked again.
     *
     * @return the number of the question, for {@link #expire}
     */
    long ask(Collection<Uplink> hubs, CompletableFuture<Answer> inquirer) {
        if (pending.isPresent()) {
            pending.get().inquirers.add(inquirer);
            return inquiry;
        }
        Optional<Uplink> hub = hubs.stream().filter(up -> up.welcomed)
                .min((one, other) -> Boolean.compare(one.address.isPresent(), other.address.isPresent()));
        if (hub.isEmpty()) {
            inquirer.completeExceptionally(new IllegalStateException("this node reaches no manager's plugin"));
            return inquiry;
        }
        long asked = ++inquiry;
        pending = Optional.of(new Question(
                hub.get().hub(), new ArrayList<>(List.of(inquirer)), new ArrayList<>(), new TreeSet<>()));
        hub.get().send(Message.Inquiry.class, () -> Optional.of(new Message.Inquiry(asked)));
        return asked;
    }

    void take(String hub, Message.Reports received) {
        if (pending.isEmpty() || received.inquiry() != inquiry || !pending.get().hub.equals(hub)) {
            return;
        }
        Question question = pending.get();
        question.reports.addAll(received.reports());
        question.silent.addAll(received.silent());
        if (received.complete() || question.reports.size() + question.silent.size() > MOST_NODES) {
            pending = Optional.empty();
            Answer answer = new Answer(List.copyOf(question.reports), List.copyOf(question.silent));
            question.inquirers.forEach(inquirer -> inquirer.complete(answer));
        }
    }

    /** Fails the question to a hub whose session ended. */
    void lost(String hub) {
        if (pending.filter(question -> question.hub.equals(hub)).isPresent()) {
            fail("the session with the manager's plugin ended");
        }
    }

    /** Fails a question that is not answered in time. */
    void expire(long number) {
        if (pending.isPresent() && inquiry == number) {
            fail("the manager's plugin did not answer in time: is it of an earlier version?");
        }
    }

    private void fail(String why) {
        List<CompletableFuture<Answer>> inquirers = pending.orElseThrow().inquirers;
        pending = Optional.empty();
        inquirers.forEach(inquirer -> inquirer.completeExceptionally(new IllegalStateException(why)));
    }
}
