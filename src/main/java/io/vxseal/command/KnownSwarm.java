package io.vxseal.command;

import com.fasterxml.jackson.databind.JsonNode;
import io.vxseal.address.Cidr;
import io.vxseal.address.MacAddress;
import io.vxseal.check.Finding;
import io.vxseal.check.OpenPort;
import io.vxseal.check.Way;
import io.vxseal.check.Ways;
import io.vxseal.check.host.Node;
import io.vxseal.swarm.ManagerAddresses;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/**
 * What the running plugin's status and the engine's list of managers have of this node and of the others, for checks.
 *
 * @param status the answer to {@code GET /status}
 * @param listed the engine's list of managers, which it has without reaching any
 */
record KnownSwarm(JsonNode status, ManagerAddresses.Listing listed) {
    private static final String ADDRESS = "address";
    private static final String NETWORKS = "networks";

    /** Nodes that one finding names. */
    private static final int MOST_NAMED = 20;

    /**
     * Returns the addresses of the other managers: as they announce them, and those on the engine's list if that has a manager which this
     * node has no session or record of.
     */
    List<InetAddress> managers() {
        Set<InetAddress> managers = new LinkedHashSet<>();
        Set<String> known = new HashSet<>(Set.of(status.path("node").path("id").asText()));
        members().filter(member -> member.path("role").asText().equals("manager") && member.has(ADDRESS)).forEach(member -> {
            known.add(member.path("id").asText());
            managers.add(InetAddress.ofLiteral(member.path(ADDRESS).asText()));
        });
        if (listed.isPartial() || !known.containsAll(listed.nodes())) {
            managers.addAll(listed.addresses());
        }
        managers.removeAll(own());
        return List.copyOf(managers);
    }

    private Stream<JsonNode> members() {
        return StreamSupport.stream(status.path("cluster").path("members").spliterator(), false);
    }

    /** Returns this node's addresses: the one of its datagrams, and the one that the others know. */
    private List<InetAddress> own() {
        return Stream.of("bindAddress", ADDRESS)
                .map(status.path("node")::path)
                .filter(JsonNode::isTextual)
                .map(address -> InetAddress.ofLiteral(address.asText()))
                .toList();
    }

    /** Returns this node as the plugin knows it. */
    Node node() {
        Set<InetAddress> others = new LinkedHashSet<>(managers());
        members().filter(member -> member.has(ADDRESS)).forEach(member -> others.add(InetAddress.ofLiteral(member.path(ADDRESS).asText())));
        others.removeAll(own());
        Set<Integer> vnis = new HashSet<>();
        status.path(NETWORKS).forEach(network -> network.path("subnets").forEach(subnet -> vnis.add(subnet.path("vni").asInt())));
        return new Node(own().stream().findFirst(), others, vnis);
    }

    /**
     * Returns findings on the cluster, the keys, the managers' clocks and the networks that the plugin refused.
     *
     * @param clusterPort TCP port on which managers' plugins listen
     */
    List<Finding> findings(int clusterPort) {
        List<Finding> findings = new ArrayList<>();
        String reachManagers = "on the managers: docker plugin enable vxseal; and %s".formatted(OpenPort.tcp(clusterPort));
        JsonNode problem = status.path("cluster").path("problem");
        findings.add(problem.isTextual()
                ? new Finding("cluster", false, problem.asText(), "mend what it names; " + reachManagers)
                : new Finding("cluster", true, "sessions with %d managers".formatted(status.path("cluster").path("hubs").size()), ""));
        boolean encrypted = StreamSupport.stream(status.path(NETWORKS).spliterator(), false)
                .anyMatch(network -> network.path("encrypted").asBoolean());
        if (encrypted) {
            findings.add(status.has("ring")
                    ? new Finding("keys", true, "this node has the keys of encrypted networks", "")
                    : new Finding("keys", false, "encrypted networks are wanted here, and no manager has sent this node their keys",
                            reachManagers));
        }
        status.path("conditions").forEach(condition -> {
            String kind = condition.path("kind").asText();
            String text = condition.path("text").asText();
            if (kind.equals("refused")) {
                findings.add(new Finding(kind, false, text, "mend what the reason names, by the commands of the other findings; the engine starts the containers again by itself"));
            } else if (kind.equals("clock")) {
                findings.add(new Finding(kind, false, text, "timedatectl set-ntp true, on the node whose clock is wrong"));
            }
        });
        return findings;
    }

    /** Returns what names the other nodes that no way leads to; empty if there are none. */
    Optional<Finding> withoutWay() {
        Set<String> nodes = new TreeSet<>();
        members().filter(member -> member.has(ADDRESS)).forEach(member -> nodes.add(member.path(ADDRESS).asText()));
        own().forEach(address -> nodes.remove(address.getHostAddress()));
        ways().forEach(way -> nodes.remove(way.node()));
        if (nodes.isEmpty()) {
            return Optional.empty();
        }
        String names = nodes.stream().limit(MOST_NAMED).collect(Collectors.joining(", "));
        return Optional.of(Finding.untried("path",
                "not checked, for no network has containers there and here: %s%s".formatted(
                        names, nodes.size() > MOST_NAMED ? " and %d more".formatted(nodes.size() - MOST_NAMED) : ""),
                "docker service create --mode global --network NETWORK IMAGE, with a network of vxseal; then vxseal check"));
    }

    /** Returns one way by encrypted networks and one by plain ones to each node that has containers on a network of this node. */
    List<Way> ways() {
        Ways ways = new Ways();
        for (JsonNode network : status.path(NETWORKS)) {
            if (network.path("up").asBoolean()) {
                network.path("subnets").forEach(subnet -> add(ways, network, subnet));
            }
        }
        return ways.all();
    }

    private static void add(Ways ways, JsonNode network, JsonNode subnet) {
        Cidr pool = Cidr.parse(subnet.path("pool").asText());
        List<Way.Endpoint> here = new ArrayList<>();
        Map<String, List<Way.Endpoint>> there = new LinkedHashMap<>();
        for (JsonNode endpoint : network.path("endpoints")) {
            if (Cidr.parse(endpoint.path(ADDRESS).asText()).address() instanceof Inet4Address address && pool.contains(address)
                    && endpoint.path("joined").asBoolean()) {
                var end = new Way.Endpoint(MacAddress.parse(endpoint.path("mac").asText()), address);
                boolean isHere = endpoint.path("here").asBoolean();
                (isHere ? here : there.computeIfAbsent(endpoint.path("node").asText(), _ -> new ArrayList<>())).add(end);
            }
        }
        ways.add(network.path("id").asText(), network.path("encrypted").asBoolean(), subnet.path("vni").asInt(), here, there);
    }
}
