package io.vxseal.overlay;

import io.vxseal.state.StateFile;
import java.net.InetAddress;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * What the engine tells once and does not repeat to a plugin that it had to start again.
 *
 * <p>In two files, for endpoints end with the host's power, as their links do, and come and go with every container: kept
 * where nothing has to wait for a disk. Networks, VNIs and nodes are there after a reboot, and on the disk before the
 * engine is answered.
 */
public final class Memory {
    final StateFile<Lasting> lasting;
    final StateFile<Passing> passing;

    /**
     * @param state folder that outlives the process and reboots
     * @param run folder that outlives the process but no reboot
     */
    public Memory(Path state, Path run) {
        this.lasting = new StateFile<>(state.resolve("state.json"), Lasting.class);
        this.passing = new StateFile<>(run.resolve("endpoints.json"), Passing.class);
    }

    /**
     * What outlives a reboot.
     *
     * @param networks created here
     * @param vnis given out here, by network
     * @param nodes of the swarm other than this
     */
    record Lasting(List<Network> networks, Map<String, List<Integer>> vnis, List<InetAddress> nodes) {
        static final Lasting NOTHING = new Lasting(List.of(), Map.of(), List.of());

        /** What lacks a part is damaged. */
        Lasting {
            networks = List.copyOf(networks);
            vnis = Map.copyOf(vnis);
            nodes = List.copyOf(nodes);
        }
    }

    /**
     * What does not.
     *
     * @param endpoints created here
     */
    record Passing(List<Endpoint> endpoints) {
        /** What lacks a part is damaged. */
        Passing {
            endpoints = List.copyOf(endpoints);
        }
    }
}
