package io.vxseal.cluster.hub;

import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.message.Timer;
import io.vxseal.cluster.record.NetworkRecord;
import io.vxseal.cluster.record.NodeRecord;
import io.vxseal.cluster.refusal.RefusedException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * Recall of what a hub's own node announced before: after both started again the hub has no record of it, so it asks the other nodes.
 *
 * <p>Pure, one thread.
 */
final class OwnRecall {
    /** Time from the first answer that names endpoints to the end: nodes that lost their session dial again within this time. */
    static final Duration GATHER = Duration.ofSeconds(5);
    /** Longest time, shorter than what the node waits. */
    static final Duration LONGEST = Duration.ofSeconds(9);

    private final String self;
    private final Timer timer;
    private final Records records;
    private final HubSessions sessions;
    private final Consumer<HubSession> touch;
    private Optional<RecallAnswers> answers = Optional.empty();

    /** @param touch has a session looked at, to which something has to be sent */
    OwnRecall(String self, Timer timer, Records records, HubSessions sessions, Consumer<HubSession> touch) {
        this.self = self;
        this.timer = timer;
        this.records = records;
        this.sessions = sessions;
        this.touch = touch;
    }

    /** Answers a node what it announced before; this hub's own node, if the hub does not know, once other nodes have answered. */
    void request(HubSession session) {
        Optional<NodeRecord> known = records.chosen(session.node());
        if (known.isEmpty() && session.node().equals(self)) {
            begin();
            sessions.all().stream().filter(other -> other != session && other.greeted)
                    .forEach(other -> answer(other, new Message.RecallRequest()));
        } else {
            session.answer(new Message.RecallReply(known.map(NodeRecord::networks).orElse(List.of())));
        }
    }

    private void answer(HubSession session, Message message) {
        session.answer(message);
        touch.accept(session);
    }

    private void begin() {
        RecallAnswers gathering = new RecallAnswers();
        answers = Optional.of(gathering);
        endAfter(LONGEST, gathering);
    }

    /** Returns whether a node is to be asked: one that answered already is not asked again when it is back. */
    boolean asks(String node) {
        return answers.filter(gathering -> !gathering.hasAnswered(node)).isPresent();
    }

    /** Takes a node's answer; one that comes late is dropped. */
    void take(String node, List<NetworkRecord> networks) throws RefusedException {
        if (answers.isPresent()) {
            RecallAnswers gathering = answers.get();
            boolean first = gathering.isEmpty();
            gathering.add(node, networks);
            if (first && !gathering.isEmpty()) {
                endAfter(GATHER, gathering);
            }
        }
    }

    private void endAfter(Duration time, RecallAnswers gathering) {
        timer.after(time, () -> {
            if (answers.filter(now -> now == gathering).isPresent()) {
                answers = Optional.empty();
                if (!gathering.isEmpty()) {
                    sessions.of(self).ifPresent(own -> answer(own, new Message.RecallReply(gathering.networks())));
                }
            }
        });
    }
}
