package io.vxseal.cluster;

import io.vxseal.cluster.node.ClusterNode;
import io.vxseal.cluster.node.HubStatus;
import io.vxseal.cluster.record.EndpointRecord;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * What a process that lost its memory has to learn again. A recall may fail only for endpoints that no hub remembers with which the process
 * has a standing session while it asks, and that remembered them before it was asked.
 */
final class RecallCheck {
    /** A hub that is reached later may not be asked any more. */
    private static final long REACHED = ClusterNode.RECALL.minusSeconds(2).toNanos();
    /** For question and answer. */
    private static final long STANDING = Duration.ofSeconds(3).toNanos();
    /** After that the driver has dealt with the answers. */
    private static final long OVER = ClusterNode.RECALL.plusSeconds(10).toNanos();

    private final Simulation world;
    private final SimulatedHost host;
    private final String process;
    private final long began;
    private final Map<String, Memory> memories = new HashMap<>();
    private final Set<String> owed = new HashSet<>();
    /** What each hub's process remembered at the last look. */
    private Map<String, Set<String>> before;

    /** What a hub remembers, and since when it has been reached. */
    private record Memory(String hubProcess, long since, Set<String> endpoints) {}

    RecallCheck(Simulation world, SimulatedHost host) {
        this.world = world;
        this.host = host;
        this.process = host.processId();
        this.began = world.network.now();
        this.before = remembered();
    }

    /**
     * Looks at the hubs, and at what was learnt once there was time for it; to be called each second.
     *
     * @return whether it is over
     */
    boolean look() {
        if (!host.isUp() || !host.processId().equals(process)) {
            return true;
        }
        long age = world.network.now() - began;
        Set<String> reached = new HashSet<>();
        for (HubStatus session : host.member.orElseThrow().node().hubs()) {
            Optional<SimulatedHost> hub = world.hosts.stream().filter(other -> other != host && other.id.equals(session.node())).findFirst();
            if (hub.isPresent() && world.network.isConnected(host.id, hub.get().id) && hub.get().isUp()) {
                reached.add(hub.get().processId());
                if (age <= REACHED) {
                    memories.computeIfAbsent(hub.get().processId(),
                            id -> new Memory(id, world.network.now(), stillRemembered(id, hub.get())));
                }
            }
        }
        before = remembered();
        memories.keySet().retainAll(reached);
        memories.values().stream().filter(memory -> world.network.now() - memory.since() >= STANDING)
                .forEach(memory -> owed.addAll(memory.endpoints()));
        if (age < OVER) {
            return false;
        }
        owed.retainAll(host.forgotten());
        world.check(owed.isEmpty(), "%s was not told of its endpoints %s, which hubs remembered", host.id, owed);
        return true;
    }

    /** Returns what a hub remembered before it was asked, and does now: its time may have been over in between. */
    private Set<String> stillRemembered(String hubProcess, SimulatedHost hub) {
        Set<String> still = new HashSet<>(before.getOrDefault(hubProcess, Set.of()));
        still.retainAll(remembered(hub));
        return still;
    }

    private Map<String, Set<String>> remembered() {
        Map<String, Set<String>> all = new HashMap<>();
        world.hosts.stream().filter(SimulatedHost::isUp).forEach(hub -> all.put(hub.processId(), remembered(hub)));
        return all;
    }

    private Set<String> remembered(SimulatedHost hub) {
        return hub.member.orElseThrow().hub().stream().flatMap(each -> each.nodes().stream())
                .filter(record -> record.node().equals(host.id))
                .flatMap(record -> record.networks().stream())
                .flatMap(network -> network.endpoints().stream())
                .map(EndpointRecord::id)
                .collect(Collectors.toSet());
    }
}
