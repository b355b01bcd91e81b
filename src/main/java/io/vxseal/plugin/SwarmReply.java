package io.vxseal.plugin;

import io.vxseal.cluster.node.SwarmInquiry;
import io.vxseal.cluster.record.NodeReport;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Reply of {@code GET /swarm}: each node's own report, and the nodes that gave none. The components' names are documented. */
record SwarmReply(List<Node> nodes, List<String> silent) {

    record Node(
            String id,
            String role,
            String address,
            String version,
            long ring,
            int networks,
            int endpoints,
            int hubs,
            long repairs,
            long dropped,
            List<String> conditions) {}

    static SwarmReply of(SwarmInquiry.Answer answer) {
        return new SwarmReply(answer.reports().stream().map(SwarmReply::node).toList(), answer.silent());
    }

    private static Node node(NodeReport report) {
        return new Node(
                report.node(),
                report.role().name().toLowerCase(Locale.ROOT),
                report.address(),
                report.version(),
                report.ring(),
                report.networks(),
                report.endpoints(),
                report.hubs(),
                report.repairs(),
                report.drops(),
                report.conditions());
    }

    /** Returns this as text for a terminal. */
    String print() {
        TextTable text = new TextTable();
        List<List<String>> rows = new ArrayList<>();
        rows.add(TextTable.row(
                "NODE", "ROLE", "ADDRESS", "VERSION", "RING", "NETWORKS", "ENDPOINTS", "HUBS", "REPAIRED", "DROPPED", "TROUBLE"));
        for (Node node : nodes) {
            rows.add(TextTable.row(
                    node.id,
                    node.role,
                    node.address,
                    node.version,
                    String.valueOf(node.ring),
                    String.valueOf(node.networks),
                    String.valueOf(node.endpoints),
                    String.valueOf(node.hubs),
                    String.valueOf(node.repairs),
                    String.valueOf(node.dropped),
                    String.valueOf(node.conditions.size())));
        }
        silent.forEach(node -> rows.add(TextTable.row(node, "no answer")));
        text.lines(rows);
        List<List<String>> trouble = new ArrayList<>();
        nodes.forEach(node -> node.conditions.forEach(line -> trouble.add(TextTable.row(node.id, line))));
        if (!trouble.isEmpty()) {
            text.section(TextTable.row("TROUBLE OF", "WHAT"), trouble);
        }
        return text.toString();
    }
}
