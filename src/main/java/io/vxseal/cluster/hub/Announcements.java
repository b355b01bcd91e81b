package io.vxseal.cluster.hub;

import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.message.Timer;
import io.vxseal.cluster.record.NodeRecord;
import io.vxseal.cluster.record.RefusedClaim;
import io.vxseal.cluster.refusal.Refusal;
import io.vxseal.cluster.refusal.RefusalListener;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;

/**
 * Records that sessions announce: takes each at its node's rate, and answers it with the claims that have no effect.
 *
 * <p>Pure, one thread.
 */
final class Announcements {
    private final Timer timer;
    private final RefusalListener refusals;
    private final Claims claims;
    private final Records records;
    private final HubSessions sessions;
    private final RecordRates rates = new RecordRates(1);
    private final ReportedClaims reported = new ReportedClaims();

    Announcements(Timer timer, RefusalListener refusals, Claims claims, Records records, HubSessions sessions) {
        this.timer = timer;
        this.refusals = refusals;
        this.claims = claims;
        this.records = records;
        this.sessions = sessions;
    }

    /**
     * Takes what a session announced, or holds it back: until its turn has come, newer records may replace it.
     *
     * @param whenDue called when it is the turn of a record that was held back
     * @return the nodes whose record changed; empty if nothing was taken
     */
    Optional<Set<String>> takeDue(HubSession session, Consumer<HubSession> whenDue) {
        if (session.announced.isEmpty() || session.isHeldBack) {
            return Optional.empty();
        }
        Duration wait = rates.untilNext(session.node(), timer.nanoTime());
        if (wait.isZero()) {
            return take(session);
        }
        session.isHeldBack = true;
        refusals.refused(Refusal.RECORD_RATE, session.node(), "held back for %d ms".formatted(wait.toMillis()));
        timer.after(wait, () -> {
            session.isHeldBack = false;
            sessions.over(session.channel).ifPresent(whenDue);
        });
        return Optional.empty();
    }

    /**
     * Takes what a session announced before it ended, if its node's rate allows.
     *
     * @return the nodes whose record changed; empty if nothing was taken
     */
    Optional<Set<String>> takeLast(HubSession session) {
        return rates.mayBeLast(session.node(), timer.nanoTime()) ? take(session) : Optional.empty();
    }

    private Optional<Set<String>> take(HubSession session) {
        Optional<NodeRecord> taken = session.announced;
        session.announced = Optional.empty();
        return taken.map(record -> {
            session.acknowledging = true;
            rates.count(session.node(), record.octets(), timer.nanoTime());
            return records.announce(record, sessions.role(session), timer.wallTime().toEpochMilli());
        });
    }

    /**
     * Takes a good-bye, which outdoes what the session announced.
     *
     * @return the nodes whose record changed
     */
    Set<String> goodbye(HubSession session, long incarnation, long revision) {
        session.announced = Optional.empty();
        rates.count(session.node(), 0, timer.nanoTime());
        return records.goodbye(session.node(), incarnation, revision, timer.nanoTime());
    }

    /** Has a node sent which of its claims have no effect, if those are others than before. */
    void report(String node) {
        reported.replace(node, refused(node)).ifPresent(added -> sessions.of(node).ifPresent(session -> {
            session.acknowledging = true;
            sessions.touch(session);
            added.forEach(claim -> refusals.refused(claim.reason().refusal(), node,
                    "endpoint %s in network %s".formatted(claim.endpoint(), claim.network())));
        }));
    }

    private List<RefusedClaim> refused(String node) {
        return claims.judged(node).map(Claims.Judged::refused).orElse(List.of());
    }

    /** Returns the answer to what a session announced last; empty if nothing. */
    Optional<Message> acknowledgement(HubSession session) {
        return records.direct(session.node()).filter(record -> !record.ended()).map(record -> {
            List<RefusedClaim> refused = refused(session.node());
            return new Message.Acknowledge(record.incarnation(), record.revision(),
                    refused.subList(0, Math.min(refused.size(), Message.Acknowledge.MOST_REFUSED)));
        });
    }

    /** Forgets the rates of nodes that are quiet; to be called each second. */
    void forgetIdle() {
        rates.forgetIdle(timer.nanoTime());
    }
}
