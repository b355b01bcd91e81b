package io.vxseal.plugin;

import static io.vxseal.plugin.TextTable.age;
import static io.vxseal.plugin.TextTable.number;
import static io.vxseal.plugin.TextTable.row;
import static io.vxseal.plugin.TextTable.yes;

import io.vxseal.metrics.CallStats;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** A {@link StatusReply} as text for a terminal, without the single endpoints, of which there may be thousands. */
final class StatusTable {
    private final TextTable text = new TextTable();

    private StatusTable() {}

    static String print(StatusReply status) {
        StatusTable table = new StatusTable();
        table.head(status);
        table.hubs(status.cluster().hubs());
        if (!status.cluster().sessions().isEmpty()) {
            table.sessions(status.cluster().sessions());
        }
        table.members(status.cluster().members());
        table.refused(status.cluster());
        if (status.ring() != null) {
            table.ring(status.ring());
        }
        table.networks(status.networks());
        table.services(status.services(), status.networks());
        table.kernel(status);
        table.calls(status.calls());
        table.errors(status.errors());
        return table.text.toString();
    }

    private void head(StatusReply status) {
        StatusReply.Node node = status.node();
        boolean elsewhere = node.address() != null && !node.address().equals(node.bindAddress());
        List<List<String>> rows = new ArrayList<>();
        rows.add(row("vxseal", status.version()));
        rows.add(row("node", node.id()));
        rows.add(row("swarm", node.swarm()));
        rows.add(row("address", elsewhere ? node.address() + ", bound to " + node.bindAddress() : node.address()));
        rows.add(row("firewall", status.firewall()));
        rows.add(row("refused", status.cluster().refusedMessages() + " messages"));
        if (status.cluster().problem() != null) {
            rows.add(row("problem", status.cluster().problem()));
        }
        status.inTheWay().forEach(line -> rows.add(row("in the way", line)));
        status.conditions().stream()
                .filter(condition -> !status.inTheWay().contains(condition.text()))
                .forEach(condition -> rows.add(row("trouble", "for %s: %s".formatted(age(condition.ageSeconds()), condition.text()))));
        status.withoutServices().forEach(line -> rows.add(row("no services", line)));
        text.lines(rows);
    }

    private void hubs(List<StatusReply.Hub> hubs) {
        text.section(row("HUB", "ADDRESS", "SESSION", "UP TO DATE"), hubs.stream()
                .map(hub -> row(hub.id(), hub.address() == null ? "here" : hub.address(), age(hub.ageSeconds()), yes(hub.upToDate())))
                .toList());
    }

    private void sessions(List<StatusReply.Session> sessions) {
        text.section(row("SESSION OF", "ROLE", "AGE", "LAG"), sessions.stream()
                .map(session -> row(session.id(), session.role(), age(session.ageSeconds()), String.valueOf(session.lag())))
                .toList());
    }

    private void refused(StatusReply.Cluster cluster) {
        List<List<String>> rows = new ArrayList<>();
        cluster.refusedClaims().forEach((reason, count) -> rows.add(row("claims now", reason, String.valueOf(count))));
        cluster.rejections().forEach((reason, count) -> rows.add(row("since the start", reason, String.valueOf(count))));
        if (!rows.isEmpty()) {
            text.section(row("REFUSED", "REASON", "COUNT"), rows);
        }
        if (!cluster.claims().isEmpty()) {
            text.section(row("CLAIM OF", "NETWORK", "ENDPOINT", "REFUSED AS"), cluster.claims().stream()
                    .map(claim -> row(claim.node(), any(claim.network()), any(claim.endpoint()), claim.reason())).toList());
        }
    }

    private static String any(String id) {
        return id.isEmpty() ? "all" : id;
    }

    private void members(List<StatusReply.Member> members) {
        text.section(row("MEMBER", "ROLE", "ADDRESS", "ENDPOINTS", "AGE"), members.stream()
                .map(member -> row(
                        member.id(),
                        member.role(),
                        member.address(),
                        String.valueOf(member.endpoints()),
                        age(member.ageSeconds())))
                .toList());
    }

