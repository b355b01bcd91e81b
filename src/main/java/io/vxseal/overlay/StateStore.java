package io.vxseal.overlay;

import io.vxseal.kernel.filesystem.RunFolder;
import io.vxseal.state.StateFile;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Store of what the engine sends once and does not repeat to a plugin that it restarts, in two files. Beside them the keys in force.
 *
 * <p>Networks, VNIs and nodes survive a reboot, and are on the disk before the engine gets its answer. Endpoints come and go with
 * every container, and their links do not survive a reboot. They are kept in the run folder, in memory, so no container waits for a
 * disk.
 */
public final class StateStore {
    final StateFile<Persistent> persistentFile;
    final StateFile<Ephemeral> ephemeralFile;
    final KeysInForce keysInForce;
    private final Path run;

    private Persistent persistent = Persistent.EMPTY;

    /**
     * @param state folder that survives the process and reboots
     * @param run folder that survives the process but no reboot
     * @param keys folder on a tmpfs; without one no key is kept
     */
    public StateStore(Path state, Path run, Optional<Path> keys) {
        this.persistentFile = new StateFile<>(state.resolve("state.json"), Persistent.class);
        this.ephemeralFile = new StateFile<>(run.resolve("endpoints.json"), Ephemeral.class);
        this.keysInForce = new KeysInForce(keys);
        this.run = run;
    }

    /**
     * Returns which folder of the host the run folder is, and in which boot ({@link RunFolder#identity}).
     *
     * @throws IOException if it cannot be determined
     */
    String runFolder() throws IOException {
        Files.createDirectories(run);
        return RunFolder.identity(run);
    }

    /** Sets what the next change starts from, without writing it. */
    void restore(Persistent recovered) {
        persistent = recovered;
    }

    /** Writes the networks and VNIs that are known now. */
    void saveNetworks(List<Network> networks, VniAllocator vnis) throws DriverException {
        save(new Persistent(networks, vnis.given(), persistent.nodes, vnis.next(), persistent.runFolder));
    }

    /** Writes that the swarm has another node. Does nothing if it is known. */
    void addNode(InetAddress node) throws DriverException {
        if (!persistent.nodes.contains(node)) {
            List<InetAddress> nodes = new ArrayList<>(persistent.nodes);
            nodes.add(node);
            save(persistent.with(nodes));
        }
    }

    /** Writes that a node left the swarm. Does nothing if it is not known. */
    void removeNode(InetAddress node) throws DriverException {
        if (persistent.nodes.contains(node)) {
            save(persistent.with(persistent.nodes.stream().filter(other -> !other.equals(node)).toList()));
        }
    }

    /** Writes the endpoints that are known now. */
    void saveEndpoints(Collection<Endpoint> endpoints) throws DriverException {
        write(ephemeralFile, new Ephemeral(List.copyOf(endpoints)));
    }

    private void save(Persistent next) throws DriverException {
        write(persistentFile, next);
        persistent = next;
    }

    private static <T> void write(StateFile<T> file, T value) throws DriverException {
        try {
            file.write(value);
        } catch (IOException failure) {
            throw DriverException.system("could not write the state file", failure);
        }
    }

    /**
     * State that survives a reboot.
     *
     * @param networks created here
     * @param vnis allocated here, by network
     * @param nodes of the swarm other than this
     * @param nextVni where the search for a free VNI continues; 0 for its start, as in a file of version 0.1.0
     * @param runFolder identity of the run folder on the host ({@link RunFolder}); empty if it is not known
     */
    record Persistent(
            List<Network> networks, Map<String, List<Integer>> vnis, List<InetAddress> nodes, int nextVni, String runFolder) {
        static final Persistent EMPTY = new Persistent(List.of(), Map.of(), List.of(), 0, "");

        /** A value that lacks one of the first three parts is damaged. */
        Persistent {
            networks = List.copyOf(networks);
            vnis = Map.copyOf(vnis);
            nodes = List.copyOf(nodes);
            runFolder = runFolder == null ? "" : runFolder;
        }

        /** Returns this with further networks, and their VNIs. */
        Persistent plus(List<Network> found) {
            List<Network> all = new ArrayList<>(networks);
            all.addAll(found);
            Map<String, List<Integer>> given = new HashMap<>(vnis);
            found.forEach(network -> given.putIfAbsent(
                    network.id(), network.subnets().stream().map(Subnet::vni).toList()));
            return new Persistent(all, given, nodes, nextVni, runFolder);
        }

        /** Returns this with another run folder. */
        Persistent in(String otherRunFolder) {
            return new Persistent(networks, vnis, nodes, nextVni, otherRunFolder);
        }

        private Persistent with(List<InetAddress> otherNodes) {
            return new Persistent(networks, vnis, otherNodes, nextVni, runFolder);
        }
    }

    /**
     * State that does not survive a reboot.
     *
     * @param endpoints created here
     */
    record Ephemeral(List<Endpoint> endpoints) {
        /** A value without endpoints is damaged. */
        Ephemeral {
            endpoints = List.copyOf(endpoints);
        }
    }
}
