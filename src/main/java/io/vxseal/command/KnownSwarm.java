package io.vxseal.command;

import com.fasterxml.jackson.databind.JsonNode;
import io.vxseal.address.Cidr;
import io.vxseal.address.MacAddress;
import io.vxseal.check.PathCheck;
import io.vxseal.check.Ways;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What the running plugin's status says of the other nodes, for checks.
 *
 * @param status the answer to {@code GET /status}
 */
record KnownSwarm(JsonNode status) {
    /** Returns the addresses of the other managers. */
    List<InetAddress> managers() {
        List<InetAddress> managers = new ArrayList<>();
        status.path("cluster").path("members").forEach(member -> {
            String address = member.path("address").asText();
            if (member.path("role").asText().equals("manager") && !address.isEmpty() && !address.equals(ownAddress())) {
                managers.add(InetAddress.ofLiteral(address));
            }
        });
        return managers;
    }

    private String ownAddress() {
        return status.path("node").path("address").asText();
    }

    /** Returns one way by encrypted networks and one by plain ones to each node that has containers on a network of this node. */
    List<PathCheck.Way> ways() {
        Ways ways = new Ways();
        for (JsonNode network : status.path("networks")) {
            if (network.path("up").asBoolean()) {
                network.path("subnets").forEach(subnet -> add(ways, network, subnet));
            }
        }
        return ways.all();
    }

    private static void add(Ways ways, JsonNode network, JsonNode subnet) {
        Cidr pool = Cidr.parse(subnet.path("pool").asText());
        List<PathCheck.Endpoint> here = new ArrayList<>();
        Map<String, List<PathCheck.Endpoint>> there = new LinkedHashMap<>();
        for (JsonNode endpoint : network.path("endpoints")) {
            if (Cidr.parse(endpoint.path("address").asText()).address() instanceof Inet4Address address && pool.contains(address)
                    && endpoint.path("joined").asBoolean()) {
                var end = new PathCheck.Endpoint(MacAddress.parse(endpoint.path("mac").asText()), address);
                boolean isHere = endpoint.path("here").asBoolean();
                (isHere ? here : there.computeIfAbsent(endpoint.path("node").asText(), _ -> new ArrayList<>())).add(end);
            }
        }
        ways.add(network.path("id").asText(), network.path("encrypted").asBoolean(), subnet.path("vni").asInt(), here, there);
    }
}