    private void ring(StatusReply.Ring ring) {
        String changed = ring.ageSeconds() == null
                ? ""
                : "%d, by %s, changed %s ago".formatted(ring.version(), ring.author(), age(ring.ageSeconds()));
        String engine = ring.fromEngine() ? "keys of the engine" : "";
        text.line("").line("RING " + Stream.of(changed, engine).filter(part -> !part.isEmpty()).collect(Collectors.joining(", ")));
        List<List<String>> rows = new ArrayList<>();
        rows.add(row("KEY", "USE", "KNOWN FOR"));
        ring.keys().forEach(key -> rows.add(row(
                "tag " + key.tag(), key.primary() ? "send, receive" : "receive", age(key.knownSeconds()))));
        text.lines(rows);
    }

    /** Lists the networks, with their names if any is known. */
    private void networks(List<StatusReply.Network> networks) {
        boolean named = networks.stream().anyMatch(network -> network.name() != null);
        List<String> heading = row("NETWORK", "ENCRYPTED", "UP", "VNI", "SUBNET", "ENDPOINTS HERE", "ELSEWHERE");
        text.section(named ? with("NAME", heading) : heading, networks.stream()
                .map(network -> named ? with(network.name(), cells(network)) : cells(network))
                .toList());
    }

    private static List<String> cells(StatusReply.Network network) {
        return row(
                network.id(),
                yes(network.encrypted()),
                yes(network.up()),
                network.subnets().stream().map(s -> String.valueOf(s.vni())).collect(Collectors.joining(",")),
                network.subnets().stream().map(StatusReply.Subnet::pool).collect(Collectors.joining(",")),
                String.valueOf(network.endpoints().stream().filter(StatusReply.Attached::here).count()),
                String.valueOf(network.endpoints().stream().filter(e -> !e.here()).count()));
    }

    /** Returns a row with another cell behind its first. */
    private static List<String> with(@Nullable String cell, List<String> row) {
        List<String> longer = new ArrayList<>(row);
        longer.add(1, row(cell).getFirst());
        return longer;
    }

    /** Lists the services, if there are any, with their networks' names where they are known. */
    private void services(List<StatusReply.Service> services, List<StatusReply.Network> networks) {
        Map<String, String> names = new HashMap<>();
        networks.forEach(network -> names.put(network.id(), network.name() == null ? network.id() : network.name()));
        if (!services.isEmpty()) {
            text.section(row("SERVICE", "NETWORK", "ADDRESS", "TASKS", "DRAINING"), services.stream()
                    .map(service -> row(
                            service.name(),
                            names.getOrDefault(service.network(), service.network()),
                            String.join(",", service.addresses()),
                            String.valueOf(service.tasks().size()),
                            String.join(",", service.draining())))
                    .toList());
        }
    }

    private void kernel(StatusReply status) {
        StatusReply.Ipsec ipsec = status.ipsec();
        text.section(row("IPSEC", "WANTED", "FOUND"), List.of(
                row("states", String.valueOf(ipsec.statesWanted()), number(ipsec.statesFound())),
                row("policies", String.valueOf(ipsec.policiesWanted()), number(ipsec.policiesFound()))));
        text.section(row("REPAIRED", "RULES", "STATES AND POLICIES", "LINKS", "ENTRIES"), List.of(row(
                "since the start",
                String.valueOf(status.repairs().rules()),
                String.valueOf(status.repairs().statesAndPolicies()),
                String.valueOf(status.repairs().links()),
                String.valueOf(status.repairs().entries()))));
    }

    private void calls(SortedMap<String, CallStats.Tally> calls) {
        text.section(row("CALL", "COUNT", "MEAN ms", "SLOWEST ms"), calls.entrySet().stream()
                .map(call -> row(
                        call.getKey(),
                        String.valueOf(call.getValue().count()),
                        "%.1f".formatted(call.getValue().meanMillis()),
                        "%.1f".formatted(call.getValue().slowestMillis())))
                .toList());
    }

    private void errors(List<StatusReply.Failure> errors) {
        text.section(row("LAST ERROR", "TIMES", "WHERE", "WHAT"), errors.stream()
                .map(error -> row(error.at(), String.valueOf(error.times()), error.where(), error.error()))
                .toList());
    }
}
