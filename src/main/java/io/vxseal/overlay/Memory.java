package io.vxseal.overlay;

import java.net.InetAddress;
import java.util.List;
import java.util.Map;

/**
 * What the engine tells once and does not repeat to a plugin that it had to start again.
 *
 * @param networks created here
 * @param endpoints created here
 * @param vnis given out here, by network
 * @param nodes of the swarm other than this
 */
public record Memory(
        List<Network> networks, List<Endpoint> endpoints, Map<String, List<Integer>> vnis, List<InetAddress> nodes) {
    static final Memory EMPTY = new Memory(List.of(), List.of(), Map.of(), List.of());

    /** What lacks a part is damaged. */
    public Memory {
        networks = List.copyOf(networks);
        endpoints = List.copyOf(endpoints);
        vnis = Map.copyOf(vnis);
        nodes = List.copyOf(nodes);
    }
}
