package io.vxseal.cluster.hub;

import io.vxseal.cluster.message.Message;
import io.vxseal.cluster.message.Timer;
import io.vxseal.cluster.record.PathMatrix;
import io.vxseal.cluster.record.PathReport;
import java.net.InetAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;

/**
 * Rounds in which a hub has all nodes check their paths, because an operator of its own node asks. One is under way at most. A node's
 * report becomes a row of signs as it arrives, so that a round takes an octet per pair of nodes, and some text per row.
 *
 * <p>Pure, one thread.
 */
final class CheckRounds {
    /** Time that nodes have to answer; a node takes less than 19 s. */
    static final Duration PATIENCE = Duration.ofSeconds(20);

    private final Timer timer;
    private final List<CompletableFuture<PathMatrix>> inquirers = new ArrayList<>();
    private long round;
    private Optional<Round> running = Optional.empty();

    CheckRounds(Timer timer) {
        this.timer = timer;
    }

    /** A round. */
    private static final class Round {
        final List<String> nodes = new ArrayList<>();
        final List<String> addresses = new ArrayList<>();
        /** Columns by the address of their nodes. */
        final Map<String, List<Integer>> columns = new HashMap<>();
        final Map<String, PathMatrix.Row> rows = new HashMap<>();
        final Set<String> awaited = new HashSet<>();

        Round(Map<String, String> known) {
            known.forEach((node, address) -> {
                columns.computeIfAbsent(address, _ -> new ArrayList<>()).add(nodes.size());
                nodes.add(node);
                addresses.add(address);
            });
        }

        void take(String node, PathReport report) {
            int self = nodes.indexOf(node);
            char[] signs = new char[nodes.size()];
            Arrays.fill(signs, PathMatrix.NONE);
            report.paths().forEach(path -> columns.getOrDefault(path.address(), List.of())
                    .forEach(column -> signs[column] = sign(path.state())));
            signs[self] = PathMatrix.SELF;
            List<PathMatrix.Finding> findings = new ArrayList<>();
            for (PathReport.Finding finding : report.findings()) {
                columns.getOrDefault(finding.address(), List.of()).stream().findFirst().ifPresent(column ->
                        findings.add(new PathMatrix.Finding(nodes.get(column), finding.found(), finding.remedy())));
            }
            rows.put(node, new PathMatrix.Row(node, addresses.get(self), new String(signs), List.copyOf(findings)));
        }

        PathMatrix matrix() {
            List<PathMatrix.Row> all = new ArrayList<>();
            for (int row = 0; row < nodes.size(); row++) {
                PathMatrix.Row silent = new PathMatrix.Row(nodes.get(row), addresses.get(row), "", List.of());
                all.add(rows.getOrDefault(nodes.get(row), silent));
            }
            return new PathMatrix(all);
        }
    }

    private static char sign(PathReport.State state) {
        return switch (state) {
            case PASSES -> PathMatrix.PASSES;
            case FAILS -> PathMatrix.FAILS;
            case UNTRIED -> PathMatrix.UNTRIED;
        };
    }

    /**
     * Begins a round, or joins the one that is under way.
     *
     * @param inquirer gets the matrix
     * @param all sessions of nodes
     * @param known addresses of the nodes of which this hub has records, with a session or without
     * @param touch makes a session's answers be sent
     */
    void inquire(CompletableFuture<PathMatrix> inquirer, Collection<HubSession> all, Map<String, InetAddress> known,
            Consumer<HubSession> touch) {
        inquirers.add(inquirer);
        if (running.isPresent()) {
            return;
        }
        Map<String, String> nodes = new TreeMap<>();
        all.forEach(session -> nodes.put(session.node(), ""));
        known.forEach((node, address) -> nodes.put(node, address.getHostAddress()));
        Round begun = new Round(nodes);
        running = Optional.of(begun);
        round++;
        for (HubSession session : all) {
            begun.awaited.add(session.node());
            session.answer(new Message.CheckRequest(round));
            touch.accept(session);
        }
        timer.after(PATIENCE, () -> endIf(begun, true));
        endIf(begun, begun.awaited.isEmpty());
    }

    /** Takes a node's report of its own paths, of this round only and once. */
    void take(HubSession session, Message.CheckResult answer) {
        running.filter(now -> answer.round() == round && now.awaited.remove(session.node())).ifPresent(now -> {
            now.take(session.node(), answer.report());
            endIf(now, now.awaited.isEmpty());
        });
    }

    /** Waits no longer for a session that ended. */
    void forget(HubSession session) {
        running.filter(now -> now.awaited.remove(session.node())).ifPresent(now -> endIf(now, now.awaited.isEmpty()));
    }

    private void endIf(Round one, boolean over) {
        if (over && running.filter(one::equals).isPresent()) {
            running = Optional.empty();
            PathMatrix matrix = one.matrix();
            List<CompletableFuture<PathMatrix>> waiting = List.copyOf(inquirers);
            inquirers.clear();
            waiting.forEach(inquirer -> inquirer.complete(matrix));
        }
    }
}
