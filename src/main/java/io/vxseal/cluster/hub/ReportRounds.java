package io.vxseal.cluster.hub;

import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.message.Timer;
import io.vxseal.cluster.record.NodeReport;
import io.vxseal.swarm.Role;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Consumer;

/**
 * Rounds in which a hub asks all nodes for their reports, because some node inquires. However many inquire, one round is under way at
 * most, and its reports answer all that inquire within a moment after it.
 *
 * <p>Pure, one thread.
 */
final class ReportRounds {
    /** Time that nodes have to answer. */
    static final Duration PATIENCE = Duration.ofSeconds(3);

    /** Time for which the reports of a round answer further inquiries. */
    static final Duration FRESH = Duration.ofSeconds(3);

    /** Answers to one session from one round: each takes as much time as the swarm has nodes. */
    private static final int MOST_ANSWERS = 5;

    private final Timer timer;

    /** Sessions that inquired, with the number of the inquiry, and are not answered yet. */
    private final Map<HubSession, Long> inquiries = new LinkedHashMap<>();

    /** Answers that did not find room in the session's queue. */
    private final Map<HubSession, Deque<Message.Reports>> unsent = new LinkedHashMap<>();

    /** How often sessions were answered from this round. */
    private final Map<HubSession, Integer> answered = new HashMap<>();

    private long round;
    private boolean running;

    /** Set while the reports of the last round may answer further inquiries. */
    private boolean fresh;

    private Set<String> silent = new TreeSet<>();
    private final Map<String, NodeReport> reports = new TreeMap<>();

    ReportRounds(Timer timer) {
        this.timer = timer;
    }

    /**
     * Takes an inquiry.
     *
     * @param all sessions of nodes
     * @param known nodes of which this hub has records, with a session or without
     * @param touch makes a session's answers be sent
     */
    void inquire(HubSession session, long inquiry, Collection<HubSession> all, Collection<String> known, Consumer<HubSession> touch) {
        if (fresh && answered.getOrDefault(session, 0) >= MOST_ANSWERS) {
            return;
        }
        inquiries.put(session, inquiry);
        if (running) {
            return;
        }
        if (fresh) {
            answer();
            return;
        }
        running = true;
        round++;
        reports.clear();
        answered.clear();
        silent = new TreeSet<>(known);
        for (HubSession each : all) {
            silent.add(each.node());
            each.answer(new Message.ReportRequest(round));
            touch.accept(each);
        }
        long begun = round;
        timer.after(PATIENCE, () -> {
            if (running && round == begun) {
                end();
            }
        });
    }

    /** Takes a node's report, of this round only and once. */
    void take(HubSession session, Role role, Message.Report answer) {
        if (running && answer.round() == round && silent.remove(session.node())) {
            reports.put(session.node(), answer.report().by(session.node(), role));
            if (silent.isEmpty()) {
                end();
            }
        }
    }

    private void end() {
        running = false;
        fresh = true;
        answer();
        timer.after(FRESH, () -> {
            fresh = false;
            reports.clear();
        });
    }

    private void answer() {
        inquiries.forEach((session, inquiry) -> {
            unsent.put(session, messages(inquiry));
            answered.merge(session, 1, Integer::sum);
        });
        List<HubSession> inquirers = List.copyOf(inquiries.keySet());
        inquiries.clear();
        inquirers.forEach(this::drained);
    }

    private Deque<Message.Reports> messages(long inquiry) {
        Deque<Message.Reports> messages = new ArrayDeque<>();
        List<NodeReport> given = new ArrayList<>(reports.values());
        List<String> missing = new ArrayList<>(silent);
        int most = Message.Reports.MOST;
        int pages = Math.max(1, (Math.max(given.size(), missing.size()) + most - 1) / most);
        for (int page = 0; page < pages; page++) {
            messages.add(new Message.Reports(inquiry, page(given, page), page(missing, page), page == pages - 1));
        }
        return messages;
    }

    private static <T> List<T> page(List<T> all, int page) {
        int most = Message.Reports.MOST;
        return all.subList(Math.min(all.size(), page * most), Math.min(all.size(), (page + 1) * most));
    }

    /** Goes on sending to a session whose queue has room. */
    void drained(HubSession session) {
        Deque<Message.Reports> messages = unsent.getOrDefault(session, new ArrayDeque<>());
        while (!messages.isEmpty() && session.channel.send(messages.peek())) {
            messages.remove();
        }
        if (messages.isEmpty()) {
            unsent.remove(session);
        }
    }

    /** Forgets a session that ended. */
    void forget(HubSession session) {
        inquiries.remove(session);
        answered.remove(session);
        unsent.remove(session);
    }
}
