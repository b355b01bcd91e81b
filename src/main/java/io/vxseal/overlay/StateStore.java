package io.vxseal.overlay;

import io.vxseal.kernel.filesystem.RunFolder;
import io.vxseal.state.StateFile;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * What the engine tells once and does not repeat to a plugin that it had to start again.
 *
 * <p>In two files, for endpoints end with the host's power, as their links do, and come and go with every container: kept
 * where nothing has to wait for a disk. Networks, VNIs and nodes are there after a reboot, and on the disk before the
 * engine is answered.
 */
public final class StateStore {
    final StateFile<Lasting> lasting;
    final StateFile<Passing> passing;
    private final Path run;

    /**
     * @param state folder that outlives the process and reboots
     * @param run folder that outlives the process but no reboot
     */
    public StateStore(Path state, Path run) {
        this.lasting = new StateFile<>(state.resolve("state.json"), Lasting.class);
        this.passing = new StateFile<>(run.resolve("endpoints.json"), Passing.class);
        this.run = run;
    }

    /**
     * Returns which folder of the host the run folder is, and in which boot ({@link RunFolder#identity}).
     *
     * @throws IOException if it cannot be told
     */
    String runFolder() throws IOException {
        Files.createDirectories(run);
        return RunFolder.identity(run);
    }

    /**
     * What outlives a reboot.
     *
     * @param networks created here
     * @param vnis given out here, by network
     * @param nodes of the swarm other than this
     * @param nextVni where the search for a free VNI goes on; 0 for its start, as in a file of version 0.1.0
     * @param runFolder identity of the run folder on the host ({@link RunFolder}); empty if it is not known
     */
    record Lasting(
            List<Network> networks, Map<String, List<Integer>> vnis, List<InetAddress> nodes, int nextVni, String runFolder) {
        static final Lasting NOTHING = new Lasting(List.of(), Map.of(), List.of(), 0, "");

        /** A value that lacks one of the first three parts is damaged. */
        Lasting {
            networks = List.copyOf(networks);
            vnis = Map.copyOf(vnis);
            nodes = List.copyOf(nodes);
            runFolder = runFolder == null ? "" : runFolder;
        }

        /** Returns this with networks that it lacks, and their VNIs. */
        Lasting with(List<Network> found) {
            List<Network> all = new ArrayList<>(networks);
            all.addAll(found);
            Map<String, List<Integer>> given = new HashMap<>(vnis);
            found.forEach(network -> given.putIfAbsent(
                    network.id(), network.subnets().stream().map(Subnet::vni).toList()));
            return new Lasting(all, given, nodes, nextVni, runFolder);
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
